/*
 * run.c: the timed loops. All peers get the same keys and values in the same
 * order. The first and last bytes of every value are checked; after the filling
 * every value is checked as a whole.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../payload.h"
#include "../timer.h"
#include "run.h"

#define READERS 2

struct command {
	enum workload what;
	uint64_t n_ops;
};

static struct peer *peer;
static const struct sequences *seqs;
static unsigned char *values; /* BATCH of them */
static uint32_t version;

bool
run_offers(const struct peer *p, enum workload w)
{
	switch (w) {
	case MANY:
		return p->get_many != NULL;
	case VIEW:
		return p->view != NULL;
	case SET:
		return p->set != NULL;
	case SET_MANY:
		return p->set_many != NULL;
	case READ2:
		return (p->flags & PEER_SHARED) != 0;
	default:
		return true;
	}
}

int
sequences_make(struct sequences *s, uint64_t n_ops, double zipf_alpha)
{
	struct sequence *all[] = {&s->uniform, &s->zipf, &s->miss};
	struct rng rng = {2024};
	struct zipf z;

	zipf_init(&z, (uint32_t)peer_conf.n_keys, zipf_alpha);
	for (unsigned i = 0; i < 3; i++) {
		struct sequence *q = all[i];
		q->n_ops = n_ops;
		q->ids = malloc(n_ops * sizeof(*q->ids));
		q->keys = malloc(n_ops * peer_conf.key_bytes);
		if (q->ids == NULL || q->keys == NULL)
			return -ENOMEM;
		for (uint64_t j = 0; j < n_ops; j++) {
			uint32_t id = rng_below(&rng, (uint32_t)peer_conf.n_keys);
			if (q == &s->zipf) /* popular keys lie anywhere */
				id = (uint32_t)(rng_mix(zipf_next(&z, &rng)) % peer_conf.n_keys);
			if (q == &s->miss)
				id += (uint32_t)peer_conf.n_keys;
			q->ids[j] = id;
			payload_key(q->keys + j * peer_conf.key_bytes, peer_conf.key_bytes, id);
		}
	}
	return 0;
}

/* ---- in the peer's process ----------------------------------------------- */

/* The last whole word of a value, given its first. */
static inline bool
ends_ok(uint64_t first, uint64_t last, uint32_t id)
{
	uint64_t tag = payload_tag(id);
	uint32_t i = peer_conf.value_bytes / 8 - 1;

	return (first ^ tag) <= UINT32_MAX &&
	    (i == 0 ? last == first : last == payload_word(tag, (uint32_t)(first ^ tag), i));
}

static inline bool
value_ok(const unsigned char *value, uint32_t id)
{
	uint64_t first, last;

	memcpy(&first, value, 8);
	memcpy(&last, value + (peer_conf.value_bytes / 8 - 1) * 8, 8);
	return ends_ok(first, last, id);
}

static void
loop_get(const struct sequence *q, uint64_t from, uint64_t n, struct run_reply *r)
{
	const unsigned char *key = q->keys + from * peer_conf.key_bytes;
	ssize_t (*get)(const void *, void *) = peer->get;

	for (uint64_t i = from; i < from + n; i++, key += peer_conf.key_bytes) {
		if (get(key, values) != (ssize_t)peer_conf.value_bytes)
			r->missed++;
		else if (!value_ok(values, q->ids[i]))
			r->wrong++;
	}
}

static void
loop_miss(const struct sequence *q, uint64_t n, struct run_reply *r)
{
	const unsigned char *key = q->keys;
	ssize_t (*get)(const void *, void *) = peer->get;

	for (uint64_t i = 0; i < n; i++, key += peer_conf.key_bytes)
		r->missed += get(key, values) >= 0;
}

static void
loop_many(const struct sequence *q, uint64_t n, struct run_reply *r)
{
	for (uint64_t i = 0; i + BATCH <= n; i += BATCH) {
		r->missed +=
		    BATCH - peer->get_many(q->keys + i * peer_conf.key_bytes, BATCH, values);
		for (unsigned j = 0; j < BATCH; j++)
			r->wrong +=
			    !value_ok(values + (size_t)j * peer_conf.value_bytes, q->ids[i + j]);
	}
}

static void
loop_view(const struct sequence *q, uint64_t n, struct run_reply *r)
{
	uint64_t first, last;

	for (uint64_t i = 0; i < n; i++) {
		if (!peer->view(q->keys + i * peer_conf.key_bytes, &first, &last))
			r->missed++;
		else
			r->wrong += !ends_ok(first, last, q->ids[i]);
	}
}

static void
loop_set(const struct sequence *q, uint64_t n, struct run_reply *r)
{
	version++;
	for (uint64_t i = 0; i < n; i++) {
		payload_value(values, peer_conf.value_bytes, q->ids[i], version);
		r->missed += peer->set(q->keys + i * peer_conf.key_bytes, values) != 0;
	}
}

static void
loop_set_many(const struct sequence *q, uint64_t n, struct run_reply *r)
{
	version++;
	for (uint64_t i = 0; i + BATCH <= n; i += BATCH) {
		for (unsigned j = 0; j < BATCH; j++)
			payload_value(values + (size_t)j * peer_conf.value_bytes,
			    peer_conf.value_bytes, q->ids[i + j], version);
		r->missed += peer->set_many(q->keys + i * peer_conf.key_bytes, BATCH, values) != 0;
	}
}

/* Two children read different stretches at the same time; each warms up its
 * page tables first. */
static double
two_readers(uint64_t n, struct run_reply *r)
{
	struct shared {
		_Atomic uint32_t n_ready;
		double ns[READERS];
		struct run_reply reply[READERS];
	} *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[READERS];
	double rate = 0;

	if (sh == MAP_FAILED)
		return 0;
	for (unsigned i = 0; i < READERS; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (peer->child != NULL)
			peer->child();
		loop_get(&seqs->uniform, 0, n, &sh->reply[i]);
		atomic_fetch_add(&sh->n_ready, 1);
		while (atomic_load(&sh->n_ready) < READERS)
			sched_yield();
		uint64_t begin_ns = timer_clock_ns();
		loop_get(&seqs->uniform, i * (seqs->uniform.n_ops - n) / (READERS - 1), n,
		    &sh->reply[i]);
		sh->ns[i] = (double)(timer_clock_ns() - begin_ns) / (double)n;
		_exit(0);
	}
	for (unsigned i = 0; i < READERS; i++) {
		int status = 1;
		if (pid[i] < 0 || waitpid(pid[i], &status, 0) < 0 || status != 0) {
			r->error = -ECHILD;
			atomic_fetch_add(&sh->n_ready, READERS);
			continue;
		}
		rate += 1 / sh->ns[i];
		r->wrong += sh->reply[i].wrong;
		r->missed += sh->reply[i].missed;
	}
	munmap(sh, sizeof(*sh));
	return 1 / rate;
}

static struct run_reply
run_execute(const struct command *c)
{
	struct run_reply r = {0};
	uint64_t begin_ns = timer_clock_ns();

	switch (c->what) {
	case GET:
		loop_get(&seqs->uniform, 0, c->n_ops, &r);
		break;
	case ZIPF:
		loop_get(&seqs->zipf, 0, c->n_ops, &r);
		break;
	case MISS:
		loop_miss(&seqs->miss, c->n_ops, &r);
		break;
	case MANY:
		loop_many(&seqs->uniform, c->n_ops, &r);
		break;
	case VIEW:
		loop_view(&seqs->uniform, c->n_ops, &r);
		break;
	case SET:
		loop_set(&seqs->uniform, c->n_ops, &r);
		break;
	case SET_MANY:
		loop_set_many(&seqs->uniform, c->n_ops, &r);
		break;
	case READ2:
		r.ns = two_readers(c->n_ops, &r);
		return r;
	case N_WORKLOADS:
		break;
	}
	r.ns = (double)(timer_clock_ns() - begin_ns) / (double)c->n_ops;
	return r;
}

static int
run_fill(void)
{
	unsigned char *keys = malloc((size_t)BATCH * peer_conf.key_bytes);

	if (keys == NULL)
		return -ENOMEM;
	for (uint64_t id = 0; id < peer_conf.n_keys;) {
		unsigned n = 0;
		for (; n < BATCH && id < peer_conf.n_keys; n++, id++) {
			payload_key(
			    keys + (size_t)n * peer_conf.key_bytes, peer_conf.key_bytes, id);
			payload_value(values + (size_t)n * peer_conf.value_bytes,
			    peer_conf.value_bytes, id, 0);
		}
		int rc = 0;
		if (peer->set_many != NULL)
			rc = peer->set_many(keys, n, values);
		else
			for (unsigned i = 0; i < n && rc == 0; i++)
				rc = peer->set(keys + (size_t)i * peer_conf.key_bytes,
				    values + (size_t)i * peer_conf.value_bytes);
		if (rc != 0)
			return rc;
	}
	for (uint64_t id = 0; id < peer_conf.n_keys;
	     id += (peer->flags & PEER_SOCKET) != 0 ? 101 : 1) {
		payload_key(keys, peer_conf.key_bytes, id);
		if (peer->get(keys, values) != (ssize_t)peer_conf.value_bytes ||
		    !payload_ok(values, peer_conf.value_bytes, id))
			return -EILSEQ;
	}
	free(keys);
	return 0;
}

static _Noreturn void
run_serve(int from, int to)
{
	struct run_reply r = {0};
	struct command c;

	values = aligned_alloc(64, ((size_t)BATCH * peer_conf.value_bytes + 63) & ~(size_t)63);
	r.error = values == NULL ? -ENOMEM : peer->open();
	bool opened = r.error == 0;
	if (opened)
		r.error = run_fill();
	while (write(to, &r, sizeof(r)) == sizeof(r) && read(from, &c, sizeof(c)) == sizeof(c))
		r = run_execute(&c);
	if (opened && peer->close != NULL)
		peer->close();
	_exit(0);
}

/* ---- in the driver's process --------------------------------------------- */

int
run_start(struct worker *w, struct peer *p, const struct sequences *s)
{
	int down[2], up[2];

	if (pipe(down) != 0)
		return -errno;
	if (pipe(up) != 0) {
		close(down[0]);
		close(down[1]);
		return -EMFILE;
	}
	*w = (struct worker){.peer = p, .to = down[1], .from = up[0]};
	w->pid = fork();
	if (w->pid == 0) {
		/* the driver's end is ours: we read the end of the pipe, and
		 * close the peer */
		signal(SIGINT, SIG_IGN);
		close(down[1]);
		close(up[0]);
		for (int fd = 3; fd < 256; fd++)
			if (fd != down[0] && fd != up[1])
				close(fd); /* the other peers' pipes */
		peer = p;
		seqs = s;
		run_serve(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	return w->pid < 0 ? -EAGAIN : 0;
}

struct run_reply
run_ready(struct worker *w)
{
	struct run_reply r;

	if (read(w->from, &r, sizeof(r)) != sizeof(r))
		return (struct run_reply){.error = -ECHILD};
	return r;
}

struct run_reply
run_once(struct worker *w, enum workload what, uint64_t n_ops)
{
	struct command c;

	memset(&c, 0, sizeof(c));
	c.what = what;
	c.n_ops = n_ops;
	if (write(w->to, &c, sizeof(c)) != sizeof(c))
		return (struct run_reply){.error = -EPIPE};
	return run_ready(w);
}

void
run_end(struct worker *w)
{
	close(w->to);
	close(w->from);
	waitpid(w->pid, NULL, 0);
}
