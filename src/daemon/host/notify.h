/*
 * notify.h: messages to the service manager: readiness, status and watchdog
 * (sd_notify(3)); and the sockets that it passes (sd_listen_fds(3)).
 *
 * systemd promises to keep both protocols, and other managers speak them too.
 * Each takes a few lines here; libsystemd would bring five libraries into the
 * daemon. Without NOTIFY_SOCKET and LISTEN_FDS in the environment these
 * functions do nothing.
 */
#ifndef PEEKD_NOTIFY_H
#define PEEKD_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Sends one datagram of "NAME=value" lines. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The interval at which the manager expects WATCHDOG=1 of this process, in
 * microseconds; 0: it expects none. */
uint64_t notify_watchdog_us(void);

/*
 * Returns n, the number of sockets that were passed to this process as
 * descriptors 3 .. 3 + n - 1, and makes them close-on-exec. Clears the
 * variables, because a child must not take the sockets.
 */
int notify_listen_fds(void);

#define NOTIFY_LISTEN_FD_0 3

#endif
