/*
 * robust_clock.c: a library to preload that shifts the wall clock by the
 * seconds that stand in the file PEEK_TEST_CLOCK (a 64-bit number), at any
 * moment. The monotonic clocks are left alone. Empty unless it is built as that
 * library.
 */
#ifdef ROBUST_CLOCK_SO
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const volatile int64_t *shift;

__attribute__((constructor)) static void
find_shift(void)
{
	const char *path = getenv("PEEK_TEST_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	shift = p != MAP_FAILED ? p : NULL;
}

EXPORT int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, clock, ts);

	if (r == 0 && shift != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += *shift;
	return r;
}

EXPORT time_t
time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret != NULL)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

EXPORT int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
#else
typedef int robust_clock_is_a_library_of_its_own;
#endif
