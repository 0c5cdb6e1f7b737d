/*
 * clock.c: the host's clocks, whatever time namespace this process is in.
 */
#include "shm/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/now.h"
#include "shm/layout.h"

/* True if this process's children are to live in another time namespace than it
 * does: it called unshare. timens_offsets then shows the children's. It came
 * from the host's namespace, as far as can be told. */
static bool
is_between(void)
{
	char own[64], of_children[64];
	ssize_t n = readlink("/proc/self/ns/time", own, sizeof(own));

	return n > 0 &&
	    (readlink("/proc/self/ns/time_for_children", of_children, sizeof(of_children)) != n ||
		memcmp(own, of_children, (size_t)n) != 0);
}

void
clock_read_shift(struct clock_shift *ret)
{
	char text[256], which[32];
	long long s, ns;
	int fd = is_between()
	    ? -1
	    : descriptor_above(open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC));
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	*ret = (struct clock_shift){0};
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%31s %lld %lld", which, &s, &ns) != 3)
			continue;
		/* The namespace shows the host's clock plus its offset. */
		if (which[0] == 'm')
			ret->monotonic_ns = -(s * 1000000000LL + ns);
		else if (which[0] == 'b')
			ret->boottime_ns = -(s * 1000000000LL + ns);
	}
	ret->suspended_ns = now_ns(CLOCK_BOOTTIME) + ret->boottime_ns -
	    (now_ns(CLOCK_MONOTONIC) + ret->monotonic_ns);
}

uint64_t
clock_word_now(const struct clock_shift *shift)
{
	uint64_t s =
	    (uint64_t)((now_ns(CLOCK_BOOTTIME) + shift->boottime_ns) / 1000000000) + CLOCK_BASE_S;

	return s << 32 | (uint32_t)clock_coarse_ms(shift);
}

uint64_t
clock_coarse_ms(const struct clock_shift *shift)
{
	return (uint64_t)((now_ns(CLOCK_MONOTONIC_COARSE) + shift->monotonic_ns) / 1000000);
}
