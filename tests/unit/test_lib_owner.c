/*
 * test_lib_owner.c: whose segments libpeek believes: the file that names a
 * service's user, and everything that it must not be.
 */
#include "proc/test_lib_harness.h"

#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>

#include "lib/owner.h"
#include "shm/seq.h"

#define SOMEBODY 12345

static struct harness h;
static char dir[64], path[96], other[96];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/peekd-test-owner-%d", (int)getpid());
	snprintf(path, sizeof(path), "%s/owner", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	if (mkdir(dir, 0755) != 0)
		return -1;
#ifdef PEEK_HOOKS
	owner_file = path;
#endif
	harness_open(&h, "owner", UINT64_C(4) << 20, false);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	harness_close(&h);
	unlink(path);
	unlink(other);
	return rmdir(dir);
}

static void
write_owner(const char *text, size_t n, mode_t mode)
{
	unlink(path);
	unlink(other);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fchmod(fileno(f), mode), 0);
	assert_int_equal(fclose(f), 0);
}

static int
opened(void)
{
	struct peek *p = NULL;
	int r = peek_open(h.name, PEEK_NO_HINTS, &p);

	peek_close(p);
	return r;
}

/* The result of peek_open with this text in the file. */
static int
with(const char *text)
{
	write_owner(text, strlen(text), 0644);
	return opened();
}

static void
skip_unless_root(void)
{
	if (geteuid() != 0) /* only root can give things away */
		skip();
#ifndef PEEK_HOOKS
	skip();
#endif
}

static void
whom_the_file_names(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");

	(void)state;
	skip_unless_root();
	assert_int_equal(opened(), 0); /* its own */
	assert_int_equal(chown(h.path, SOMEBODY, (gid_t)-1), 0);
	assert_int_equal(opened(), -EPERM);
	assert_int_equal(with("12345\n"), 0);
	assert_int_equal(with("12345"), 0);
	assert_int_equal(with("12346\n"), -EPERM);
	if (nobody != NULL) {
		assert_int_equal(with("nobody\n"), -EPERM);
		assert_int_equal(chown(h.path, nobody->pw_uid, (gid_t)-1), 0);
		assert_int_equal(with("nobody\n"), 0);
		assert_int_equal(with("no-such-user-of-a-test\n"), -EPERM);
		assert_int_equal(chown(h.path, SOMEBODY, (gid_t)-1), 0);
	}
	/* PEEK_OWNER and the file stand side by side */
	setenv("PEEK_OWNER", "12345", 1);
	assert_int_equal(with("12346\n"), 0);
	setenv("PEEK_OWNER", "12346", 1);
	assert_int_equal(with("12345\n"), 0);
	unsetenv("PEEK_OWNER");
	/* an owner does no more than that */
	assert_int_equal(chmod(h.path, 0620), 0);
	assert_int_equal(with("12345\n"), -EPERM);
	assert_int_equal(chmod(h.path, 0600), 0);
}

static void
what_the_file_must_not_say(void **state)
{
	static const char *const bad[] = {"", "\n", "12345 12346\n", "12345\n12346\n", " 12345\n",
	    "12345x", "-1", "0x3039", "4294967295", "4294979641" /* 2^32 + 12345 */};
	char large[400];

	(void)state;
	skip_unless_root();
	assert_int_equal(chown(h.path, SOMEBODY, (gid_t)-1), 0);
	assert_int_equal(with("12345"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(with(bad[i]), -EPERM);
	write_owner("12345\0x", 7, 0644);
	assert_int_equal(opened(), -EPERM);
	memset(large, '\n', sizeof(large));
	memcpy(large, "12345", 5);
	write_owner(large, sizeof(large), 0644);
	assert_int_equal(opened(), -EPERM);
}

/* The file is looked at, and its name looked up, when a handle is opened: a
 * read that attaches anew does neither. */
static void
who_was_named_at_open_stays(void **state)
{
	struct harness next;
	struct peek *p;
	char buf[8];

	(void)state;
	skip_unless_root();
	assert_int_equal(harness_set(&h, "k", 1, "1", 1), STORE_OK);
	write_owner("12345\n", 6, 0644);
	/* root's: nobody else had to be believed */
	assert_int_equal(peek_open(h.name, PEEK_NO_HINTS, &p), 0);
	unlink(path);
	unlink(h.path);
	harness_open_generation(&next, "owner", UINT64_C(4) << 20, false, 2);
	assert_int_equal(harness_set(&next, "k", 1, "22", 2), STORE_OK);
	assert_int_equal(chown(next.path, SOMEBODY, (gid_t)-1), 0);
	seq_hand_over(&h.map.header->count, word_load_rlx(&h.map.header->count) | COUNT_RETIRED);
	assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 2);
	write_owner("12346\n", 6, 0644);
	assert_int_equal(peek_get(p, "k", 1, buf, sizeof(buf)), 2);
	peek_close(p);
	harness_close(&next);
}

static void
whose_file_is_believed(void **state)
{
	static const mode_t believed[] = {0644, 0600, 0444},
			    not_believed[] = {0664, 0646, 0666, 0620, 0602};

	(void)state;
	skip_unless_root();
	assert_int_equal(chown(h.path, SOMEBODY, (gid_t)-1), 0);
	for (size_t i = 0; i < 3; i++) {
		write_owner("12345\n", 6, believed[i]);
		assert_int_equal(opened(), 0);
	}
	for (size_t i = 0; i < 5; i++) {
		write_owner("12345\n", 6, not_believed[i]);
		assert_int_equal(opened(), -EPERM);
	}
	write_owner("12345\n", 6, 0644);
	assert_int_equal(chown(path, SOMEBODY, (gid_t)-1), 0);
	assert_int_equal(opened(), -EPERM);
	write_owner("12345\n", 6, 0644);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(opened(), -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(opened(), -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0); /* and doesn't wait for a writer */
	assert_int_equal(opened(), -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(opened(), -EPERM);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(opened(), -EPERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(whom_the_file_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_the_file_must_not_say, setup, teardown),
	    cmocka_unit_test_setup_teardown(who_was_named_at_open_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(whose_file_is_believed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
