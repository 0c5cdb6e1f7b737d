/*
 * test_lib_descriptors.c: libpeek in an application that has closed its
 * standard streams (issue 15.14): none of the library's descriptors gets one of
 * their numbers, and all are close-on-exec.
 */
#include "proc/test_lib_live.h"

#include "shm/layout.h"

enum { N_COMBINATIONS = 8, FAILED_AT = 100 };

#define MUST(x) \
	do { \
		if (!(x)) \
			_exit(FAILED_AT + __COUNTER__); \
	} while (0)

static void
only_above(unsigned closed)
{
	for (int fd = 0; fd < 3; fd++)
		MUST((closed & 1u << fd) == 0 || fcntl(fd, F_GETFD) < 0);
}

/* The segment is damaged for a moment, as one of another layout is. */
static int
nothing(void *arg, const struct peek_entry *entry)
{
	(void)arg;
	(void)entry;
	return 0;
}

static void
use(struct peek *q, unsigned closed)
{
	char buf[16];
	struct peek_status status;

	only_above(closed);
	MUST(peek_status(q, &status) == 0 && status.hinting == 1);
	MUST(peek_set(q, "k", 1, "value", 5, 0) == 0);
	MUST(peek_set_async(q, "a", 1, "value", 5, 0, NULL, NULL) == 0 && peek_set_flush(q) == 0);
	MUST(peek_get(q, "k", 1, buf, sizeof(buf)) == 5 && peek_scan(q, nothing, NULL) == 0);
	only_above(closed);
}

static void
application(unsigned closed)
{
	struct peek *q;

	for (int fd = 0; fd < 3; fd++)
		if ((closed & 1u << fd) != 0)
			close(fd);
	MUST(peek_open(name, 0, &q) == 0);
	use(q, closed);
	for (int fd = 3; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFD);
		char path[64], to[256];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t n = flags < 0 ? -1 : readlink(path, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		MUST(flags < 0 || (flags & FD_CLOEXEC) != 0 || strncmp(to, "socket:", 7) != 0);
	}
	pid_t child = harness_fork(); /* which connects anew */
	if (child == 0) {
		use(q, closed);
		_exit(0);
	}
	int state;
	MUST(child > 0 && waitpid(child, &state, 0) == child && state == 0);
	peek_close(q);
	live_set_version(LAYOUT_VERSION + 1);
	MUST(peek_open(name, 0, &q) == 0);
	char buf[16];
	MUST(peek_get(q, "k", 1, buf, sizeof(buf)) == 5); /* through the socket */
	only_above(closed);
	live_set_version(LAYOUT_VERSION);
	peek_close(q);
	_exit(0);
}

static void
every_combination(void **state)
{
	(void)state;
	skip_emulated();
	for (unsigned closed = 0; closed < N_COMBINATIONS; closed++) {
		int status = -1;
		pid_t pid = harness_fork();
		if (pid == 0)
			application(closed);
		assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
		live_set_version(LAYOUT_VERSION);
		assert_int_equal(status, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_combination, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
