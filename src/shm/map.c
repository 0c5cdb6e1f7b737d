/*
 * map.c: segments as objects of the shared-memory file system.
 */
#include "shm/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/own.h"
#include "shm/map_reader.h"
#include "shm/seq.h"

#define SHM_DIR "/dev/shm/"

bool
map_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > MAP_NAME_MAX || name[0] == '.')
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
	    len;
}

bool
map_name_is_beside(const char *name)
{
	size_t len = strlen(name);
	const char *fresh = len > 21 ? name + len - 21 : ""; /* .new-, 16 digits */

	return strstr(name, ".aside-") != NULL ||
	    (len >= 4 && strcmp(name + len - 4, ".new") == 0) ||
	    (len >= 5 && strcmp(name + len - 5, ".lock") == 0) ||
	    (strncmp(fresh, ".new-", 5) == 0 && strspn(fresh + 5, "0123456789abcdef") == 16);
}

int
map_object_path(const char *object, char *buf, size_t buf_cap)
{
	int n = snprintf(buf, buf_cap, SHM_DIR "%s", object);

	return n < 0 || (size_t)n >= buf_cap || strchr(object, '/') != NULL ? -EINVAL : 0;
}

static int
error_of(int saved_errno)
{
	switch (saved_errno) {
	case ENOENT:
	case EACCES:
	case EEXIST:
	case ENOSPC:
	case ENOMEM:
	case EINVAL:
		return -saved_errno;
	case ELOOP:
	case EPERM:
	case EMLINK:
		return -EPERM;
	case EFBIG:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

/* ---- geometry ------------------------------------------------------------ */

static uint64_t
round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

/* The power of two next to arena_bytes / 1024. */
static unsigned
choose_block_shift(uint64_t arena_bytes)
{
	unsigned shift = BLOCK_SHIFT_MIN;

	while (shift < BLOCK_SHIFT_MAX && (UINT64_C(3) << shift) / 2 < arena_bytes / 1024)
		shift++;
	return shift;
}

/* A word for each 256 bytes of the arena: a thirty-second of it. */
static uint64_t
choose_tag_slots(uint64_t arena_bytes)
{
	uint64_t n = 64;

	while (n < LAYOUT_TAG_SLOTS_MAX && n * 2 * 256 <= arena_bytes)
		n *= 2;
	return n;
}

/* item_tag_idx needs a power of two. */
static bool
tag_slots_ok(uint64_t n)
{
	return n != 0 && n <= LAYOUT_TAG_SLOTS_MAX && (n & (n - 1)) == 0;
}

int
map_plan_geometry(uint64_t arena_bytes, unsigned block_shift, struct geometry *ret)
{
	struct geometry g = {
	    .block_shift = block_shift != 0 ? block_shift : choose_block_shift(arena_bytes)};

	/* Below 2^42 no product or sum here leaves 64 bits, and every item's
	 * unit fits its slot. */
	if (arena_bytes >= UINT64_C(1) << 42 || g.block_shift < LAYOUT_BLOCK_SHIFT_LEAST ||
	    g.block_shift > BLOCK_SHIFT_MAX)
		return -EINVAL;
	g.n_blocks = arena_bytes >> g.block_shift;
	if (g.n_blocks < (block_shift != 0 ? LAYOUT_BLOCKS_LEAST : 64) || g.n_blocks > UINT32_MAX)
		return -EINVAL;
	uint64_t arena = g.n_blocks << g.block_shift;
	/* The smallest item takes 24 bytes, and growth keeps at least 2.5 of
	 * them to a bucket. */
	g.n_buckets_max =
	    round_up(arena / 60 < LAYOUT_BUCKETS_MIN ? LAYOUT_BUCKETS_MIN : arena / 60, 64);
	g.n_overflow_max = g.n_buckets_max / 2 + 64;
	if (g.n_overflow_max >= UINT64_C(1) << LINK_IDX_BITS)
		/* links can tell no more of them apart */
		g.n_overflow_max = (UINT64_C(1) << LINK_IDX_BITS) - 1;
	g.n_tag_slots = block_shift != 0 ? 64 : choose_tag_slots(arena);
	g.buckets_off = round_up(
	    layout_tags_off(g.n_blocks) + g.n_tag_slots * sizeof(struct word), LAYOUT_HUGE_BYTES);
	g.overflow_off =
	    round_up(g.buckets_off + g.n_buckets_max * sizeof(struct bucket), LAYOUT_HUGE_BYTES);
	g.arena_off =
	    round_up(g.overflow_off + g.n_overflow_max * sizeof(struct bucket), LAYOUT_HUGE_BYTES);
	g.total_bytes = round_up(g.arena_off + arena, LAYOUT_HUGE_BYTES);
	*ret = g;
	return 0;
}

/* ---- mapping ------------------------------------------------------------- */

void *
map_aligned(int fd, size_t bytes, bool writable)
{
	size_t pages = (bytes + LAYOUT_PAGE_BYTES - 1) / LAYOUT_PAGE_BYTES * LAYOUT_PAGE_BYTES;
	char *area = mmap(NULL, pages + LAYOUT_HUGE_BYTES, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	size_t before =
	    (LAYOUT_HUGE_BYTES - (uintptr_t)area % LAYOUT_HUGE_BYTES) % LAYOUT_HUGE_BYTES;
	char *at = area + before;
	if (mmap(at, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_FIXED,
		fd, 0) == MAP_FAILED) {
		int saved = errno;
		munmap(area, pages + LAYOUT_HUGE_BYTES);
		errno = saved;
		return NULL;
	}
	if (before > 0)
		munmap(area, before);
	if (before < LAYOUT_HUGE_BYTES)
		munmap(at + pages, LAYOUT_HUGE_BYTES - before);
	return at;
}

static int
map_object(int fd, size_t total_bytes, bool writable, struct map *m)
{
	char *at = map_aligned(fd, total_bytes, writable);

	if (at == NULL)
		return errno == ENOMEM ? -ENOMEM : error_of(errno);
	m->total_bytes = total_bytes;
	m->header = (struct header *)(void *)at;
	m->stats = (struct shm_stats *)(void *)(at + LAYOUT_PAGE_BYTES);
	m->blocks = (struct block_record *)(void *)(at + LAYOUT_BLOCKTAB_OFF);
	return 0;
}

static void
apply_geometry(struct map *m, const struct geometry *g)
{
	char *at = (char *)m->header;

	m->buckets = (struct bucket *)(void *)(at + g->buckets_off);
	m->overflow = (struct bucket *)(void *)(at + g->overflow_off);
	m->arena = (struct word *)(void *)(at + g->arena_off);
	m->tags = (struct word *)(void *)(at + layout_tags_off(g->n_blocks));
	m->n_buckets_max = g->n_buckets_max;
	m->n_overflow_max = g->n_overflow_max;
	m->n_buckets_mapped = g->n_buckets_max;
	m->n_overflow_mapped = g->n_overflow_max;
	m->n_blocks = g->n_blocks;
	m->n_tag_slots = g->n_tag_slots;
	m->block_shift = g->block_shift;
	m->arena_bytes = g->n_blocks << g->block_shift;
	m->buckets_off = g->buckets_off;
	m->overflow_off = g->overflow_off;
	m->arena_off = g->arena_off;
}

void
map_close(struct map *m)
{
	if (m->header != NULL)
		munmap(m->header, m->total_bytes);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct map){.fd = -1};
}

static int
map_allocate(int fd, uint64_t off, uint64_t n_bytes)
{
	while (fallocate(fd, 0, (off_t)off, (off_t)n_bytes) != 0)
		if (errno != EINTR)
			return error_of(errno);
	return 0;
}

/* Allocates the step that bucket n is in. The steps before it were allocated
 * when their buckets came. */
static int
allocate_buckets(int fd, uint64_t region_off, uint64_t n, uint64_t n_max)
{
	uint64_t from = n > 1 ? layout_grown_bytes(n - 1, n_max) : 0,
		 to = layout_grown_bytes(n, n_max);

	return from == to ? 0 : map_allocate(fd, region_off + from, to - from);
}

int
map_allocate_buckets(const struct map *m, uint64_t n)
{
	return n > m->n_buckets_max ? -ENOSPC
				    : allocate_buckets(m->fd, m->buckets_off, n, m->n_buckets_max);
}

int
map_allocate_overflow(const struct map *m, uint64_t n)
{
	return n > m->n_overflow_max
	    ? -ENOSPC
	    : allocate_buckets(m->fd, m->overflow_off, n, m->n_overflow_max);
}

int
map_allocate_table(const struct map *m, uint64_t n_buckets, uint64_t n_overflow)
{
	int r =
	    map_allocate(m->fd, m->buckets_off, layout_grown_bytes(n_buckets, m->n_buckets_max));

	return r != 0 ? r
		      : map_allocate(m->fd, m->overflow_off,
			    layout_grown_bytes(n_overflow, m->n_overflow_max));
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

int
map_collapse(const void *page)
{
	return madvise((void *)(uintptr_t)page, LAYOUT_HUGE_BYTES, MADV_COLLAPSE) == 0 ? 0 : -errno;
}

/* ---- create -------------------------------------------------------------- */

static void
write_header(struct map *m, const struct geometry *g, uint64_t seed, uint64_t generation)
{
	struct header *h = m->header;

	/* relaxed, all of them: the magic is released after */
	word_store_rlx(&h->version, LAYOUT_VERSION);
	word_store_rlx(&h->fingerprint, LAYOUT_FINGERPRINT);
	word_store_rlx(&h->total_bytes, g->total_bytes);
	word_store_rlx(&h->hash_seed, seed);
	word_store_rlx(&h->generation, generation);
	word_store_rlx(&h->created_unix_s, (uint64_t)time(NULL));
	word_store_rlx(&h->writer_uid, (uint64_t)geteuid());
	word_store_rlx(&h->count, LAYOUT_BUCKETS_MIN);
	word_store_rlx(&h->block_shift, g->block_shift);
	word_store_rlx(&h->n_blocks, g->n_blocks);
	word_store_rlx(&h->buckets_off, g->buckets_off);
	word_store_rlx(&h->n_buckets_max, g->n_buckets_max);
	word_store_rlx(&h->overflow_off, g->overflow_off);
	word_store_rlx(&h->n_overflow_max, g->n_overflow_max);
	word_store_rlx(&h->arena_off, g->arena_off);
	word_store_rlx(&h->n_tag_slots, g->n_tag_slots);
	m->seed = seed;
	m->generation = generation;
}

int
map_create(const char *object, const struct geometry *g, mode_t mode, gid_t gid, uint64_t seed,
    uint64_t generation, const char *socket_path, struct map *ret)
{
	struct map m = {.fd = -1};
	char path[256];
	int r = map_object_path(object, path, sizeof(path));

	if (r != 0)
		return r;
	if (strlen(socket_path) >= LAYOUT_SOCKET_WORDS * 8)
		return -EINVAL;
	m.fd =
	    descriptor_above(open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	if (m.fd < 0)
		return error_of(errno);
	if ((gid != (gid_t)-1 && fchown(m.fd, (uid_t)-1, gid) != 0) || fchmod(m.fd, mode) != 0 ||
	    ftruncate(m.fd, (off_t)g->total_bytes) != 0) {
		r = error_of(errno);
		goto fail;
	}
	if ((r = map_allocate(m.fd, 0,
		 layout_tags_off(g->n_blocks) + g->n_tag_slots * sizeof(struct word))) != 0 ||
	    (r = map_allocate(m.fd, g->buckets_off,
		 layout_grown_bytes(LAYOUT_BUCKETS_MIN, g->n_buckets_max))) != 0 ||
	    (r = map_allocate(m.fd, g->overflow_off, layout_grown_bytes(0, g->n_overflow_max))) !=
		0 ||
	    (r = map_allocate(m.fd, g->arena_off, g->n_blocks << g->block_shift)) != 0 ||
	    (r = map_object(m.fd, g->total_bytes, true, &m)) != 0)
		goto fail;
	apply_geometry(&m, g);
	write_header(&m, g, seed, generation);
	map_set_socket_path(&m, socket_path);
	*ret = m;
	return 0;
fail:
	unlink(path);
	map_close(&m);
	return r;
}

void
map_publish(struct map *m)
{
	seq_publish_magic(&m->header->magic, LAYOUT_MAGIC);
}

/* ---- open ---------------------------------------------------------------- */

/* Refuses an object that somebody else made, or could have put in place of the
 * right one. */
static int
check_object(int fd, uid_t owner_uid, struct stat *st)
{
	if (fstat(fd, st) != 0)
		return -EIO;
	if (!S_ISREG(st->st_mode) || st->st_nlink > 1)
		return -EPERM;
	if (st->st_uid != 0 && (owner_uid == (uid_t)-1 || st->st_uid != owner_uid) &&
	    !own_file(fd, st))
		return -EPERM;
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return -EPERM;
	if (st->st_size < LAYOUT_BLOCKTAB_OFF)
		return -EBADMSG;
	return 0;
}

static bool
region_ok(uint64_t off, uint64_t n, uint64_t each, uint64_t total)
{
	uint64_t bytes;

	return off % LAYOUT_HUGE_BYTES == 0 && n > 0 && !__builtin_mul_overflow(n, each, &bytes) &&
	    off <= total && bytes <= total - off;
}

/* Reads each word of the header once, and believes none of it before it is
 * checked. */
static int
check_header(struct map *m, uint64_t object_bytes)
{
	struct header *h = m->header;

	if (seq_load_magic(&h->magic) != LAYOUT_MAGIC)
		return -EBADMSG;
	if (word_load_rlx(&h->version) != LAYOUT_VERSION ||
	    word_load_rlx(&h->fingerprint) != LAYOUT_FINGERPRINT)
		return -EPROTO;
	struct geometry g = {
	    /* relaxed, all of them: seq_load_magic acquired */
	    .n_blocks = word_load_rlx(&h->n_blocks),
	    .n_buckets_max = word_load_rlx(&h->n_buckets_max),
	    .n_overflow_max = word_load_rlx(&h->n_overflow_max),
	    .buckets_off = word_load_rlx(&h->buckets_off),
	    .overflow_off = word_load_rlx(&h->overflow_off),
	    .arena_off = word_load_rlx(&h->arena_off),
	    .total_bytes = word_load_rlx(&h->total_bytes),
	    .n_tag_slots = word_load_rlx(&h->n_tag_slots),
	};
	uint64_t shift = word_load_rlx(&h->block_shift);
	if (g.total_bytes != object_bytes || shift < LAYOUT_BLOCK_SHIFT_LEAST ||
	    shift > BLOCK_SHIFT_MAX || g.n_blocks < LAYOUT_BLOCKS_LEAST ||
	    g.n_blocks > UINT32_MAX || !tag_slots_ok(g.n_tag_slots) ||
	    g.buckets_off < layout_tags_off(g.n_blocks) + g.n_tag_slots * sizeof(struct word) ||
	    !region_ok(g.buckets_off, g.n_buckets_max, sizeof(struct bucket), g.overflow_off) ||
	    !region_ok(g.overflow_off, g.n_overflow_max, sizeof(struct bucket), g.arena_off) ||
	    !region_ok(g.arena_off, g.n_blocks, UINT64_C(1) << shift, g.total_bytes))
		return -EBADMSG;
	uint64_t count = word_load_rlx(&h->count) & COUNT_MASK;
	if (count < LAYOUT_BUCKETS_MIN || count > g.n_buckets_max)
		return -EBADMSG;
	g.block_shift = (unsigned)shift;
	apply_geometry(m, &g);
	m->seed = word_load_rlx(&h->hash_seed);
	m->generation = word_load_rlx(&h->generation);
	return 0;
}

int
map_open(const char *object, bool writable, uid_t owner_uid, struct map *ret)
{
	struct map m = {.fd = -1};
	struct stat st;
	char path[256];
	int r = map_object_path(object, path, sizeof(path));

	if (r != 0)
		return r;
	m.fd = descriptor_above(
	    open(path, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
	if (m.fd < 0)
		return error_of(errno);
	if ((r = check_object(m.fd, owner_uid, &st)) != 0 ||
	    (r = writable ? map_object(m.fd, (size_t)st.st_size, true, &m)
			  : map_reader_reserve(m.fd, (size_t)st.st_size, &m)) != 0 ||
	    (r = check_header(&m, (uint64_t)st.st_size)) != 0 ||
	    (!writable && (r = map_reader_fill(m.fd, &m)) != 0)) {
		map_close(&m);
		return r;
	}
	if (!writable) {
		close(m.fd);
		m.fd = -1;
	}
	*ret = m;
	return 0;
}

int
map_peek_socket(const char *object, uid_t owner_uid, char *buf, size_t buf_cap)
{
	struct map m = {.fd = -1};
	struct stat st;
	char path[256];
	int r = map_object_path(object, path, sizeof(path));

	if (r != 0)
		return r;
	if (buf_cap < LAYOUT_SOCKET_WORDS * 8)
		return -EINVAL;
	m.fd = descriptor_above(open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
	if (m.fd < 0)
		return error_of(errno);
	if ((r = check_object(m.fd, owner_uid, &st)) == 0 &&
	    (r = map_object(m.fd, LAYOUT_BLOCKTAB_OFF, false, &m)) == 0) {
		/* The magic and the socket's path have the same place in every
		 * layout. */
		if (seq_load_magic(&m.header->magic) != LAYOUT_MAGIC)
			r = -EBADMSG;
		else
			map_socket_path(&m, buf);
	}
	map_close(&m);
	return r;
}

/* ---- the control socket's path ------------------------------------------- */

void
map_socket_path(const struct map *m, char *buf)
{
	for (size_t i = 0; i < LAYOUT_SOCKET_WORDS; i++) {
		uint64_t v = word_load_rlx(&m->header->socket_path[i]);
		memcpy(buf + i * 8, &v, 8);
	}
	buf[LAYOUT_SOCKET_WORDS * 8 - 1] = '\0';
}

void
map_set_socket_path(const struct map *m, const char *path)
{
	char padded[LAYOUT_SOCKET_WORDS * 8] = {0};
	size_t len = strlen(path);

	memcpy(padded, path, len < sizeof(padded) ? len : sizeof(padded) - 1);
	for (size_t i = 0; i < LAYOUT_SOCKET_WORDS; i++) {
		uint64_t v;
		memcpy(&v, padded + i * 8, 8);
		word_store_rlx(&m->header->socket_path[i], v);
	}
}

/* ---- other words of the header ------------------------------------------- */

void
map_set_tcp(const struct map *m, const uint64_t *words, size_t n)
{
	for (size_t i = 0; i < LAYOUT_TCP_WORDS; i++)
		/* relaxed: each stands for itself */
		word_store_rlx(&m->header->tcp[i], i < n ? words[i] : 0);
}

void
map_tcp(const struct map *m, uint64_t words[LAYOUT_TCP_WORDS])
{
	for (size_t i = 0; i < LAYOUT_TCP_WORDS; i++)
		words[i] = word_load_rlx(&m->header->tcp[i]);
}

void
map_set_filling(const struct map *m, uint64_t filling)
{
	word_store_rlx(&m->header->filling, filling); /* relaxed: see layout.h */
}

uint64_t
map_filling(const struct map *m)
{
	uint64_t filling = word_load_rlx(&m->header->filling); /* relaxed: no other writer */

	return filling <= SEGMENT_FROM_HAND_OVER ? filling : SEGMENT_FROM_SNAPSHOT;
}
