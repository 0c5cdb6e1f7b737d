/* snapshot.c: see snapshot.h. snapshot_pipe.c has the file's thread,
 * snapshot_file.c the format. */
#include "daemon/snapshot/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "daemon/snapshot/snapshot_file.h"
#include "daemon/snapshot/snapshot_pipe.h"

#define SLICE_BUCKETS 4096 /* an empty bucket costs little, but not nothing */
#define BATCH_KEYS    (CHAIN_LINES_MAX * BUCKET_SLOTS)

/* snapshot.cursor of a save whose last frame is with the file's thread */
#define SAVE_ENDED UINT64_MAX

struct snapshot {
	struct store *store;
	bool compress;
	unsigned how; /* of a load */
	struct snapshot_result result;
	struct snapshot_pipe pipe; /* while a job is under way */
	/* of a save: the bucket before `cursor` has these keys, of which n_done
	 * are saved */
	uint64_t cursor;
	bool walked; /* `cursor` has come to the end */
	unsigned n_keys, n_done;
	struct {
		unsigned char bytes[ITEM_KEY_MAX];
		uint32_t len;
	} key[BATCH_KEYS];
	/* of a load: bytes of the current frame that are done */
	uint32_t at;
	bool is_bad; /* the frame's items are damaged, though its checksum is right */
};

int
snapshot_new(struct store *store, bool compress, struct snapshot **ret)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->store = store;
	s->compress = compress;
	*ret = s;
	return 0;
}

bool
snapshot_is_busy(const struct snapshot *s)
{
	return s->result.state == SNAPSHOT_SAVING || s->result.state == SNAPSHOT_LOADING;
}

void
snapshot_cancel(struct snapshot *s)
{
	if (!snapshot_is_busy(s))
		return;
	snapshot_pipe_close(&s->pipe);
	s->result.state = SNAPSHOT_FAILED;
	s->result.error = -ECANCELED;
}

void
snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	snapshot_cancel(s);
	free(s);
}

const struct snapshot_result *
snapshot_result(const struct snapshot *s)
{
	return &s->result;
}

/* ---- jobs ---------------------------------------------------------------- */

static int64_t
snapshot_begin(struct snapshot *s, const struct snapshot_source *file,
    const struct snapshot_pipe *pipe, enum snapshot_state state)
{
	int r = 0;

	if (snapshot_is_busy(s))
		r = -EBUSY;
	else if (file->fd < 0 && file->path[0] != '/')
		r = -EINVAL;
	else {
		s->pipe = *pipe;
		s->pipe.fd = file->fd;
		s->pipe.path = strdup(file->path);
		if (s->pipe.path == NULL)
			r = -ENOMEM;
	}
	if (r == 0) {
		s->cursor = 0;
		s->walked = s->is_bad = false;
		s->n_keys = s->n_done = 0;
		s->at = 0;
		r = state == SNAPSHOT_SAVING ? snapshot_pipe_write(&s->pipe)
					     : snapshot_pipe_read(&s->pipe);
		if (r != 0) {
			free(s->pipe.path);
			s->pipe = (struct snapshot_pipe){.path = NULL};
		}
	}
	if (r != 0) {
		if (file->fd >= 0)
			close(file->fd);
		return r;
	}
	s->result = (struct snapshot_result){.job = s->result.job + 1, .state = state};
	return (int64_t)s->result.job;
}

int64_t
snapshot_save(struct snapshot *s, const struct snapshot_source *to, int64_t now_unix_s)
{
	uint64_t stat[SHM_STAT_N];

	store_stats(s->store, 0, stat);
	const struct snapshot_pipe pipe = {
	    .compress = s->compress,
	    .now_unix_s = (uint64_t)now_unix_s,
	    .n_items = stat[SHM_STAT_CURR_ITEMS],
	};
	return snapshot_begin(s, to, &pipe, SNAPSHOT_SAVING);
}

int64_t
snapshot_load(
    struct snapshot *s, const struct snapshot_source *from, unsigned how, int64_t now_unix_s)
{
	const struct snapshot_pipe pipe = {
	    .partial = (how & SNAPSHOT_PARTIAL) != 0,
	    .now_unix_s = (uint64_t)now_unix_s,
	    .max_age_s = from->max_age_s,
	};

	if (!snapshot_is_busy(s))
		s->how = how;
	return snapshot_begin(s, from, &pipe, SNAPSHOT_LOADING);
}

static enum snapshot_pace
snapshot_end(struct snapshot *s)
{
	struct snapshot_result *r = &s->result;
	bool partial = r->state == SNAPSHOT_LOADING && (s->how & SNAPSHOT_PARTIAL) != 0;

	r->error = s->is_bad ? -EBADMSG : s->pipe.error;
	r->file_bytes = s->pipe.file_bytes;
	r->whole_items = s->pipe.whole_items;
	r->saved_unix_s = s->pipe.saved_unix_s;
	snapshot_pipe_close(&s->pipe);
	if (r->error != 0 &&
	    !(partial && (r->error == -EBADMSG || r->error == -ENODATA) &&
		r->items + r->expired + r->kept + r->refused > 0))
		r->state = SNAPSHOT_FAILED;
	else
		r->state = r->state == SNAPSHOT_SAVING ? SNAPSHOT_SAVED : SNAPSHOT_LOADED;
	return SNAPSHOT_IDLE;
}

/* ---- saving -------------------------------------------------------------- */

static void
collect_key(void *arg, const struct store_item *item, const void *key, uint32_t key_len)
{
	struct snapshot *s = arg;

	(void)item;
	if (s->n_keys == BATCH_KEYS)
		return;
	memcpy(s->key[s->n_keys].bytes, key, key_len);
	s->key[s->n_keys++].len = key_len;
}

/* Finds room for n more bytes at the end of a frame. A frame that has items and
 * no room for another is handed over first. */
static char *
room_for(struct snapshot *s, uint32_t n, struct snapshot_frame **ret)
{
	struct snapshot_frame *b = snapshot_pipe_empty(&s->pipe);

	if (b != NULL && b->n_items > 0 && b->cap - b->len < n) {
		snapshot_pipe_put(&s->pipe);
		b = snapshot_pipe_empty(&s->pipe);
	}
	if (b == NULL)
		return NULL;
	if (b->cap - b->len < n) {
		uint32_t cap = n > SNAPSHOT_FRAME_BYTES ? n : SNAPSHOT_FRAME_BYTES;
		char *larger = realloc(b->bytes, cap);

		if (larger == NULL)
			return NULL;
		b->bytes = larger;
		b->cap = cap;
	}
	*ret = b;
	return b->bytes + b->len;
}

/* The winner's mark is saved too: without it the empty item of a lease would
 * come back as an empty value. */
static uint32_t
marks_to_file(uint32_t state)
{
	return ((state & ITEM_KEY_B64) != 0 ? SNAPSHOT_KEY_B64 : 0) |
	    ((state & ITEM_STALE) != 0 ? SNAPSHOT_STALE : 0) |
	    ((state & ITEM_WON) != 0 ? SNAPSHOT_WON : 0) |
	    ((state & ITEM_TAGS) != 0 ? SNAPSHOT_TAGS : 0);
}

static uint32_t
marks_of_file(uint32_t state)
{
	return ((state & SNAPSHOT_KEY_B64) != 0 ? ITEM_KEY_B64 : 0) |
	    ((state & SNAPSHOT_STALE) != 0 ? ITEM_STALE : 0) |
	    ((state & SNAPSHOT_WON) != 0 ? ITEM_WON : 0) |
	    ((state & SNAPSHOT_TAGS) != 0 ? ITEM_TAGS : 0);
}

/* Saves one item as it is now; an item that has gone meanwhile is skipped.
 * False: not now. */
static bool
save_item(struct snapshot *s, unsigned i, uint32_t now_s, int64_t now_unix_s, uint32_t *ret_bytes)
{
	struct store_key key = {
	    s->key[i].bytes, s->key[i].len, store_hash(s->store, s->key[i].bytes, s->key[i].len)};
	struct snapshot_frame *b;
	struct store_item item;
	char *to;

	*ret_bytes = 0;
	if (!store_find(s->store, &key, now_s, &item, NULL))
		return true;
	to = room_for(s, SNAPSHOT_HEAD_MAX + key.len + item.value_bytes, &b);
	if (to == NULL)
		return false;
	struct snapshot_item out = {
	    .expiry_unix_s =
		item.expiry_s == 0 ? 0 : (uint64_t)(now_unix_s + (int64_t)(item.expiry_s - now_s)),
	    .flags = item.flags,
	    .value_bytes = item.value_bytes,
	    .key_bytes = key.len,
	    .state = marks_to_file(item.state),
	    .tags = item.tags,
	    .key = key.bytes,
	};
	uint32_t head = snapshot_put_item(to, &out);
	if (item.value_bytes > 0)
		store_read(s->store, &item, 0, item.value_bytes, to + head);
	*ret_bytes = head + item.value_bytes;
	b->len += *ret_bytes;
	CHECK(b->len <= b->cap);
	b->n_items++;
	s->result.items++;
	return true;
}

static enum snapshot_pace
save_slice(struct snapshot *s, uint32_t now_s, int64_t now_unix_s)
{
	uint32_t n_items = 0, n_bytes = 0, n_buckets = 0, item_bytes;

	while (n_items < SNAPSHOT_SLICE_ITEMS && n_bytes < SNAPSHOT_SLICE_BYTES &&
	    n_buckets < SLICE_BUCKETS) {
		if (s->n_done < s->n_keys) {
			if (!save_item(s, s->n_done, now_s, now_unix_s, &item_bytes))
				return SNAPSHOT_WAIT;
			s->n_done++;
			n_items++;
			n_bytes += item_bytes;
			continue;
		}
		if (s->walked) {
			struct snapshot_frame *b = snapshot_pipe_empty(&s->pipe);

			if (b == NULL)
				return SNAPSHOT_WAIT;
			if (b->n_items > 0)
				snapshot_pipe_put(&s->pipe);
			snapshot_pipe_end(&s->pipe);
			s->walked = false;
			s->n_keys = s->n_done = 0;
			s->cursor = SAVE_ENDED;
			return SNAPSHOT_WAIT;
		}
		s->n_keys = s->n_done = 0;
		s->cursor = store_walk(s->store, s->cursor, now_s, collect_key, s);
		s->walked = s->cursor == 0;
		n_buckets++;
	}
	return SNAPSHOT_MORE;
}

/* ---- loading ------------------------------------------------------------- */

static void
load_item(struct snapshot *s, const struct snapshot_item *in, uint32_t now_s, int64_t now_unix_s)
{
	struct store_put put = {
	    .key = {in->key, in->key_bytes, store_hash(s->store, in->key, in->key_bytes)},
	    .mode = (s->how & SNAPSHOT_KEEP) != 0 ? STORE_ADD : STORE_SET,
	    .value = in->value,
	    .value_bytes = in->value_bytes,
	    .flags = in->flags,
	    .state = marks_of_file(in->state),
	    .tags = in->tags,
	};
	struct store_item item;
	uint64_t cas;

	if (in->expiry_unix_s != 0) {
		int64_t left_s = in->expiry_unix_s < INT64_MAX
		    ? (int64_t)in->expiry_unix_s - now_unix_s
		    : UINT32_MAX;

		if (left_s <= 0) {
			s->result.expired++;
			return;
		}
		put.expiry_s =
		    left_s < UINT32_MAX - (int64_t)now_s ? now_s + (uint32_t)left_s : UINT32_MAX;
	}
	/* asked first, because add counts as a read of an item that is there */
	if (put.mode == STORE_ADD && store_find(s->store, &put.key, now_s, &item, NULL)) {
		s->result.kept++;
		return;
	}
	if (store_put(s->store, &put, now_s, &cas) == STORE_OK)
		s->result.items++;
	else
		s->result.refused++;
}

static enum snapshot_pace
load_slice(struct snapshot *s, uint32_t now_s, int64_t now_unix_s)
{
	struct snapshot_frame *b = snapshot_pipe_full(&s->pipe);
	struct snapshot_item item;
	uint32_t n_items = 0, n_bytes = 0, taken;

	if (b == NULL)
		return SNAPSHOT_WAIT;
	while (n_items < SNAPSHOT_SLICE_ITEMS && n_bytes < SNAPSHOT_SLICE_BYTES && s->at < b->len &&
	    !s->is_bad) {
		taken = snapshot_get_item(b->bytes + s->at, b->len - s->at, &item);
		if (taken == 0) {
			s->is_bad = true;
			break;
		}
		load_item(s, &item, now_s, now_unix_s);
		s->at += taken;
		n_bytes += taken;
		n_items++;
	}
	if (s->at >= b->len) {
		s->at = 0;
		snapshot_pipe_got(&s->pipe);
	}
	return SNAPSHOT_MORE;
}

enum snapshot_pace
snapshot_step(struct snapshot *s, uint32_t now_s, int64_t now_unix_s)
{
	enum snapshot_pace pace;

	if (!snapshot_is_busy(s))
		return SNAPSHOT_IDLE;
	if (snapshot_pipe_done(&s->pipe) || s->is_bad)
		return snapshot_end(s);
	if (s->result.state == SNAPSHOT_LOADING)
		pace = load_slice(s, now_s, now_unix_s);
	else
		pace = s->cursor == SAVE_ENDED ? SNAPSHOT_WAIT : save_slice(s, now_s, now_unix_s);
	return pace;
}

void
snapshot_wait(struct snapshot *s)
{
	if (snapshot_is_busy(s))
		snapshot_pipe_wait(&s->pipe);
}
