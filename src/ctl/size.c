/*
 * size.c: computes the memory that a number of items needs.
 *
 *   an item      takes 16 bytes, 8 more for client flags that are not 0, its
 *                key and its value, rounded up to 8 (item.h). An item above
 *                half a block keeps its value in parts of blocks, and the last
 *                part is not full
 *   a block      has unused bytes at its end, since the next item didn't fit:
 *                half an item on average; with items of one size, the rest
 *   the arena    keeps 6 % of its blocks open, for each log and class of times
 *                to live, or in reserve
 *   the table    takes 71 bytes for 3.6 items: a line of 64 bytes, and a ninth
 *                of an overflow line. It begins with some lines more, since few
 *                items fall unevenly
 *
 * The length of a block follows from the arena's, so the arena is raised until
 * the items fit.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "ctl/ctl.h"
#include "shm/item.h"
#include "shm/map.h"

#define ARENA_USABLE     0.94
#define ITEMS_PER_BUCKET 3.6
#define BYTES_PER_BUCKET 71
#define MIB              (UINT64_C(1) << 20)
#define ARENA_MAX_BYTES  (UINT64_C(1) << 41)
#define ITEM_DEFAULT_MAX MIB /* max_item_size by default */
#define SAMPLE_MAX       (UINT64_C(1) << 40)

/* A sample's sizes: a histogram with the number of items of each class. The
 * sums are exact. */
#define N_CLASSES 512
struct sizes {
	uint64_t n, sum_bytes[N_CLASSES], n_of[N_CLASSES];
	uint64_t key_bytes, value_bytes;
	uint64_t largest_bytes;
	/* all items have the mean size; real sizes around it are rounded up by
	 * 3.5 bytes on average */
	bool means;
};

/* Each power of two has four classes. */
static unsigned
class_of(uint64_t bytes)
{
	unsigned log = 63 - (unsigned)__builtin_clzll(bytes | 4);

	return log * 4 + (unsigned)(bytes >> (log - 2) & 3);
}

static void
size_add(struct sizes *s, uint64_t key_bytes, uint64_t value_bytes)
{
	uint64_t exact = ITEM_HEADER_BYTES + key_bytes + value_bytes;
	uint64_t bytes = ITEM_ALIGN(exact);

	if (s->means && bytes < exact + 4)
		bytes = exact + 4;
	unsigned i = class_of(bytes);
	s->n++;
	s->n_of[i]++;
	s->sum_bytes[i] += bytes;
	s->key_bytes += key_bytes;
	s->value_bytes += value_bytes;
	if (bytes > s->largest_bytes)
		s->largest_bytes = bytes;
}

/* The arena's bytes for n_items of the sample's distribution, with blocks of
 * this length. */
static double
arena_needed(const struct sizes *s, double n_items, unsigned block_shift)
{
	double block = (double)(UINT64_C(1) << block_shift), sum = 0;
	double inline_bytes = 0, inline_n = 0;

	for (unsigned i = 0; i < N_CLASSES; i++) {
		if (s->n_of[i] == 0)
			continue;
		double mean = (double)s->sum_bytes[i] / (double)s->n_of[i];
		uint32_t bytes = mean < ITEM_VALUE_MAX ? (uint32_t)mean : ITEM_VALUE_MAX;
		if (item_wants_extents(0, 0, bytes, UINT64_C(1) << block_shift)) {
			struct item_shape shape = item_shape(ITEM_EXTENTS, 0, bytes, block_shift);
			sum += (double)s->n_of[i] * (double)item_parts(&shape) * block /
			    (1 << BLOCK_PARTS_SHIFT);
			inline_bytes += (double)(s->n_of[i] * shape.record_bytes);
		} else {
			inline_bytes += (double)s->sum_bytes[i];
		}
		inline_n += (double)s->n_of[i];
	}
	double mean = inline_bytes / inline_n, filled = (double)(uint64_t)(block / mean) * mean;
	if (filled > block - mean / 2)
		filled = block - mean / 2;
	sum += inline_bytes * block / filled;
	return sum * (n_items / (double)s->n) / ARENA_USABLE;
}

/* The smallest arena, in whole MiB, that holds the items. 0: none does. */
static uint64_t
size_plan(const struct sizes *s, double n_items, struct geometry *ret)
{
	double sum = 0;

	for (unsigned i = 0; i < N_CLASSES; i++)
		sum += (double)s->sum_bytes[i];
	sum *= n_items / (double)s->n;
	if (sum > (double)ARENA_MAX_BYTES)
		return 0;
	uint64_t arena =
	    (uint64_t)sum > 2 * s->largest_bytes ? (uint64_t)sum : 2 * s->largest_bytes;
	for (;;) {
		arena = (arena + MIB - 1) / MIB * MIB;
		if (arena > ARENA_MAX_BYTES || map_plan_geometry(arena, 0, ret) != 0)
			return 0;
		double need = arena_needed(s, n_items, ret->block_shift);
		if (need <= (double)arena)
			return arena;
		if (need > (double)ARENA_MAX_BYTES)
			return 0;
		/* A larger arena has longer blocks and may need less: go
		 * half of the way, so as not to pass the smallest one. */
		arena += (uint64_t)(need - (double)arena) / 2 + 1;
	}
}

static int
read_sample(const char *path, struct sizes *s)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char line[256];
	uint64_t n_line = 0;
	int status = CTL_OK;

	if (f == NULL)
		return ctl_error(NULL, "can't read %s: %s", path, strerror(errno));
	while (status == CTL_OK && fgets(line, sizeof(line), f) != NULL) {
		char key[24], value[24], more;
		uint64_t key_bytes, value_bytes;
		n_line++;
		int n = sscanf(line, "%23s %23s %c", key, value, &more);
		if (n == EOF)
			continue;
		if (n != 2 || !ctl_number(key, PEEK_KEY_MAX_BYTES, &key_bytes) || key_bytes == 0 ||
		    !ctl_number(value, PEEK_VALUE_MAX_BYTES, &value_bytes))
			status = ctl_error(
			    "A line has two numbers: bytes of a key (1 to 250) and of its value.",
			    "%s:%" PRIu64 ": found \"%.*s\"", path, n_line,
			    (int)strcspn(line, "\n"), line);
		else
			size_add(s, key_bytes, value_bytes);
	}
	if (status == CTL_OK && ferror(f))
		status = ctl_error(NULL, "can't read %s: %s", path, strerror(errno));
	if (f != stdin)
		fclose(f);
	if (status == CTL_OK && s->n == 0)
		status = ctl_error(NULL, "%s has no sizes", path);
	return status;
}

static int
bad_number(const char *what, const char *word, const char *allowed)
{
	return ctl_error(NULL, "%s: found \"%s\", allowed is %s", what, word, allowed);
}

static int
read_words(const struct ctl *c, struct sizes *s, uint64_t *n_items)
{
	uint64_t key_bytes, value_bytes;

	if (c->n_args > 0 && (!ctl_number(c->args[0], SAMPLE_MAX, n_items) || *n_items == 0))
		return bad_number("items", c->args[0], "a number above 0");
	if (c->file != NULL) {
		if (c->n_args > 1)
			return ctl_error(NULL, "usage: peekctl size -f FILE [ITEMS]");
		int status = read_sample(c->file, s);
		if (status == CTL_OK && c->n_args == 0)
			*n_items = s->n;
		return status;
	}
	if (c->n_args != 3)
		return ctl_error(
		    "Or give a file with two numbers in each line, the bytes of a key and of "
		    "its value: peekctl size -f FILE [ITEMS]",
		    "usage: peekctl size ITEMS KEY-BYTES VALUE-BYTES");
	if (!ctl_number(c->args[1], PEEK_KEY_MAX_BYTES, &key_bytes) || key_bytes == 0)
		return bad_number("bytes of a key", c->args[1], "1 to 250");
	if (!ctl_number(c->args[2], PEEK_VALUE_MAX_BYTES, &value_bytes))
		return bad_number("bytes of a value", c->args[2], "0 to 16777215");
	s->means = true;
	size_add(s, key_bytes, value_bytes);
	return CTL_OK;
}

/*
 * Tells if /dev/shm is too small. The daemon allocates the memory for items at
 * its start, but the table's only when it grows, and would fail then.
 */
static void
say_room(uint64_t shm_bytes)
{
	struct statvfs vfs;

	if (statvfs("/dev/shm", &vfs) != 0)
		return;
	uint64_t size = (uint64_t)vfs.f_blocks * vfs.f_frsize,
		 left = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (left >= shm_bytes)
		return;
	fflush(stdout);
	fprintf(stderr,
	    "peekctl: /dev/shm has %" PRIu64 " MiB, %" PRIu64
	    " of them free, but items and table take %" PRIu64
	    ": mount -o remount,size=... /dev/shm, or docker run --shm-size\n",
	    size / MIB, left / MIB, shm_bytes / MIB + 1);
}

int
ctl_cmd_size(struct ctl *c)
{
	struct sizes s = {.n = 0};
	struct geometry g;
	struct output r;
	uint64_t n_items = 0;
	char options[80];
	int status = read_words(c, &s, &n_items);

	if (status != CTL_OK)
		return status;
	uint64_t arena = size_plan(&s, (double)n_items, &g);
	if (arena == 0)
		return ctl_refused(
		    NULL, "these items need more than 2 TiB, the most that an instance can have");
	uint64_t n_buckets = (uint64_t)((double)n_items / ITEMS_PER_BUCKET) + LAYOUT_BUCKETS_MIN;
	/* Table and header begin at a multiple of 2 MiB each, and the last huge
	 * page of each may be half empty. */
	uint64_t table = n_buckets * BYTES_PER_BUCKET,
		 header = LAYOUT_BLOCKTAB_OFF + g.n_blocks * sizeof(struct block_record);
	uint64_t shm = arena +
	    (table + header + LAYOUT_HUGE_BYTES - 1) / LAYOUT_HUGE_BYTES * LAYOUT_HUGE_BYTES +
	    LAYOUT_HUGE_BYTES;

	int n = snprintf(options, sizeof(options), "-m %" PRIu64, arena / MIB);
	if (s.largest_bytes > ITEM_DEFAULT_MAX - 1024)
		snprintf(options + n, sizeof(options) - (size_t)n, " -I %" PRIu64,
		    s.largest_bytes + 1024);
	output_begin(&r, c->json, 20);
	output_u64(&r, "items", n_items);
	output_u64(&r, "mean_key_bytes", (s.key_bytes + s.n / 2) / s.n);
	output_u64(&r, "mean_value_bytes", (s.value_bytes + s.n / 2) / s.n);
	output_u64(&r, "memory_limit_bytes", arena);
	output_u64(&r, "segment_bytes", UINT64_C(1) << g.block_shift);
	output_u64(&r, "table_bytes", table);
	output_u64(&r, "shm_bytes", shm);
	output_text(&r, "options", options);
	output_end(&r);
	say_room(shm);
	return ctl_flushed(CTL_OK);
}
