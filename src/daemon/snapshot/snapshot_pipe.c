/* snapshot_pipe.c: see snapshot_pipe.h. */
#include "daemon/snapshot/snapshot_pipe.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/snapshot/snapshot_file.h"

/* ---- the file's thread --------------------------------------------------- */

/*
 * The next frame to write; NULL: there will be none, or the job was cancelled.
 */
static struct snapshot_frame *
wait_full(struct snapshot_pipe *p)
{
	struct snapshot_frame *b = NULL;

	pthread_mutex_lock(&p->lock);
	while (p->n_got == p->n_put && !p->put_ended && !p->cancelled)
		pthread_cond_wait(&p->moved, &p->lock);
	if (p->n_got < p->n_put && !p->cancelled)
		b = &p->frame[p->n_got % SNAPSHOT_FRAMES];
	pthread_mutex_unlock(&p->lock);
	return b;
}

/* A frame to read into; NULL: the job was cancelled. */
static struct snapshot_frame *
wait_empty(struct snapshot_pipe *p)
{
	struct snapshot_frame *b = NULL;

	pthread_mutex_lock(&p->lock);
	while (p->n_put - p->n_got == SNAPSHOT_FRAMES && !p->cancelled)
		pthread_cond_wait(&p->moved, &p->lock);
	if (!p->cancelled)
		b = &p->frame[p->n_put % SNAPSHOT_FRAMES];
	pthread_mutex_unlock(&p->lock);
	return b;
}

static void
snapshot_pipe_finish(struct snapshot_pipe *p, int error, uint64_t file_bytes, uint64_t whole_items)
{
	pthread_mutex_lock(&p->lock);
	p->done = true;
	p->error = error;
	p->file_bytes = file_bytes;
	p->whole_items = whole_items;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

static bool
is_cancelled(struct snapshot_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	bool cancelled = p->cancelled;
	pthread_mutex_unlock(&p->lock);
	return cancelled;
}

static void *
write_file(void *arg)
{
	struct snapshot_pipe *p = arg;
	struct snapshot_writer *w = NULL;
	struct snapshot_frame *b;
	uint64_t file_bytes = 0;
	int r = snapshot_create(p->path, p->fd, p->compress, p->now_unix_s, p->n_items, &w);

	p->fd = -1;
	while (r == 0 && (b = wait_full(p)) != NULL) {
		r = snapshot_write(w, b->bytes, b->len, b->n_items);
		snapshot_pipe_got(p);
	}
	if (r == 0 && is_cancelled(p))
		r = -ECANCELED;
	if (r == 0)
		r = snapshot_commit(w, &file_bytes);
	else
		snapshot_abandon(w);
	snapshot_pipe_finish(p, r, file_bytes, 0);
	return NULL;
}

/* Reads the whole file without keeping it. Returns 0, or the error that it
 * found; *ret_items: items that are whole. */
static int
check_file(struct snapshot_pipe *p, struct snapshot_reader *reader, uint64_t *ret_items)
{
	const char *raw;
	uint32_t raw_bytes, n_items;
	int r;

	while ((r = snapshot_read(reader, &raw, &raw_bytes, &n_items)) == 1 && !is_cancelled(p))
		*ret_items += n_items;
	return r == 1 ? -ECANCELED : r;
}

static int
pass_on(struct snapshot_pipe *p, const char *raw, uint32_t raw_bytes, uint32_t n_items)
{
	struct snapshot_frame *b = wait_empty(p);

	if (b == NULL)
		return -ECANCELED;
	if (b->cap < raw_bytes) {
		char *larger = realloc(b->bytes, raw_bytes);

		if (larger == NULL)
			return -ENOMEM;
		b->bytes = larger;
		b->cap = raw_bytes;
	}
	memcpy(b->bytes, raw, raw_bytes);
	b->len = raw_bytes;
	b->n_items = n_items;
	snapshot_pipe_put(p);
	return 0;
}

static void *
read_file(void *arg)
{
	struct snapshot_pipe *p = arg;
	struct snapshot_reader *reader = NULL;
	uint64_t whole_items = 0, passed_items = 0;
	const char *raw;
	uint32_t raw_bytes, n_items;
	int r = snapshot_open(p->path, p->fd, &reader);

	p->fd = -1;
	if (r == 0) {
		pthread_mutex_lock(&p->lock);
		p->saved_unix_s = snapshot_saved_unix_s(reader);
		pthread_mutex_unlock(&p->lock);
		if (p->max_age_s > 0 && p->now_unix_s > p->saved_unix_s &&
		    p->now_unix_s - p->saved_unix_s > p->max_age_s)
			r = -ESTALE;
	}
	if (r == 0 && !p->partial) {
		r = check_file(p, reader, &whole_items);
		if (r == 0)
			r = snapshot_rewind(reader);
	}
	if (r == 0) {
		while ((r = snapshot_read(reader, &raw, &raw_bytes, &n_items)) == 1 &&
		    (r = pass_on(p, raw, raw_bytes, n_items)) == 0)
			passed_items += n_items;
		whole_items = passed_items;
	}
	snapshot_close(reader);
	snapshot_pipe_finish(p, r, 0, whole_items);
	return NULL;
}

static int
snapshot_pipe_start(struct snapshot_pipe *p, void *(*run)(void *))
{
	sigset_t all, before;
	int r;

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->moved, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the loop's thread takes the signals */
	r = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		pthread_cond_destroy(&p->moved);
		pthread_mutex_destroy(&p->lock);
	}
	return -r;
}

int
snapshot_pipe_write(struct snapshot_pipe *p)
{
	return snapshot_pipe_start(p, write_file);
}

int
snapshot_pipe_read(struct snapshot_pipe *p)
{
	p->reading = true;
	return snapshot_pipe_start(p, read_file);
}

/* ---- the loop's side ----------------------------------------------------- */

struct snapshot_frame *
snapshot_pipe_empty(struct snapshot_pipe *p)
{
	struct snapshot_frame *b = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->n_put - p->n_got < SNAPSHOT_FRAMES && !p->done)
		b = &p->frame[p->n_put % SNAPSHOT_FRAMES];
	pthread_mutex_unlock(&p->lock);
	return b;
}

void
snapshot_pipe_put(struct snapshot_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	p->n_put++;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

struct snapshot_frame *
snapshot_pipe_full(struct snapshot_pipe *p)
{
	struct snapshot_frame *b = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->n_got < p->n_put)
		b = &p->frame[p->n_got % SNAPSHOT_FRAMES];
	pthread_mutex_unlock(&p->lock);
	return b;
}

void
snapshot_pipe_got(struct snapshot_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	struct snapshot_frame *b = &p->frame[p->n_got % SNAPSHOT_FRAMES];
	b->len = b->n_items = 0;
	p->n_got++;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

void
snapshot_pipe_end(struct snapshot_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	p->put_ended = true;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

bool
snapshot_pipe_done(struct snapshot_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	bool done = p->done && (!p->reading || p->n_got == p->n_put);
	pthread_mutex_unlock(&p->lock);
	return done;
}

void
snapshot_pipe_wait(struct snapshot_pipe *p)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 100 * 1000 * 1000;
	if (until.tv_nsec >= 1000 * 1000 * 1000) {
		until.tv_nsec -= 1000 * 1000 * 1000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&p->lock);
	bool blocked = p->reading ? p->n_got == p->n_put
				  : p->put_ended || p->n_put - p->n_got == SNAPSHOT_FRAMES;
	if (blocked && !p->done)
		/* woken for nothing: the caller looks again */
		(void)pthread_cond_timedwait(&p->moved, &p->lock, &until);
	pthread_mutex_unlock(&p->lock);
}

void
snapshot_pipe_close(struct snapshot_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	p->cancelled = true;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->moved);
	pthread_mutex_destroy(&p->lock);
	for (unsigned i = 0; i < SNAPSHOT_FRAMES; i++)
		free(p->frame[i].bytes);
	free(p->path);
	*p = (struct snapshot_pipe){.path = NULL};
}
