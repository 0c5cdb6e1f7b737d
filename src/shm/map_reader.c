/*
 * map_reader.c: a segment as a reader maps it (map_reader.h).
 */
#include "shm/map_reader.h"

#include <errno.h>
#include <sys/mman.h>

static int
error_of_mmap(int saved_errno)
{
	return saved_errno == ENOMEM || saved_errno == EAGAIN ? -ENOMEM : -EIO;
}

static uint64_t
whole_pages(uint64_t bytes)
{
	return (bytes + LAYOUT_PAGE_BYTES - 1) & ~(uint64_t)(LAYOUT_PAGE_BYTES - 1);
}

/* Maps bytes [off, off + bytes) of the object at their place in the reserved
 * addresses. */
static int
map_part(int fd, const struct map *m, uint64_t off, uint64_t bytes)
{
	char *at = (char *)m->header + off;

	if (mmap(at, whole_pages(bytes), PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)off) ==
	    MAP_FAILED)
		return error_of_mmap(errno);
	return 0;
}

int
map_reader_reserve(int fd, size_t total_bytes, struct map *m)
{
	uint64_t bytes = whole_pages(total_bytes);
	char *area = mmap(NULL, bytes + LAYOUT_HUGE_BYTES, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return error_of_mmap(errno);
	size_t before =
	    (LAYOUT_HUGE_BYTES - (uintptr_t)area % LAYOUT_HUGE_BYTES) % LAYOUT_HUGE_BYTES;
	char *at = area + before;

	if (before > 0)
		munmap(area, before);
	if (before < LAYOUT_HUGE_BYTES)
		munmap(at + bytes, LAYOUT_HUGE_BYTES - before);
	m->total_bytes = total_bytes;
	m->header = (struct header *)(void *)at;
	m->stats = (struct shm_stats *)(void *)(at + LAYOUT_PAGE_BYTES);
	m->blocks = (struct block_record *)(void *)(at + LAYOUT_BLOCKTAB_OFF);
	return map_part(fd, m, 0, LAYOUT_BLOCKTAB_OFF);
}

/* The number of buckets in the mapped bytes of a region. */
static uint64_t
buckets_in(uint64_t bytes, uint64_t n_max)
{
	uint64_t n = bytes / sizeof(struct bucket);

	return n < n_max ? n : n_max;
}

/* The bytes of each region that have memory, by the counts of this moment. */
static void
map_reader_grown(const struct map *m, uint64_t *ret_buckets, uint64_t *ret_overflow)
{
	/* relaxed: a count that is seen was raised after its memory had come */
	uint64_t n_buckets = word_load_rlx(&m->header->count) & COUNT_MASK;
	uint64_t n_overflow = word_load_rlx(&m->header->n_overflow);

	*ret_buckets = layout_grown_bytes(n_buckets, m->n_buckets_max);
	*ret_overflow = layout_grown_bytes(n_overflow, m->n_overflow_max);
}

int
map_reader_fill(int fd, struct map *m)
{
	uint64_t head = layout_tags_off(m->n_blocks) + m->n_tag_slots * sizeof(struct word),
		 buckets, overflow;
	int r;

	map_reader_grown(m, &buckets, &overflow);
	if ((r = map_part(fd, m, 0, head)) != 0 ||
	    (r = map_part(fd, m, m->buckets_off, buckets)) != 0 ||
	    (r = map_part(fd, m, m->overflow_off, overflow)) != 0 ||
	    (r = map_part(fd, m, m->arena_off, m->arena_bytes)) != 0)
		return r;
	m->n_buckets_mapped = buckets_in(buckets, m->n_buckets_max);
	m->n_overflow_mapped = buckets_in(overflow, m->n_overflow_max);
	return 0;
}

/*
 * Maps the bytes of a region from `mapped` up to `wanted`. The object isn't
 * opened again, and its descriptor was closed long ago. mremap of no bytes
 * makes a second mapping of shared memory, here of the last mapped page, and
 * longer than that page. The kernel chooses its place; a second mremap moves it
 * to the region.
 */
static int
map_more(void *region, uint64_t mapped, uint64_t wanted)
{
	char *at = (char *)region + mapped;
	uint64_t more = wanted - mapped;
	char *aside = mremap(at - LAYOUT_PAGE_BYTES, 0, LAYOUT_PAGE_BYTES + more, MREMAP_MAYMOVE);

	if (aside == MAP_FAILED)
		return error_of_mmap(errno);
	if (mremap(aside + LAYOUT_PAGE_BYTES, more, more, MREMAP_MAYMOVE | MREMAP_FIXED, at) ==
	    MAP_FAILED) {
		int saved = errno;
		munmap(aside, LAYOUT_PAGE_BYTES + more);
		return error_of_mmap(saved);
	}
	munmap(aside, LAYOUT_PAGE_BYTES);
	return 0;
}

int
map_extend(const struct map *m, struct map *ret)
{
	uint64_t buckets, overflow;
	/* what is mapped ends with a step, and a step with a bucket */
	uint64_t had_buckets = layout_grown_bytes(m->n_buckets_mapped, m->n_buckets_max);
	uint64_t had_overflow = layout_grown_bytes(m->n_overflow_mapped, m->n_overflow_max);
	struct map more = *m;
	int r = 0;

	map_reader_grown(m, &buckets, &overflow);
	if (buckets <= had_buckets && overflow <= had_overflow)
		return -EALREADY;
	if (buckets > had_buckets && (r = map_more(m->buckets, had_buckets, buckets)) == 0)
		more.n_buckets_mapped = buckets_in(buckets, m->n_buckets_max);
	if (r == 0 && overflow > had_overflow &&
	    (r = map_more(m->overflow, had_overflow, overflow)) == 0)
		more.n_overflow_mapped = buckets_in(overflow, m->n_overflow_max);
	if (r == 0)
		*ret = more;
	return r;
}
