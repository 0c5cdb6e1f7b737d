/* notify.c: see notify.h. */
#include "daemon/host/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify_send(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char text[512];
	size_t len;
	va_list ap;
	int fd, n;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    (len = strlen(path)) >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n <= 0 || (size_t)n >= sizeof(text))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* if nobody listens, the daemon doesn't care */
	(void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

static bool
number_from_env(const char *name, unsigned long long *ret)
{
	const char *text = getenv(name);
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

uint64_t
notify_watchdog_us(void)
{
	unsigned long long us, pid;

	if (!number_from_env("WATCHDOG_USEC", &us))
		return 0;
	if (number_from_env("WATCHDOG_PID", &pid) && pid != (unsigned long long)getpid())
		return 0;
	return us;
}

int
notify_listen_fds(void)
{
	unsigned long long pid, n;
	int count = 0;

	if (number_from_env("LISTEN_PID", &pid) && pid == (unsigned long long)getpid() &&
	    number_from_env("LISTEN_FDS", &n) && n <= 64)
		count = (int)n;
	for (int fd = NOTIFY_LISTEN_FD_0; fd < NOTIFY_LISTEN_FD_0 + count; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return count;
}
