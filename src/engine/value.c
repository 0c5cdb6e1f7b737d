/*
 * value.c: an item's bytes.
 */
#include "engine/value.h"

#include <string.h>

#include "base/number.h"
#include "engine/crash.h"

uint64_t
value_extents_max(const struct arena *a, uint64_t value_bytes)
{
	return (value_bytes >> a->block_shift) + 1;
}

void
value_plan(const struct arena *a, struct value_write *w, uint32_t state)
{
	w->state = state | (w->flags != 0 ? ITEM_FLAGS : 0);
	if (item_wants_extents(w->state, w->key_bytes, w->value_bytes, a->block_bytes))
		w->state |= ITEM_EXTENTS;
	w->shape = item_shape(w->state, w->key_bytes, w->value_bytes, a->block_shift);
}

/* Leads the copy to piece w->piece. */
static void
begin_piece(struct arena *a, struct value_write *w)
{
	uint64_t at = w->item_off + w->shape.value_at;

	w->piece_room = w->shape.tail_bytes;
	if (w->piece < w->shape.n_extents) {
		uint32_t extent = arena_extent(a, w->item_off, &w->shape, w->piece);
		at = item_extent_off(&w->shape, w->piece, extent, a->block_shift);
		w->piece_room = UINT64_C(1)
		    << item_extent_shift(&w->shape, w->piece, a->block_shift);
	}
	w->to = (struct copy_in){.at = arena_word(a, at)};
}

static uint32_t
take_piece(struct arena *a, const struct value_write *w, uint32_t i)
{
	uint32_t piece =
	    i < w->shape.n_whole ? arena_take_extent(a) : arena_take_part(a, ARENA_RESERVE);

	CHECK(piece != ARENA_NONE); /* value_begin: there is room */
	return piece;
}

void
value_begin(struct arena *a, struct value_write *w, uint64_t cas)
{
	w->item_off =
	    arena_append(a, w->log, w->ttl_class, w->shape.record_bytes, ARENA_RESERVE - 1);
	w->to = (struct copy_in){.at = arena_word(a, w->item_off)};
	CHECK(w->item_off != ARENA_NO_ROOM);
	copy_in_word(&w->to, item_word0(w->expiry_s, w->value_bytes, w->key_bytes));
	copy_in_word(&w->to, item_word1(cas, w->state));
	if ((w->state & ITEM_COUNTER) != 0)
		copy_in_word(&w->to, w->counter);
	if ((w->state & ITEM_FLAGS) != 0)
		copy_in_word(&w->to, w->flags);
	if ((w->state & ITEM_TAGS) != 0)
		copy_in_word(&w->to, w->tags);
	copy_in_bytes(&w->to, w->key, w->key_bytes);
	w->piece = 0;
	if ((w->state & ITEM_EXTENTS) == 0) {
		w->piece_room = w->value_bytes; /* right behind the key, in the same run */
		return;
	}
	copy_in_end(&w->to);
	for (uint32_t i = 0; i < w->shape.n_extents; i += 2) {
		uint64_t pair = take_piece(a, w, i);
		if (i + 1 < w->shape.n_extents)
			pair |= (uint64_t)take_piece(a, w, i + 1) << 32;
		copy_in_word(&w->to, pair);
	}
	CRASH_POINT("extents:listed");
	begin_piece(a, w);
}

void
value_append(struct arena *a, struct value_write *w, const void *src, uint64_t n)
{
	const unsigned char *p = src;

	while (n > 0) {
		CHECK(w->piece_room > 0); /* else the value is longer than planned */
		uint64_t here = n < w->piece_room ? n : w->piece_room;
		copy_in_bytes(&w->to, p, here);
		p += here;
		n -= here;
		w->piece_room -= here;
		if (w->piece_room == 0 && w->piece < w->shape.n_extents) {
			copy_in_end(&w->to);
			CRASH_POINT("extents:piece written");
			w->piece++;
			begin_piece(a, w);
		}
	}
}

void
value_append_record(struct arena *a, struct value_write *w, const struct record *from)
{
	unsigned char buf[4096];
	uint64_t total = item_value_bytes(from->word0), at = 0;

	if ((item_state(from->word1) & ITEM_COUNTER) != 0) {
		value_append(a, w, buf,
		    (size_t)(number_digits((char *)buf, record_counter(a, from)) - (char *)buf));
		return;
	}
	while (at < total) {
		uint64_t n = total - at < sizeof(buf) ? total - at : sizeof(buf);
		value_read(a, from, at, n, buf);
		value_append(a, w, buf, n);
		at += n;
	}
}

void
value_end(struct value_write *w)
{
	/* a value without a tail may leave its last whole block partly empty */
	CHECK(w->piece + 1 >= w->shape.n_extents);
	CHECK(w->piece_room == 0 || w->shape.tail_bytes == 0);
	copy_in_end(&w->to);
}

void
value_read(const struct arena *a, const struct record *r, uint64_t from, uint64_t n, void *buf)
{
	const struct item_shape *shape = &r->shape;
	uint64_t in_whole = (uint64_t)shape->n_whole << a->block_shift;
	uint64_t in_extents = item_parts(shape) << (a->block_shift - BLOCK_PARTS_SHIFT);
	unsigned char *out = buf;

	CHECK(from + n <= item_value_bytes(r->word0));
	while (n > 0) {
		uint64_t skip = from - in_extents, at = r->off + shape->value_at, room = n;
		if (from < in_extents) {
			bool whole = from < in_whole;
			unsigned shift = a->block_shift - (whole ? 0 : BLOCK_PARTS_SHIFT);
			uint64_t in_kind = whole ? from : from - in_whole;
			uint32_t piece =
			    (uint32_t)(in_kind >> shift) + (whole ? 0 : shape->n_whole);
			skip = in_kind & ((UINT64_C(1) << shift) - 1);
			at = (uint64_t)arena_extent(a, r->off, shape, piece) << shift;
			room = (UINT64_C(1) << shift) - skip;
		}
		uint64_t here = n < room ? n : room;
		copy_out(out, arena_word(a, at), (at & 7) + skip, here);
		out += here;
		from += here;
		n -= here;
	}
}
