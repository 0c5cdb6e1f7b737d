/*
 * robust_reader.c: a process that reads through shared memory with every call there is, and believes nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "peek.h"
#include "proc/robust_peer.h"

#define GROUP 8

static char buf[GROUP][PEER_VALUE_MAX];
static uint64_t last[PEER_KEYS];

static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
raise_to(_Atomic uint64_t *max, uint64_t v)
{
	uint64_t was = *max;

	while (v > was && !atomic_compare_exchange_weak(max, &was, v))
		;
}

static void
tell(struct peer_shared *sh, const char *what, uint32_t key, long long n, uint64_t state, uint64_t floor, unsigned form)
{
	snprintf(sh->why, sizeof(sh->why), "%s: key %u answer %lld state %llu, acknowledged %llu, read before %llu, call %u", what, key, n,
	    (unsigned long long)state, (unsigned long long)floor, (unsigned long long)last[key], form);
}

/* floor: what had been acknowledged before the read began; 0 if it was taken back since. */
static void
judge(struct peer_shared *sh, uint32_t key, const char *value, ssize_t n, uint64_t floor, unsigned form)
{
	sh->reads++;
	if (n == -EAGAIN) {
		sh->again++;
	} else if (n == -ENOENT) {
		if (key < PEER_STABLE && !sh->evicting && floor > 0) {
			sh->missed++;
			tell(sh, "missed", key, n, 0, floor, form);
		}
	} else if (n < 0) {
		sh->failed++;
		tell(sh, "error", key, n, 0, floor, form);
	} else {
		uint64_t state = peer_state(key, value, (size_t)n);
		if (state == PEER_DAMAGED) {
			sh->wrong++;
			tell(sh, "wrong", key, n, 0, floor, form);
			return;
		}
		if (state < floor || ((key < PEER_STABLE || key >= PEER_GROWING) && state < last[key])) {
			sh->stale++;
			tell(sh, "stale", key, n, state, floor, form);
		}
		last[key] = state;
	}
}

static ssize_t
read_view(struct peek *p, const char *text, size_t len, char *to)
{
	struct peek_view v;
	int r = peek_view(p, text, len, &v);

	if (r == -ENOTSUP)
		return peek_get(p, text, len, to, PEER_VALUE_MAX);
	if (r != 0)
		return r;
	if (v.len > PEER_VALUE_MAX)
		return peek_view_valid(p, &v) ? -EIO : -EAGAIN;
	memcpy(to, v.data, v.len);
	return peek_view_valid(p, &v) ? (ssize_t)v.len : -EAGAIN;
}

_Noreturn void
peer_read_forever(struct peer_shared *sh, const char *name, unsigned open_flags, unsigned seed)
{
	char text[GROUP][64];
	struct peek_op op[GROUP];
	uint64_t anew[GROUP], floor[GROUP];
	uint32_t key[GROUP];
	struct peek_info info;
	struct peek *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (peek_open(name, open_flags, &p) != 0) { /* before, during or after creation */
		if (sh->stop)
			_exit(0);
		usleep(1000);
	}
	for (uint32_t i = 0; !sh->stop; i++) {
		unsigned form = i % 8, n = form == 3 ? GROUP : 1;
		for (unsigned k = 0; k < n; k++) {
			uint32_t r = (uint32_t)rand_r(&seed);
			key[k] = r % 4 == 0 ? (r >> 3) % PEER_KEYS : (r >> 3) % PEER_FLEETING;
			anew[k] = sh->begun_anew[key[k]]; /* before the floor */
			floor[k] = sh->floor[key[k]];
			op[k] = (struct peek_op){text[k], peer_key(key[k], text[k]), buf[k], PEER_VALUE_MAX, 0};
		}
		uint64_t cpu = cpu_ns(), begun = peer_now_ns();
		if (form == 3)
			peek_mget(p, op, n);
		else if (form == 5)
			op[0].result = peek_get_info(p, op[0].key, op[0].key_len, buf[0], PEER_VALUE_MAX, &info);
		else if (form == 7)
			op[0].result = read_view(p, op[0].key, op[0].key_len, buf[0]);
		else
			op[0].result = peek_get(p, op[0].key, op[0].key_len, buf[0], PEER_VALUE_MAX);
		raise_to(&sh->longest_ns, (peer_now_ns() - begun) / n);
		raise_to(&sh->longest_cpu_ns, (cpu_ns() - cpu) / n);
		for (unsigned k = 0; k < n; k++)
			judge(sh, key[k], buf[k], op[k].result, sh->begun_anew[key[k]] == anew[k] ? floor[k] : 0, form);
	}
	peek_close(p);
	_exit(0);
}
