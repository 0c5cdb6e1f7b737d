/*
 * snapshot_file.h: writes and reads a snapshot file frame by frame. The calls
 * block; they know neither store nor loop.
 *
 * All numbers are little-endian. A file is a header, frames of items, and an
 * end frame. Bytes behind the end frame are ignored.
 *
 *   header   0   8  "\x89peeks\r\n": a transfer that changes text spoils it
 *            8   4  version: 2. In version 1 no item has tags; it is read too
 *           12   4  0
 *           16   8  Unix time when the saving began
 *           24   8  about how many items there were then
 *           32   8  checksum of bytes [0, 32), seed 0
 *
 *   frame    0   4  kind: 1 items, 2 items compressed with zstd, 3 end
 *            4   4  stored_bytes: bytes behind the frame's header
 *            8   4  raw_bytes: these uncompressed; 1 .. SNAPSHOT_RAW_MAX
 *           12   4  items in the frame
 *           16   8  checksum of bytes [0, 16) and of the stored bytes;
 *                   seed: the checksum before this one
 *           24  stored_bytes
 *
 *   end      raw_bytes is 8: the number of items in all frames
 *
 *   item     0   8  expiry, Unix time; 0: never
 *            8   4  client flags
 *           12   4  length of the value
 *           16   1  length of the key, 1 .. 250
 *           17   1  1: stored with an encoded key; 2: stale; 4: a client was
 *                   told to fill it (a lease); 8: it has tags
 *           18   8  only with tags: their four 16-bit numbers (item.h)
 *               key, value; the next item follows at once
 *
 * A checksum is XXH3's 64 bits. Each is the seed of the next, so a frame that
 * was lost, doubled or moved, or that comes from another file, doesn't fit. A
 * file without its end frame was cut short. Checksums find accidents, not
 * forgers: lengths are checked as if there were no checksum.
 */
#ifndef PEEKD_SNAPSHOT_FILE_H
#define PEEKD_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"
#include "wire/wire.h"

#define SNAPSHOT_MAGIC      WIRE_SNAPSHOT_MAGIC
#define SNAPSHOT_ITEM_BYTES 18
#define SNAPSHOT_TAGS_BYTES 8
#define SNAPSHOT_HEAD_MAX   (SNAPSHOT_ITEM_BYTES + SNAPSHOT_TAGS_BYTES)
#define SNAPSHOT_RAW_MAX    (SNAPSHOT_HEAD_MAX + ITEM_KEY_MAX + ITEM_VALUE_MAX)
#define SNAPSHOT_KEY_B64    1
#define SNAPSHOT_STALE      2
#define SNAPSHOT_WON        4
#define SNAPSHOT_TAGS       8

struct snapshot_item {
	uint64_t expiry_unix_s; /* 0: never */
	uint32_t flags;
	uint32_t value_bytes;
	uint32_t key_bytes;
	uint32_t state; /* SNAPSHOT_KEY_B64, ..._STALE, ..._WON, ..._TAGS */
	uint64_t tags;  /* with SNAPSHOT_TAGS */
	const char *key, *value;
};

/* Writes the head and the key of an item; its value belongs behind the bytes
 * returned. */
uint32_t snapshot_put_item(char *to, const struct snapshot_item *item);

/* Reads the item at `from`, of which n bytes are there, and returns its length.
 * 0: there is no whole item. */
uint32_t snapshot_get_item(const char *from, uint32_t n, struct snapshot_item *ret);

/* ---- writing ------------------------------------------------------------- */

struct snapshot_writer;

/*
 * fd -1: begins PATH.new, mode 0600. A PATH.new of somebody else stays, and the
 * name gets a random ending. Otherwise writes to fd, which is open for writing
 * and belongs to the writer from here on, also on failure. -EEXIST: PATH is
 * something else than a snapshot, and is left alone. -EINVAL: fd is no plain
 * file. -ENAMETOOLONG, -ENOMEM, or an error of open.
 */
int snapshot_create(const char *path, int fd, bool compress, uint64_t now_unix_s, uint64_t n_items,
    struct snapshot_writer **ret);

/* Appends a frame. Errors of write. */
int snapshot_write(
    struct snapshot_writer *w, const char *raw, uint32_t raw_bytes, uint32_t n_items);

/*
 * Writes the end frame, brings all to the disk, and renames PATH.new to PATH.
 * On failure PATH is as it was. Frees w either way. The name of a descriptor
 * belongs to the client that gave it.
 */
int snapshot_commit(struct snapshot_writer *w, uint64_t *ret_file_bytes);

/* Removes the file that snapshot_create made, and frees w. NULL is allowed. */
void snapshot_abandon(struct snapshot_writer *w);

/* ---- reading ------------------------------------------------------------- */

struct snapshot_reader;

/*
 * fd: as in snapshot_create. -EBADMSG: not a snapshot, or its header is
 * damaged. -EPROTO: a snapshot of another version. -ENOMEM, or an error of
 * open.
 */
int snapshot_open(const char *path, int fd, struct snapshot_reader **ret);

/* Unix time when the saving began. */
uint64_t snapshot_saved_unix_s(const struct snapshot_reader *r);

/*
 * Reads the next frame. 1: its bytes are valid until the next call. 0: the end;
 * the file is whole. -EBADMSG: damaged here. -ENODATA: cut short here. -ENOMEM,
 * or an error of read. After anything but 1 there are no more frames.
 */
int snapshot_read(struct snapshot_reader *r, const char **ret_raw, uint32_t *ret_raw_bytes,
    uint32_t *ret_n_items);

/* Goes back to the first frame. */
int snapshot_rewind(struct snapshot_reader *r);

void snapshot_close(struct snapshot_reader *r);

#endif
