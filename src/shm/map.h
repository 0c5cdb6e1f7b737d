/*
 * map.h: creating, opening and validating a segment. This room makes system
 * calls in map.c, map_reader.c and clock.c alone.
 *
 * A struct map is one mapped segment. After map_create or map_open returned it
 * never changes, so that any number of threads may use it. map_close ends it.
 * Nothing here logs. Errors are negative errno values, each with one meaning:
 *
 *   -EINVAL      the name or the geometry is not allowed
 *   -ENOENT      there is no such segment
 *   -EACCES      the object's mode doesn't admit this user
 *   -EPERM       the object is not to be trusted: wrong owner, writable by
 *                others, not a regular file, linked elsewhere
 *   -EPROTO      a segment of another layout or build (fingerprint)
 *   -EBADMSG     not a segment, or a damaged or truncated one
 *   -ENOSPC      shared memory has no room
 *   -ENOMEM      address space, heap
 *   -EIO         any other failure of the kernel; errno is left as it was
 */
#ifndef PEEK_SHM_MAP_H
#define PEEK_SHM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/layout.h"

#define MAP_NAME_MAX 64 /* bytes of an instance's name; [A-Za-z0-9._-], not beginning with a dot */

struct map {
	struct header *header;
	struct shm_stats *stats;
	struct block_record *blocks;
	struct bucket *buckets;
	struct bucket *overflow;
	struct word *arena;
	struct word *tags;
	uint64_t seed;
	uint64_t n_buckets_max;
	uint64_t n_overflow_max;
	/* A reader has [0, n) of each region mapped; see map_extend. The daemon
	 * has all. */
	uint64_t n_buckets_mapped;
	uint64_t n_overflow_mapped;
	uint64_t n_blocks;
	uint64_t n_tag_slots;
	uint64_t arena_bytes;
	unsigned block_shift;
	/* of the mapping */
	uint64_t buckets_off, overflow_off, arena_off;
	uint64_t generation;
	size_t total_bytes;
	int fd; /* -1 in a reader once it is mapped */
};

struct geometry {
	unsigned block_shift;
	uint64_t n_blocks;
	uint64_t n_buckets_max, n_overflow_max, n_tag_slots;
	uint64_t buckets_off, overflow_off, arena_off, total_bytes;
};

/* True if `name` may name an instance. */
bool map_name_ok(const char *name);

/* True if peekd.NAME is an object that a daemon keeps beside a segment: its
 * lock, a segment being built, a retired segment. */
bool map_name_is_beside(const char *name);

/*
 * Computes the geometry for an arena of about arena_bytes, rounded down to
 * whole blocks. block_shift 0 chooses the power of two next to arena_bytes /
 * 1024, between 4 KiB and 1 MiB. -EINVAL: the arena is too large, or too small:
 * under 64 blocks, or under 16 blocks of a size that was given. n_tag_slots
 * becomes a word for each 256 bytes of the arena, as a power of two of 64 to
 * 65536; 64 where block_shift was given.
 */
int map_plan_geometry(uint64_t arena_bytes, unsigned block_shift, struct geometry *ret);

/*
 * Creates the object under `object` ("peekd.NAME" or a temporary name beside
 * it; it must not exist: -EEXIST), allocates the header, the block table, the
 * first buckets and the whole arena, and writes the header but for the magic:
 * the caller publishes with map_publish once its contents are complete. mode
 * and gid are set whatever the umask; gid (gid_t)-1: unchanged. -ENOSPC leaves
 * nothing behind.
 */
int map_create(const char *object, const struct geometry *g, mode_t mode, gid_t gid, uint64_t seed,
    uint64_t generation, const char *socket_path, struct map *ret);
void map_publish(struct map *m);

/*
 * Opens an existing object: writable for the daemon; read-only for a reader,
 * which maps only the parts that have memory (map_reader.h). The owner must be
 * root, the caller's effective user, or owner_uid ((uid_t)-1: none). In a user
 * namespace the overflow user stands for everybody who has no number there: an
 * object that shows it is the caller's only if the kernel takes the caller for
 * the owner. Checks the magic, the fingerprint, that every region lies inside
 * the object, and the object's true size.
 */
int map_open(const char *object, bool writable, uid_t owner_uid, struct map *ret);

/*
 * For a reader that met a bucket beyond the mapped ones: *ret is *m with the
 * steps that have got memory since, in the same place. At most a few system
 * calls, and at most 8 times while a region doubles. *m stays valid. One thread
 * at a time for one mapping. -EALREADY: no step has come, so that the count or
 * link that led there is damaged; -ENOMEM; -EIO.
 */
int map_extend(const struct map *m, struct map *ret);

/* Reads the control socket's path of a segment that was refused, if its owner
 * and its magic are right. buf holds 128 bytes. */
int map_peek_socket(const char *object, uid_t owner_uid, char *buf, size_t buf_cap);

/* Maps shared memory at a 2 MiB boundary, so that its huge pages can be mapped
 * as such. munmap ends it. NULL: errno says why. */
void *map_aligned(int fd, size_t bytes, bool writable);

/* Unmaps and closes. The object stays. */
void map_close(struct map *m);

/* Makes sure that buckets [0, n) of the head or the overflow region have
 * memory. -ENOSPC: they have none, and nothing changed. */
int map_allocate_buckets(const struct map *m, uint64_t n);
int map_allocate_overflow(const struct map *m, uint64_t n);

/* The same for both regions at once, for the counts that a successor finds.
 * Memory that was allocated before stays. */
int map_allocate_table(const struct map *m, uint64_t n_buckets, uint64_t n_overflow);

/* Turns one 2 MiB page of the mapping into a huge page, for all processes;
 * page: aligned to LAYOUT_HUGE_BYTES. Holes in it get memory. Takes about 1 ms.
 * 0, or a negative errno: the kernel gives no huge page. */
int map_collapse(const void *page);

/* The control socket's path as the header has it. buf holds 8 *
 * LAYOUT_SOCKET_WORDS bytes. */
void map_socket_path(const struct map *m, char *buf);
void map_set_socket_path(const struct map *m, const char *path);

/* The loopback addresses as layout_tcp has them, for clients that know an
 * instance by its port. Words after the n-th are cleared. */
void map_set_tcp(const struct map *m, const uint64_t *words, size_t n);
void map_tcp(const struct map *m, uint64_t words[LAYOUT_TCP_WORDS]);

/* header.filling. A word that no layout knows counts as SEGMENT_FROM_SNAPSHOT,
 * since a segment with such a word is not whole. */
void map_set_filling(const struct map *m, uint64_t filling);
uint64_t map_filling(const struct map *m);

/* The path of an object below the shared-memory file system, for rename and
 * unlink. -EINVAL: buf is too small. */
int map_object_path(const char *object, char *buf, size_t buf_cap);

#endif
