/*
 * test_base.c: the helpers of src/base: the clock, the list by index and the
 * buffer that grows. number.h is tested with the words that are read by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/index_list.h"
#include "base/now.h"
#include "base/receive.h"
#include "unit/random.h"

/* ---- now.h --------------------------------------------------------------- */

static void
test_now_units(void **state)
{
	(void)state;
	int64_t ns = now_monotonic_ns(), us = now_monotonic_us(), ms = now_monotonic_ms();
	int64_t after_ns = now_monotonic_ns();

	assert_true(ns > 0);
	assert_in_range(us, ns / 1000, after_ns / 1000);
	assert_in_range(ms, ns / 1000000, after_ns / 1000000);
}

static void
test_now_takes_the_clock_that_is_named(void **state)
{
	(void)state;
	int64_t before_s = (int64_t)time(NULL), real_s = now_ns(CLOCK_REALTIME) / 1000000000;

	assert_in_range(real_s, before_s, before_s + 10);
	/* the boot's clock counts suspension too, the coarse one is behind */
	int64_t coarse_ns = now_ns(CLOCK_MONOTONIC_COARSE), monotonic_ns = now_monotonic_ns();
	assert_true(coarse_ns <= monotonic_ns);
	assert_true(now_ns(CLOCK_BOOTTIME) >= monotonic_ns);
}

/* ---- index_list.h -------------------------------------------------------- */

#define N_ELEMENTS 40

struct element {
	uint64_t before;
	struct index_link odd, even;
};

/* The indices of a list are these, read in both directions. */
static void
assert_list(
    const struct index_list *list, struct index_link *links, const uint32_t *expected, unsigned n)
{
	uint32_t i = list->first;

	for (unsigned k = 0; k < n; k++) {
		assert_int_equal(i, expected[k]);
		i = index_link_of(links, sizeof(struct element), i)->next;
	}
	assert_int_equal(i, INDEX_NONE);
	i = list->last;
	for (unsigned k = n; k-- > 0;) {
		assert_int_equal(i, expected[k]);
		i = index_link_of(links, sizeof(struct element), i)->prev;
	}
	assert_int_equal(i, INDEX_NONE);
}

static void
test_list_keeps_its_order(void **state)
{
	(void)state;
	struct element e[4] = {{.before = 1}};
	struct index_list list = INDEX_LIST_EMPTY;
	struct index_link *links = &e->odd;

	assert_list(&list, links, NULL, 0);
	for (uint32_t i = 0; i < 4; i++)
		index_list_append(&list, links, sizeof(*e), 3 - i);
	assert_list(&list, links, (const uint32_t[]){3, 2, 1, 0}, 4);
	index_list_remove(&list, links, sizeof(*e), 2); /* from between */
	assert_list(&list, links, (const uint32_t[]){3, 1, 0}, 3);
	index_list_remove(&list, links, sizeof(*e), 3); /* the first */
	assert_list(&list, links, (const uint32_t[]){1, 0}, 2);
	index_list_remove(&list, links, sizeof(*e), 0); /* the last */
	assert_list(&list, links, (const uint32_t[]){1}, 1);
	index_list_remove(&list, links, sizeof(*e), 1); /* the only one */
	assert_list(&list, links, NULL, 0);
	index_list_append(&list, links, sizeof(*e), 2);
	assert_list(&list, links, (const uint32_t[]){2}, 1);
	assert_int_equal(e[0].before, 1);
}

/* Two lists over one array don't touch each other's links. Each is compared
 * with a plain array after every step. */
static void
test_list_random(void **state)
{
	(void)state;
	struct element e[N_ELEMENTS] = {{0}};
	struct index_list list[2] = {INDEX_LIST_EMPTY, INDEX_LIST_EMPTY};
	struct index_link *links[2] = {&e->odd, &e->even};
	uint32_t plain[2][N_ELEMENTS];
	unsigned n[2] = {0, 0};
	uint64_t seed = 16;

	for (unsigned step = 0; step < 5000; step++) {
		unsigned which = (unsigned)(next_random(&seed) & 1), at = 0;
		uint32_t i = (uint32_t)(next_random(&seed) % N_ELEMENTS);

		while (at < n[which] && plain[which][at] != i)
			at++;
		if (at == n[which]) {
			index_list_append(&list[which], links[which], sizeof(*e), i);
			plain[which][n[which]++] = i;
		} else {
			index_list_remove(&list[which], links[which], sizeof(*e), i);
			memmove(&plain[which][at], &plain[which][at + 1],
			    (--n[which] - at) * sizeof(plain[which][0]));
		}
		for (unsigned k = 0; k < 2; k++)
			assert_list(&list[k], links[k], plain[k], n[k]);
	}
}

/* ---- buffer.h ------------------------------------------------------------ */

static void
test_buffer_doubles(void **state)
{
	(void)state;
	char *buf = NULL;
	size_t cap = 0;

	assert_int_equal(buffer_grow(&buf, &cap, 1, 16), 0);
	assert_int_equal(cap, 16);
	memset(buf, 'a', cap);
	assert_int_equal(buffer_grow(&buf, &cap, 16, 16), 0); /* it has so much */
	assert_int_equal(cap, 16);
	assert_int_equal(buffer_grow(&buf, &cap, 17, 16), 0);
	assert_int_equal(cap, 32);
	assert_int_equal(buffer_grow(&buf, &cap, 100, 16), 0);
	assert_int_equal(cap, 128);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(buf[i], 'a');
	free(buf);
}

static void
test_buffer_refuses_what_cannot_be(void **state)
{
	(void)state;
	char *buf = NULL;
	size_t cap = 0;

	assert_int_equal(buffer_grow(&buf, &cap, SIZE_MAX, 16), -ENOMEM);
	assert_null(buf);
	assert_int_equal(cap, 0);
	assert_int_equal(buffer_grow(&buf, &cap, 10, 16), 0);
	char *kept = buf;
	buf[9] = 'z';
	assert_int_equal(buffer_grow(&buf, &cap, SIZE_MAX / 2 + 2, 16), -ENOMEM);
	assert_ptr_equal(buf, kept);
	assert_int_equal(cap, 16);
	assert_int_equal(buf[9], 'z');
	free(buf);
}

/* A peer may send several descriptors, at once and one after another: the first
 * one is taken, and each other one is closed. */
static void
test_receive_takes_one_descriptor(void **state)
{
	int pair[2], end[2], fd = -1;
	char bytes[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(end), 0);
	assert_int_equal(receive_with_fd(pair[0], bytes, sizeof(bytes), &fd), -1);
	assert_int_equal(errno, EAGAIN);
	for (unsigned i = 0; i < 2; i++) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
		struct iovec iov = {"ab", 2};
		struct msghdr msg = {.msg_iov = &iov,
		    .msg_iovlen = 1,
		    .msg_control = control,
		    .msg_controllen = sizeof(control)};
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), (int[2]){end[1], end[1]}, 2 * sizeof(int));
		assert_int_equal(sendmsg(pair[1], &msg, 0), 2);
		assert_int_equal(receive_with_fd(pair[0], bytes, sizeof(bytes), &fd), 2);
	}
	assert_true(fd > STDERR_FILENO);
	/* The pipe ends once its last writer goes: none but fd is left. */
	close(end[1]);
	assert_int_equal(fcntl(end[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(end[0], bytes, 1), -1);
	close(fd);
	assert_int_equal(read(end[0], bytes, 1), 0);
	close(end[0]);
	close(pair[1]);
	assert_int_equal(receive_with_fd(pair[0], bytes, sizeof(bytes), &fd), 0);
	close(pair[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_now_units),
	    cmocka_unit_test(test_now_takes_the_clock_that_is_named),
	    cmocka_unit_test(test_list_keeps_its_order),
	    cmocka_unit_test(test_list_random),
	    cmocka_unit_test(test_buffer_doubles),
	    cmocka_unit_test(test_buffer_refuses_what_cannot_be),
	    cmocka_unit_test(test_receive_takes_one_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
