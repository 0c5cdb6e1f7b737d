/* snapshot_file.c: see snapshot_file.h. The one door to zstd, which every
 * Debian system has because dpkg needs it. */
#include "daemon/snapshot/snapshot_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "daemon/snapshot/snapshot_place.h"
#include "shm/hash.h"
#include "shm/item.h"

#define VERSION      2
#define HEADER_BYTES 40
#define FRAME_BYTES  24
#define ZSTD_LEVEL   1 /* the fastest level that compresses text well; the disk is slower */

enum { KIND_ITEMS = 1, KIND_ZSTD = 2, KIND_END = 3 };

static void
put_u32(char *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, 4);
}

static void
put_u64(char *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, 8);
}

static uint32_t
get_u32(const char *from)
{
	uint32_t v;

	memcpy(&v, from, 4);
	return le32toh(v);
}

static uint64_t
get_u64(const char *from)
{
	uint64_t v;

	memcpy(&v, from, 8);
	return le64toh(v);
}

/* ---- items --------------------------------------------------------------- */

uint32_t
snapshot_put_item(char *to, const struct snapshot_item *item)
{
	put_u64(to, item->expiry_unix_s);
	put_u32(to + 8, item->flags);
	put_u32(to + 12, item->value_bytes);
	to[16] = (char)item->key_bytes;
	to[17] = (char)item->state;
	uint32_t head = SNAPSHOT_ITEM_BYTES;
	if ((item->state & SNAPSHOT_TAGS) != 0) {
		put_u64(to + head, item->tags);
		head += SNAPSHOT_TAGS_BYTES;
	}
	memcpy(to + head, item->key, item->key_bytes);
	return head + item->key_bytes;
}

uint32_t
snapshot_get_item(const char *from, uint32_t n, struct snapshot_item *ret)
{
	if (n < SNAPSHOT_ITEM_BYTES)
		return 0;
	*ret = (struct snapshot_item){
	    .expiry_unix_s = get_u64(from),
	    .flags = get_u32(from + 8),
	    .value_bytes = get_u32(from + 12),
	    .key_bytes = (unsigned char)from[16],
	    .state = (unsigned char)from[17],
	};
	uint32_t head = SNAPSHOT_ITEM_BYTES;
	if ((ret->state & SNAPSHOT_TAGS) != 0) {
		if (n < head + SNAPSHOT_TAGS_BYTES)
			return 0;
		ret->tags = get_u64(from + head);
		head += SNAPSHOT_TAGS_BYTES;
	}
	ret->key = from + head;
	ret->value = ret->key + ret->key_bytes;
	if (!item_key_len_ok(ret->key_bytes) || ret->value_bytes > ITEM_VALUE_MAX ||
	    (uint64_t)head + ret->key_bytes + ret->value_bytes > n)
		return 0;
	return head + ret->key_bytes + ret->value_bytes;
}

/* ---- writing ------------------------------------------------------------- */

struct snapshot_writer {
	int fd;
	uint64_t checksum; /* the last one */
	uint64_t n_items, file_bytes;
	ZSTD_CCtx *zstd; /* NULL: frames are not compressed */
	char *packed;
	size_t packed_cap;
	char path[PATH_MAX], fresh_path[PATH_MAX];
};

static int
write_all(struct snapshot_writer *w, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(w->fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -ENOSPC;
		w->file_bytes += (uint64_t)done;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

static bool
may_replace(const char *path)
{
	enum snapshot_place place = snapshot_place(path);

	return place == SNAPSHOT_PLACE_FREE || place == SNAPSHOT_PLACE_SNAPSHOT;
}

/* Makes PATH.new, which a killed save may have left. If somebody else has that
 * name, a random name is made, which nobody can take before. */
static int
make_fresh(struct snapshot_writer *w)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	uint64_t random;

	w->fd = -1;
	if (snprintf(w->fresh_path, sizeof(w->fresh_path), "%s.new", w->path) >=
	    (int)sizeof(w->fresh_path))
		return -ENAMETOOLONG;
	if (may_replace(w->fresh_path)) {
		unlink(w->fresh_path);
		w->fd = open(w->fresh_path, flags, 0600);
	} else
		errno = EEXIST;
	for (int i = 0; w->fd < 0 && errno == EEXIST && i < 4; i++) {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -EIO;
		if (snprintf(w->fresh_path, sizeof(w->fresh_path), "%s.new-%016" PRIx64, w->path,
			random) >= (int)sizeof(w->fresh_path))
			return -ENAMETOOLONG;
		w->fd = open(w->fresh_path, flags, 0600);
	}
	return w->fd < 0 ? -errno : 0;
}

/* Opens the place for the bytes: a new file beside path, or the descriptor. */
static int
begin_file(struct snapshot_writer *w, const char *path, int fd)
{
	struct stat st;

	w->fd = fd;
	if (fd >= 0)
		return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (snprintf(w->path, sizeof(w->path), "%s", path) >= (int)sizeof(w->path))
		return -ENAMETOOLONG;
	if (!may_replace(path))
		return -EEXIST;
	return make_fresh(w);
}

int
snapshot_create(const char *path, int fd, bool compress, uint64_t now_unix_s, uint64_t n_items,
    struct snapshot_writer **ret)
{
	struct snapshot_writer *w = calloc(1, sizeof(*w));
	char header[HEADER_BYTES] = SNAPSHOT_MAGIC;
	int r = -ENOMEM;

	if (w == NULL) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	if ((r = begin_file(w, path, fd)) != 0)
		goto fail;
	r = -ENOMEM;
	if (compress && (w->zstd = ZSTD_createCCtx()) == NULL)
		goto fail;
	put_u32(header + 8, VERSION);
	put_u32(header + 12, 0);
	put_u64(header + 16, now_unix_s);
	put_u64(header + 24, n_items);
	w->checksum = hash_key(header, 32, 0);
	put_u64(header + 32, w->checksum);
	r = write_all(w, header, sizeof(header));
	if (r != 0)
		goto fail;
	*ret = w;
	return 0;
fail:
	snapshot_abandon(w);
	return r;
}

static uint64_t
frame_checksum(const char *head, const char *stored, uint32_t stored_bytes, uint64_t before)
{
	return hash_key(stored, stored_bytes, hash_key(head, 16, before));
}

static int
write_frame(struct snapshot_writer *w, uint32_t kind, const char *stored, uint32_t stored_bytes,
    uint32_t raw_bytes, uint32_t n_items)
{
	char head[FRAME_BYTES];
	int r;

	put_u32(head, kind);
	put_u32(head + 4, stored_bytes);
	put_u32(head + 8, raw_bytes);
	put_u32(head + 12, n_items);
	w->checksum = frame_checksum(head, stored, stored_bytes, w->checksum);
	put_u64(head + 16, w->checksum);
	r = write_all(w, head, sizeof(head));
	return r != 0 ? r : write_all(w, stored, stored_bytes);
}

int
snapshot_write(struct snapshot_writer *w, const char *raw, uint32_t raw_bytes, uint32_t n_items)
{
	size_t cap, n;

	w->n_items += n_items;
	if (w->zstd == NULL)
		return write_frame(w, KIND_ITEMS, raw, raw_bytes, raw_bytes, n_items);
	cap = ZSTD_compressBound(raw_bytes);
	if (cap > w->packed_cap) {
		char *larger = realloc(w->packed, cap);

		if (larger == NULL)
			return -ENOMEM;
		w->packed = larger;
		w->packed_cap = cap;
	}
	n = ZSTD_compressCCtx(w->zstd, w->packed, w->packed_cap, raw, raw_bytes, ZSTD_LEVEL);
	if (ZSTD_isError(n) || n >= raw_bytes)
		return write_frame(w, KIND_ITEMS, raw, raw_bytes, raw_bytes, n_items);
	return write_frame(w, KIND_ZSTD, w->packed, (uint32_t)n, raw_bytes, n_items);
}

/* Brings the rename to the disk before anybody is told that the snapshot was
 * saved. */
static int
sync_directory_of(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd, r;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno; /* some file systems can't */
	close(fd);
	return r;
}

int
snapshot_commit(struct snapshot_writer *w, uint64_t *ret_file_bytes)
{
	char total[8];
	int r;

	put_u64(total, w->n_items);
	r = write_frame(w, KIND_END, total, sizeof(total), sizeof(total), 0);
	if (r == 0 && fsync(w->fd) != 0)
		r = -errno;
	if (r == 0 && w->fresh_path[0] != '\0' && rename(w->fresh_path, w->path) != 0)
		r = -errno;
	if (r != 0) {
		snapshot_abandon(w);
		return r;
	}
	*ret_file_bytes = w->file_bytes;
	if (w->fresh_path[0] != '\0')
		r = sync_directory_of(w->path);
	w->fresh_path[0] = '\0';
	snapshot_abandon(w);
	return r;
}

void
snapshot_abandon(struct snapshot_writer *w)
{
	if (w == NULL)
		return;
	if (w->fd >= 0) {
		close(w->fd);
		if (w->fresh_path[0] != '\0')
			unlink(w->fresh_path);
	}
	ZSTD_freeCCtx(w->zstd);
	free(w->packed);
	free(w);
}

/* ---- reading ------------------------------------------------------------- */

struct snapshot_reader {
	int fd;
	uint64_t first_checksum, checksum;
	uint64_t n_items, saved_unix_s;
	ZSTD_DCtx *zstd;
	char *stored, *raw;
	size_t stored_cap, raw_cap;
};

/*
 * Reads n bytes. 1: all of them; 0: none, the file ends here; -ENODATA: fewer.
 */
static int
read_all(int fd, char *to, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = read(fd, to + have, n - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return have == 0 ? 0 : -ENODATA;
		have += (size_t)got;
	}
	return 1;
}

int
snapshot_open(const char *path, int fd, struct snapshot_reader **ret)
{
	struct snapshot_reader *r = calloc(1, sizeof(*r));
	char header[HEADER_BYTES];
	struct stat st;
	int error = -ENOMEM;

	if (r == NULL) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	r->fd = fd >= 0 ? fd : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0) {
		error = -errno;
		goto fail;
	}
	r->zstd = ZSTD_createDCtx();
	if (r->zstd == NULL)
		goto fail;
	error = -EBADMSG;
	if (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    read_all(r->fd, header, sizeof(header)) != 1 ||
	    memcmp(header, SNAPSHOT_MAGIC, 8) != 0 ||
	    hash_key(header, 32, 0) != get_u64(header + 32))
		goto fail;
	error = -EPROTO;
	if (get_u32(header + 8) < 1 || get_u32(header + 8) > VERSION)
		goto fail;
	r->checksum = r->first_checksum = get_u64(header + 32);
	r->saved_unix_s = get_u64(header + 16);
	*ret = r;
	return 0;
fail:
	snapshot_close(r);
	return error;
}

uint64_t
snapshot_saved_unix_s(const struct snapshot_reader *r)
{
	return r->saved_unix_s;
}

static bool
snapshot_file_reserve(char **buf, size_t *cap, size_t n)
{
	char *larger;

	if (*cap >= n)
		return true;
	larger = realloc(*buf, n);
	if (larger == NULL)
		return false;
	*buf = larger;
	*cap = n;
	return true;
}

int
snapshot_read(
    struct snapshot_reader *r, const char **ret_raw, uint32_t *ret_raw_bytes, uint32_t *ret_n_items)
{
	char head[FRAME_BYTES];
	int got = read_all(r->fd, head, sizeof(head));
	uint32_t kind, stored_bytes, raw_bytes;

	if (got <= 0)
		return got == 0 ? -ENODATA : got;
	kind = get_u32(head);
	stored_bytes = get_u32(head + 4);
	raw_bytes = get_u32(head + 8);
	if (kind < KIND_ITEMS || kind > KIND_END || raw_bytes == 0 ||
	    raw_bytes > SNAPSHOT_RAW_MAX || stored_bytes > raw_bytes ||
	    (kind != KIND_ZSTD && stored_bytes != raw_bytes))
		return -EBADMSG;
	if (!snapshot_file_reserve(&r->stored, &r->stored_cap, stored_bytes) ||
	    !snapshot_file_reserve(&r->raw, &r->raw_cap, raw_bytes))
		return -ENOMEM;
	got = stored_bytes > 0 ? read_all(r->fd, r->stored, stored_bytes) : 1;
	if (got <= 0)
		return got == 0 ? -ENODATA : got;
	r->checksum = frame_checksum(head, r->stored, stored_bytes, r->checksum);
	if (r->checksum != get_u64(head + 16))
		return -EBADMSG;
	if (kind == KIND_END)
		return raw_bytes == 8 && get_u64(r->stored) == r->n_items ? 0 : -EBADMSG;
	if (kind == KIND_ZSTD &&
	    ZSTD_decompressDCtx(r->zstd, r->raw, raw_bytes, r->stored, stored_bytes) != raw_bytes)
		return -EBADMSG;
	*ret_raw = kind == KIND_ZSTD ? r->raw : r->stored;
	*ret_raw_bytes = raw_bytes;
	*ret_n_items = get_u32(head + 12);
	r->n_items += *ret_n_items;
	return 1;
}

int
snapshot_rewind(struct snapshot_reader *r)
{
	r->checksum = r->first_checksum;
	r->n_items = 0;
	return lseek(r->fd, HEADER_BYTES, SEEK_SET) < 0 ? -errno : 0;
}

void
snapshot_close(struct snapshot_reader *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	ZSTD_freeDCtx(r->zstd);
	free(r->stored);
	free(r->raw);
	free(r);
}
