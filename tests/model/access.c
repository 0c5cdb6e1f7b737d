/*
 * access.c: what src/shm/atomic.h and the scenarios call: an access becomes a
 * step of the exploration.
 */
#include "model/core.h"

static uint64_t
raw_load(const void *addr, unsigned size)
{
	return size == 1 ? *(const uint8_t *)addr : *(const uint64_t *)addr;
}

static bool
is_direct(void)
{
	return explore_phase() == PHASE_IDLE || explore_phase() == PHASE_CHECKING;
}

/* A step of a thread that is explored. */
static uint64_t
access_explore(enum op_kind kind, const void *addr, unsigned size, uint64_t value,
    enum model_order order, const char *file, int line)
{
	struct op op = {.kind = kind,
	    .order = site_order(kind, order, file, line),
	    .addr = addr,
	    .size = size,
	    .value = value,
	    .file = file,
	    .line = line};

	return explore_access(&op);
}

uint64_t
model_load(const void *addr, unsigned size, enum model_order order, const char *file, int line)
{
	if (explore_phase() == PHASE_IDLE)
		return raw_load(addr, size);
	if (explore_phase() == PHASE_CHECKING)
		return mem_final(addr, size);
	return access_explore(OP_LOAD, addr, size, 0, order, file, line);
}

void
model_store(
    void *addr, unsigned size, uint64_t value, enum model_order order, const char *file, int line)
{
	if (explore_phase() == PHASE_CHECKING)
		model_fail(file, line, "a store in a final check");
	if (explore_phase() == PHASE_IDLE) {
		if (size == 1)
			*(uint8_t *)addr = (uint8_t)value;
		else
			*(uint64_t *)addr = value;
		return;
	}
	access_explore(OP_STORE, addr, size, value, order, file, line);
}

uint64_t
model_add(
    void *addr, unsigned size, uint64_t addend, enum model_order order, const char *file, int line)
{
	if (is_direct()) {
		uint64_t old = model_load(addr, size, order, file, line);
		model_store(addr, size, old + addend, order, file, line);
		return old;
	}
	return access_explore(OP_ADD, addr, size, addend, order, file, line);
}

void
model_fence(enum model_order order, const char *file, int line)
{
	if (is_direct())
		return;
	struct op op = {.kind = OP_FENCE,
	    .order = site_order(OP_FENCE, order, file, line),
	    .file = file,
	    .line = line};
	if (op.order != MODEL_RLX)
		explore_access(&op);
}

static uint64_t
plain(uint64_t *addr, bool store, uint64_t value, const char *file, int line)
{
	if (explore_phase() == PHASE_CHECKING)
		return mem_final(addr, 8);
	const char *race = mem_plain((unsigned)model_self(), addr, store, &value);
	if (race != NULL)
		model_fail(file, line, race);
	return value;
}

uint64_t
model_plain_load(const uint64_t *addr, const char *file, int line)
{
	union {
		const uint64_t *in;
		uint64_t *out;
	} u = {addr};

	return explore_phase() == PHASE_IDLE ? *addr : plain(u.out, false, 0, file, line);
}

void
model_plain_store(uint64_t *addr, uint64_t value, const char *file, int line)
{
	if (explore_phase() == PHASE_IDLE)
		*addr = value;
	else
		plain(addr, true, value, file, line);
}

unsigned
model_choose(unsigned n)
{
	struct op op = {.kind = OP_CHOOSE, .n = n, .file = __FILE__, .line = __LINE__};

	return (unsigned)explore_access(&op);
}
