/*
 * notify.h: the service manager's side: readiness, status and watchdog
 * (sd_notify(3)), and the sockets that it passes (sd_listen_fds(3)).
 *
 * Both protocols are a few lines that systemd promises to keep, and that other
 * managers speak too; libsystemd would bring five libraries into a daemon for
 * them. Without NOTIFY_SOCKET and LISTEN_FDS in the environment nothing here
 * does anything.
 */
#ifndef PEEKD_NOTIFY_H
#define PEEKD_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Sends one datagram of "NAME=value" lines. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often WATCHDOG=1 is expected of this process; 0: not. */
uint64_t notify_watchdog_us(void);

/* Sockets passed to this process: descriptors 3 .. 3 + n - 1. They are made
 * close-on-exec. Clears the variables: a child must not take them. */
int notify_listen_fds(void);

#define NOTIFY_LISTEN_FD_0 3

#endif
