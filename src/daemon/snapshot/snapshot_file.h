/*
 * snapshot_file.h: a snapshot as a file: written and read frame by frame.
 * Blocking calls; knows neither store nor loop.
 *
 * All numbers are little-endian. A file is a header, frames of items, and an
 * end frame; whatever follows that is not looked at.
 *
 *   header   0   8  "\x89peeks\r\n": a transfer that meddles with text shows
 *            8   4  version: 1
 *           12   4  0
 *           16   8  when the saving began, Unix time
 *           24   8  items that there were then, about
 *           32   8  checksum of bytes [0, 32), seed 0
 *
 *   frame    0   4  kind: 1 items, 2 items compressed with zstd, 3 end
 *            4   4  stored_bytes: what follows the frame's header
 *            8   4  raw_bytes: the same uncompressed; 1 .. SNAPSHOT_RAW_MAX
 *           12   4  items in it
 *           16   8  checksum of bytes [0, 16) and of what follows, seed: the
 *                   checksum before this one
 *           24  stored_bytes
 *
 *   end      raw_bytes is 8: how many items are in all frames
 *
 *   item     0   8  expiry, Unix time; 0: never
 *            8   4  client flags
 *           12   4  length of the value
 *           16   1  length of the key, 1 .. 250
 *           17   1  1: stored with an encoded key; 2: stale; 4: somebody was
 *                   told to fill it (a lease)
 *           18  key, value; the next item follows at once
 *
 * A checksum is XXH3's 64 bits. Each is the seed of the next, so that a frame
 * that was lost, doubled, moved or comes from another file doesn't fit; a file
 * without its end frame was cut short. They find accidents, not forgers:
 * lengths are checked as if there were no checksum.
 */
#ifndef PEEKD_SNAPSHOT_FILE_H
#define PEEKD_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"
#include "wire/wire.h"

#define SNAPSHOT_MAGIC      WIRE_SNAPSHOT_MAGIC
#define SNAPSHOT_ITEM_BYTES 18
#define SNAPSHOT_RAW_MAX    (SNAPSHOT_ITEM_BYTES + ITEM_KEY_MAX + ITEM_VALUE_MAX)
#define SNAPSHOT_KEY_B64    1
#define SNAPSHOT_STALE      2
#define SNAPSHOT_WON        4

struct snapshot_item {
	uint64_t expiry_unix_s; /* 0: never */
	uint32_t flags;
	uint32_t value_bytes;
	uint32_t key_bytes;
	uint32_t state; /* SNAPSHOT_KEY_B64, SNAPSHOT_STALE, SNAPSHOT_WON */
	const char *key, *value;
};

/* Writes an item's head and key; its value goes behind the bytes returned. */
uint32_t snapshot_put_item(char *to, const struct snapshot_item *item);

/* The item at `from`, of which n bytes are there; returns its bytes. 0: there
 * is none. */
uint32_t snapshot_get_item(const char *from, uint32_t n, struct snapshot_item *ret);

/* ---- writing ------------------------------------------------------------- */

struct snapshot_writer;

/*
 * fd -1: begins PATH.new, mode 0600; a PATH.new that isn't ours stays, and the
 * name gets a random ending. Else writes to fd, which is open for writing and
 * belongs to the writer from here on, also on failure.
 * -EEXIST: PATH is something else than a snapshot, and is left alone. -EINVAL:
 * fd is no plain file. -ENAMETOOLONG, -ENOMEM, or as open has it.
 */
int snapshot_create(const char *path, int fd, bool compress, uint64_t now_unix_s, uint64_t n_items,
    struct snapshot_writer **ret);

/* Appends a frame. As write has it. */
int snapshot_write(
    struct snapshot_writer *w, const char *raw, uint32_t raw_bytes, uint32_t n_items);

/*
 * The end frame; to the disk; then PATH.new becomes PATH. On failure PATH is
 * what it was. Frees w either way. Of a descriptor, the name is its giver's.
 */
int snapshot_commit(struct snapshot_writer *w, uint64_t *ret_file_bytes);

/* Removes what snapshot_create made. Frees w. NULL is allowed. */
void snapshot_abandon(struct snapshot_writer *w);

/* ---- reading ------------------------------------------------------------- */

struct snapshot_reader;

/*
 * fd: as in snapshot_create. -EBADMSG: not a snapshot, or its header is
 * damaged. -EPROTO: of another version. -ENOMEM, or as open has it.
 */
int snapshot_open(const char *path, int fd, struct snapshot_reader **ret);

/* When its saving began, Unix time. */
uint64_t snapshot_saved_unix_s(const struct snapshot_reader *r);

/*
 * The next frame: 1; its bytes are valid until the next call. 0: the end, all
 * was there. -EBADMSG: damaged here. -ENODATA: cut short here. -ENOMEM, or as
 * read has it. After anything but 1 there is no more.
 */
int snapshot_read(struct snapshot_reader *r, const char **ret_raw, uint32_t *ret_raw_bytes,
    uint32_t *ret_n_items);

/* Back to the first frame. */
int snapshot_rewind(struct snapshot_reader *r);

void snapshot_close(struct snapshot_reader *r);

#endif
