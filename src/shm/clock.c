/*
 * clock.c: the host's clocks, whatever time namespace this process is in.
 */
#include "shm/clock.h"

#include <stdio.h>
#include <time.h>

#include "shm/layout.h"

void
clock_read_shift(struct clock_shift *ret)
{
	char line[128], which[32];
	long long s, ns;
	FILE *f = fopen("/proc/self/timens_offsets", "re");

	*ret = (struct clock_shift){0};
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%31s %lld %lld", which, &s, &ns) != 3)
			continue;
		/* The namespace shows the host's clock plus its offset. */
		if (which[0] == 'm')
			ret->monotonic_ns = -(s * 1000000000LL + ns);
		else if (which[0] == 'b')
			ret->boottime_ns = -(s * 1000000000LL + ns);
	}
	fclose(f);
}

static int64_t
now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t
clock_word_now(const struct clock_shift *shift)
{
	uint64_t s = (uint64_t)((now_ns(CLOCK_BOOTTIME) + shift->boottime_ns) / 1000000000) + CLOCK_BASE_S;

	return s << 32 | clock_coarse_ms(shift);
}

uint32_t
clock_coarse_ms(const struct clock_shift *shift)
{
	return (uint32_t)((now_ns(CLOCK_MONOTONIC_COARSE) + shift->monotonic_ns) / 1000000);
}
