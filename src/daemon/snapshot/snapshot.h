/*
 * snapshot.h: saves the cache to a file and loads it from one, in slices
 * between requests.
 *
 * One job runs at a time. A thread of the job's own compresses, checks, reads
 * and writes, because all of that may wait for a disk. The thread touches
 * frames of bytes alone. snapshot_step walks and fills the store on the loop's
 * thread: in one call at most SNAPSHOT_SLICE_ITEMS and SNAPSHOT_SLICE_BYTES and
 * one item more, which takes a few hundred microseconds.
 *
 * A save covers every item that is there from the first slice to the last, each
 * as it is when the walk passes it: with its client flags, its time to live as
 * a moment in Unix time, and its stale mark. An item that changes place
 * meanwhile may be saved twice; the later one counts. CAS ids are not kept:
 * loaded items get new ones.
 */
#ifndef PEEKD_SNAPSHOT_H
#define PEEKD_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/store.h"
#include "wire/wire.h"

#define SNAPSHOT_SLICE_ITEMS 512
#define SNAPSHOT_SLICE_BYTES (UINT32_C(256) << 10)

enum snapshot_state {
	SNAPSHOT_NONE,
	SNAPSHOT_SAVING,
	SNAPSHOT_LOADING,
	SNAPSHOT_SAVED,
	SNAPSHOT_LOADED,
	SNAPSHOT_FAILED
};

enum snapshot_how {
	SNAPSHOT_KEEP = 1, /* a key that is there keeps its value */
	/* a damaged or cut-short file is loaded up to the damage; without this
	 * flag nothing of it is */
	SNAPSHOT_PARTIAL = 2,
};

/* The result of the last job, or the progress of the present one. */
struct snapshot_result {
	uint64_t job; /* counts from 1; 0: there was no job */
	enum snapshot_state state;
	uint64_t items;                  /* saved; loaded */
	uint64_t expired, kept, refused; /* of a load: items not stored; refused: no room */
	uint64_t whole_items;            /* items before the damage of a damaged file */
	uint64_t file_bytes;             /* of a save */
	uint64_t saved_unix_s;           /* of a load: when the file was saved; 0: not known */
	/* if SNAPSHOT_FAILED, or a partial load: -EBADMSG damaged, -ENODATA cut
	 * short, or the kernel's errno */
	int error;
};

struct snapshot;

/* Ends a job that is under way. It has failed then, and a save leaves nothing
 * behind. */
void snapshot_cancel(struct snapshot *s);

/* store belongs to the caller and stays. -ENOMEM. */
int snapshot_new(struct store *store, bool compress, struct snapshot **ret);

/* Cancels the job and frees s. NULL is allowed. */
void snapshot_free(struct snapshot *s);

struct snapshot_source {
	const char *path;   /* absolute; with a descriptor: for messages only */
	int fd;             /* -1: path is opened. fd belongs to the job, also on failure */
	uint64_t max_age_s; /* of a load: an older file is -ESTALE; 0: any age */
};

/*
 * Begins a job and returns its number. -EBUSY: another one is under way.
 * -EINVAL: path isn't absolute. -ENOMEM. The result tells errors of the file.
 */
int64_t snapshot_save(struct snapshot *s, const struct snapshot_source *to, int64_t now_unix_s);
int64_t snapshot_load(
    struct snapshot *s, const struct snapshot_source *from, unsigned how, int64_t now_unix_s);

/* True: a job is under way. */
bool snapshot_is_busy(const struct snapshot *s);

enum snapshot_pace {
	SNAPSHOT_IDLE, /* no job is under way; the last one has its result */
	SNAPSHOT_WAIT, /* the file's thread is behind */
	SNAPSHOT_MORE,
};

/* Does one slice. now_s: the segment's clock. */
enum snapshot_pace snapshot_step(struct snapshot *s, uint32_t now_s, int64_t now_unix_s);

/* Waits until the file's thread has gone on, at most 100 ms. */
void snapshot_wait(struct snapshot *s);

const struct snapshot_result *snapshot_result(const struct snapshot *s);

/* A sentence for the log: "saved 5 items ..." */
void snapshot_describe(const struct snapshot *s, char *buf, size_t cap);

/*
 * Answers peek_save, peek_load and peek_load_part with the job's number or an
 * error line. A word that begins with "-" means the descriptor *passed_fd; the
 * rest of the word is its name for messages. *passed_fd is -1 once the
 * descriptor is used.
 */
void snapshot_request(struct snapshot *s, const struct wire_request *req, int *passed_fd,
    int64_t now_unix_s, struct wire_out *out);

/* The lines of `stats snapshot`. */
void snapshot_put_stats(const struct snapshot *s, struct wire_out *out);

#endif
