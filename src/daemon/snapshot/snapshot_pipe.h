/*
 * snapshot_pipe.h: passes frames of items between the loop's thread and a
 * file's thread, in either direction.
 *
 * The file's thread may wait for a disk; the loop's never does. Each frame
 * belongs to one side at a time.
 */
#ifndef PEEKD_SNAPSHOT_PIPE_H
#define PEEKD_SNAPSHOT_PIPE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_FRAME_BYTES (UINT32_C(256) << 10)
#define SNAPSHOT_FRAMES      4

struct snapshot_frame {
	char *bytes;
	uint32_t len, cap;
	uint32_t n_items;
};

struct snapshot_pipe {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	/* under the lock */
	struct snapshot_frame frame[SNAPSHOT_FRAMES];
	uint64_t n_put, n_got; /* frames handed over, and handed back */
	bool put_ended;        /* no more frames will be put */
	bool cancelled;        /* by the loop's side */
	bool done;             /* the thread has ended; what it left follows: its result */
	int error;
	uint64_t file_bytes, whole_items, saved_unix_s;
	/* read by the file's thread; set before it starts */
	char *path;
	int fd; /* -1: path is opened */
	bool reading, compress, partial;
	uint64_t now_unix_s, n_items;
	uint64_t max_age_s; /* an older file is -ESTALE when it is read; 0: any age */
};

/* Starts the file's thread: a writer that gets frames, or a reader that puts
 * them. -ENOMEM, -EAGAIN. */
int snapshot_pipe_write(struct snapshot_pipe *p);
int snapshot_pipe_read(struct snapshot_pipe *p);

/* For the loop's side; NULL: not now. The second call puts the frame, or gives
 * it back emptied. */
struct snapshot_frame *snapshot_pipe_empty(struct snapshot_pipe *p);
void snapshot_pipe_put(struct snapshot_pipe *p);
struct snapshot_frame *snapshot_pipe_full(struct snapshot_pipe *p);
void snapshot_pipe_got(struct snapshot_pipe *p);

/* Says that the last frame of a save was put. */
void snapshot_pipe_end(struct snapshot_pipe *p);

/* True: the file's thread has ended, and every frame that it put was taken. */
bool snapshot_pipe_done(struct snapshot_pipe *p);

/* Waits while the other side has to move first, at most 100 ms. */
void snapshot_pipe_wait(struct snapshot_pipe *p);

/* Ends the thread, whatever it is doing, and frees the frames. */
void snapshot_pipe_close(struct snapshot_pipe *p);

#endif
