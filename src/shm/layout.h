/*
 * layout.h: every byte of a peekd segment.
 *
 * A segment is one POSIX shared-memory object, /peekd.NAME. It holds offsets,
 * never pointers, in fixed-width little-endian words. Every region begins at a
 * multiple of 2 MiB of the file, so that it can be mapped with huge pages. The
 * gaps between regions are holes and take no memory.
 *
 *   offset           bytes                    content
 *   0                4096                     struct header
 *   4096             4096                     struct shm_stats, the daemon's
 *                                             counters for those who look on
 *   8192             16 * n_blocks            struct block_record, one a block
 *   layout_tags_off  8 * n_tag_slots          struct word, the tag table: the
 *                                             cut-off CAS id of each tag
 *   buckets_off      64 * n_buckets_max       struct bucket, the head buckets
 *   overflow_off     64 * n_overflow_max      struct bucket, overflow buckets
 *   arena_off        n_blocks << block_shift  items and extents
 *
 * The two bucket regions are allocated as they grow, all others at creation.
 * A region that grows is allocated in the steps of layout_grown_bytes, and only
 * then is the count of its buckets raised: the count says how much of the
 * region has memory. A reader maps no more than that, so that it can't make the
 * segment take memory, whatever it does with its mapping.
 *
 * Bucket: one cache line.
 *   word 0     sequence; odd while the bucket or its overflow chain is being
 *              rewritten. Unused in an overflow bucket.
 *   word 1..7  slots. 0: empty. Tag (24 bits, the topmost set) over item offset
 *              (40 bits, in units of 8 bytes from arena_off). The last slot of
 *              a full bucket may be a link to an overflow bucket: the topmost
 *              bit clear, a filter of the tags that lie behind it (bits 32..47)
 *              and the overflow bucket's index plus 1 (32 bits). In the filter
 *              bit 47 - n is set where an item behind has n in bits 19..22 of
 *              its tag.
 *
 * Linear hashing: a key's bucket is hash mod 2^k where 2^(k-1) < n_buckets <=
 * 2^k, or hash mod 2^(k-1) where that bucket does not exist yet. Growth splits
 * bucket n - 2^(k-1) into itself and the new bucket n.
 *
 * Item: see item.h. Order of the stores: see seq.h.
 */
#ifndef PEEK_SHM_LAYOUT_H
#define PEEK_SHM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "shm/atomic.h"

/* 0x89 "peekd0" LF: a text tool that touched it shows */
#define LAYOUT_MAGIC   UINT64_C(0x0a30646b65657089)
#define LAYOUT_VERSION 4

#ifdef PEEK_MODEL
#define BUCKET_SLOTS 3u /* the model explores every interleaving: fewer slots, the same code */
#else
#define BUCKET_SLOTS 7u
#endif
#define LINK_SLOT       (BUCKET_SLOTS - 1)
#define CHAIN_LINES_MAX 8 /* head bucket included; a longer chain loses an item */

#define SLOT_TAG_BITS   24
#define SLOT_UNIT_BITS  40
#define LINK_IDX_BITS   32 /* and 16 bits of filter over them */
#define ITEM_UNIT_BYTES 8

#define LAYOUT_PAGE_BYTES    4096
#define LAYOUT_HUGE_BYTES    (UINT64_C(2) << 20)
#define LAYOUT_BLOCKTAB_OFF  8192
#define LAYOUT_BUCKETS_MIN   64
#define LAYOUT_STATS_WORDS   512
#define LAYOUT_SOCKET_WORDS  16 /* 128 bytes: a Unix socket's path is at most 108 */
#define LAYOUT_ORIGIN_WORDS  32 /* one for each group of an origin's slots */
#define LAYOUT_TCP_WORDS     8
#define LAYOUT_TAG_SLOTS_MAX 65536 /* tags have 16-bit numbers */

#define BLOCK_SHIFT_MIN 12 /* 4 KiB */
#define BLOCK_SHIFT_MAX 20 /* 1 MiB */
#ifdef PEEK_MODEL
#define BLOCK_PARTS_SHIFT 1u
#else
#define BLOCK_PARTS_SHIFT 3u /* a block that holds pieces of values has 8 parts of equal length */
#endif

/* The least geometry of an arena, tests included. No read of a reader reaches
 * further than LAYOUT_ARENA_LEAST from the arena's first byte. */
#define LAYOUT_BLOCK_SHIFT_LEAST 7
#define LAYOUT_BLOCKS_LEAST      16
#define LAYOUT_ARENA_LEAST       ((uint64_t)LAYOUT_BLOCKS_LEAST << LAYOUT_BLOCK_SHIFT_LEAST)

/* The count word: the number of buckets, and a bit that tells readers to attach
 * anew. */
#define COUNT_RETIRED (UINT64_C(1) << 63)
#define COUNT_MASK    (~COUNT_RETIRED)

/* The cut-off word: items with a CAS id at or below it are flushed. The pending
 * bit says that flush_at_s holds the time of a flush to come; readers judge
 * that time only after the heartbeat has stopped. */
#define CUTOFF_PENDING (UINT64_C(1) << 63)
#define CUTOFF_MASK    (~CUTOFF_PENDING)

/*
 * The segment's clock counts seconds of CLOCK_BOOTTIME in the host's own time
 * namespace, plus this base, so that 1 is a moment that has always passed. The
 * clock word: seconds in the upper half; in the lower half the low 32 bits of
 * CLOCK_MONOTONIC in milliseconds, which is the heartbeat.
 */
#define CLOCK_BASE_S 2

/*
 * header.filling: a segment whose word is not SEGMENT_WHOLE was left by a
 * daemon that was still loading it. The daemon stores the word, relaxed, and
 * its successor alone judges by it. seq_crash_order orders it against the
 * stores before and after it.
 */
enum { SEGMENT_WHOLE, SEGMENT_FROM_SNAPSHOT, SEGMENT_FROM_HAND_OVER };

/*
 * header.tcp: a loopback address that the daemon listens at, or all addresses.
 * Family (8 bits: 4, 6; 0: no address), 8 bits of 0, port (16), address (32).
 * For family 4 the address is the number: 0x7f000001 for 127.0.0.1, 0 for all.
 * For family 6 it is 1 for ::1, 0 for all.
 */
static inline uint64_t
layout_tcp(unsigned family, uint32_t address, uint16_t port)
{
	return (uint64_t)family << 56 | (uint64_t)port << 32 | address;
}

/*
 * header.origin: one word for each group of an origin's slots: the cut-off CAS
 * id (48 bits), and over it the end of the lease (16 bits, in units of 16 ms).
 */

struct header {
	/* line 0: identity; plain until the magic is published, then const */
	struct word magic;       /* LAYOUT_MAGIC, stored last [S5] */
	struct word version;     /* LAYOUT_VERSION */
	struct word fingerprint; /* LAYOUT_FINGERPRINT */
	struct word total_bytes; /* of the object */
	struct word hash_seed;   /* random, of this segment */
	struct word generation;  /* counts the segments of this name */
	struct word created_unix_s;
	struct word writer_uid; /* effective uid of the daemon that created it */

	/* line 1: what a get loads; seldom written */
	struct word count;      /* number of buckets | COUNT_RETIRED */
	struct word cutoff;     /* flush cut-off CAS id | CUTOFF_PENDING */
	struct word clock;      /* see CLOCK_BASE_S */
	struct word flush_at_s; /* segment clock; meaningful with CUTOFF_PENDING */
	struct word hot_spare[4];

	/* line 2: geometry, constant */
	struct word block_shift; /* log2 of a block's bytes */
	struct word n_blocks;
	struct word buckets_off;
	struct word n_buckets_max;
	struct word overflow_off;
	struct word n_overflow_max;
	struct word arena_off;
	struct word n_tag_slots;

	/* line 3: the writer */
	struct word writer_pid; /* 0: ended cleanly */
	/* starts of a daemon on this segment: a reader's hints belong to one
	 * epoch */
	struct word writer_epoch;
	struct word cas_reserved; /* no CAS id above it was ever given */
	struct word item_max_bytes;
	struct word n_overflow; /* overflow buckets that were ever handed out */
	struct word writer_started_unix_s;
	struct word recovered_items;
	struct word filling; /* SEGMENT_WHOLE, or the source that it is still filled from */

	/* the control socket's path, NUL-padded */
	struct word socket_path[LAYOUT_SOCKET_WORDS];

	struct word origin[LAYOUT_ORIGIN_WORDS]; /* see above; nothing stores it yet */
	struct word tcp[LAYOUT_TCP_WORDS];       /* see layout_tcp */
};

struct block_record {
	struct word incarnation; /* raised before the block is rewritten [S3] */
	/* for a successor only: log, TTL class and age; a wrong value costs the
	 * order of items, not items */
	struct word role;
};

struct bucket {
	struct word seq;
	struct word slot[BUCKET_SLOTS];
};

struct shm_stats {
	struct word value[LAYOUT_STATS_WORDS]; /* indexed by enum shm_stat (stats.h) */
};

_Static_assert(sizeof(struct header) <= LAYOUT_PAGE_BYTES, "the header is one page");
_Static_assert(offsetof(struct header, count) == 64, "what a get loads is one line");
_Static_assert(
    offsetof(struct header, socket_path) == 256, "the path has stood here in every layout");
_Static_assert(offsetof(struct header, origin) == 384, "origin begins a line");
_Static_assert(sizeof(struct block_record) == 16, "two words a block");
#ifndef PEEK_MODEL
_Static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");
#endif

/* Two programs that disagree about any of these refuse each other. Raise
 * LAYOUT_VERSION when a meaning changes that no number here shows. */
#define LAYOUT_MIX(h, v) (((h) ^ (uint64_t)(v)) * UINT64_C(0x9e3779b97f4a7c15))
/* clang-format off */
#define LAYOUT_FINGERPRINT \
	LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX( \
	LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX( \
	    UINT64_C(0xcbf29ce484222325), \
	    LAYOUT_VERSION), \
	    sizeof(struct header)), \
	    sizeof(struct bucket)), \
	    offsetof(struct header, origin) << 16 | offsetof(struct header, tcp)), \
	    (uint64_t)LAYOUT_TAG_SLOTS_MAX << 16 | (LAYOUT_STEP_MIN_BYTES | LAYOUT_STEP_PARTS)), \
	    sizeof(struct block_record)), \
	    offsetof(struct header, count)), \
	    offsetof(struct header, block_shift)), \
	    offsetof(struct header, socket_path)), \
	    (SLOT_TAG_BITS << 8) | SLOT_UNIT_BITS), \
	    (ITEM_HEADER_BYTES << 16) | ITEM_STATE_LAYOUT_BITS), \
	    (BLOCK_PARTS_SHIFT << 16) | (CLOCK_BASE_S << 8) | CHAIN_LINES_MAX)
/* clang-format on */

/* Item header (item.h has the arithmetic). */
#define ITEM_HEADER_BYTES 16
#define ITEM_KEY_MAX      250
#define ITEM_VALUE_MAX    ((UINT32_C(1) << 24) - 1)
#define ITEM_CAS_MAX      ((UINT64_C(1) << 48) - 1)

/* State bits. The first group says how the item is laid out, or what it stands
 * for, and never changes. The second group is stored in place. */
#define ITEM_COUNTER 0x0001u /* a 64-bit counter before the key stands for the value */
#define ITEM_EXTENTS 0x0002u /* the value's whole blocks are listed, its rest follows */
#define ITEM_FLAGS   0x0004u /* a word with the client's flags stands before the key */
#define ITEM_KEY_B64 0x0008u /* was stored with an encoded key; meta replies show it so */
/* came from an origin: it lives no longer than the lease of its group */
#define ITEM_ORIGIN 0x0010u
/* With ITEM_ORIGIN: the origin has no such key. Alone: a client is making the
 * key's value, and this is its place. To a reader both are a miss. */
#define ITEM_ABSENT 0x0020u
/* a word with the numbers of up to four tags stands before the key */
#define ITEM_TAGS              0x0040u
#define ITEM_STATE_LAYOUT_BITS 0x007fu
#define ITEM_STALE             0x0100u /* marked by an invalidation */
#define ITEM_WON               0x0200u /* somebody was told to fill it anew */
#define ITEM_FETCHED           0x0400u /* was read through the socket since it was stored */
/* of an item from an origin: the index of its word in header.origin */
#define ITEM_GROUP       0xf800u
#define ITEM_GROUP_SHIFT 11

/* Items that only the pinned tier of a read handles: the fast and the general
 * tier know header, flags, key and value alone. */
#define ITEM_PINNED_ONLY (ITEM_COUNTER | ITEM_EXTENTS | ITEM_ORIGIN | ITEM_ABSENT | ITEM_TAGS)

/* ---- what grows, and the tag table --------------------------------------- */

#define LAYOUT_STEP_MIN_BYTES 4096u
#define LAYOUT_STEP_PARTS     8u

/*
 * The bytes of a region of n_max buckets that have memory once its first n are
 * in use: n, rounded up to an eighth of the largest power of two in it, at
 * least a page. So a reader that follows a table's growth maps 8 times while
 * the table doubles, and at most an eighth of a table waits to be used. Total:
 * n may be any number.
 */
static inline uint64_t
layout_grown_bytes(uint64_t n, uint64_t n_max)
{
	uint64_t n_used = n == 0 ? 1
	    : n < n_max          ? n
				 : n_max,
		 bytes = n_used * sizeof(struct bucket);
	uint64_t step = (UINT64_C(1) << (63 - __builtin_clzll(bytes))) / LAYOUT_STEP_PARTS;
	uint64_t all = (n_max * sizeof(struct bucket) + LAYOUT_PAGE_BYTES - 1) &
	    ~(uint64_t)(LAYOUT_PAGE_BYTES - 1);

	step = step < LAYOUT_STEP_MIN_BYTES ? LAYOUT_STEP_MIN_BYTES : step;
	bytes = (bytes + step - 1) & ~(step - 1);
	return bytes < all ? bytes : all;
}

/* The offset of the tag table. */
static inline uint64_t
layout_tags_off(uint64_t n_blocks)
{
	return (LAYOUT_BLOCKTAB_OFF + n_blocks * sizeof(struct block_record) + 63) & ~UINT64_C(63);
}

#endif
