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

static void
one_fence(enum model_order order, const char *file, int line)
{
	struct op op = {.kind = OP_FENCE, .order = order, .file = file, .line = line};

	explore_access(&op);
}

/* An addition to a location that all such fences share. Before it stands a
 * place where a thread may be killed that is to be. */
static void
seq_cst_fence(const char *file, int line)
{
	static const uint64_t order_of_fences;
	struct op add = {.kind = OP_ADD,
	    .order = MODEL_SC,
	    .addr = &order_of_fences,
	    .size = 8,
	    .file = file,
	    .line = line};

	if (mem_may_be_killed((unsigned)model_self()))
		one_fence(MODEL_REL, file, line);
	explore_access(&add);
}

void
model_fence(enum model_order order, const char *file, int line)
{
	if (is_direct())
		return;
	order = site_order(OP_FENCE, order, file, line);
	if (order == MODEL_SC)
		seq_cst_fence(file, line);
	else if (order != MODEL_RLX)
		one_fence(order, file, line);
}

static uint64_t
plain(const void *addr, unsigned size, bool store, uint64_t value, const char *file, int line)
{
	if (explore_phase() == PHASE_CHECKING)
		return mem_final(addr, size);
	const char *race = mem_plain((unsigned)model_self(), addr, size, store, &value);
	if (race != NULL)
		model_fail(file, line, race);
	return value;
}

uint64_t
model_plain_load(const uint64_t *addr, const char *file, int line)
{
	return explore_phase() == PHASE_IDLE ? *addr : plain(addr, 8, false, 0, file, line);
}

void
model_plain_store(uint64_t *addr, uint64_t value, const char *file, int line)
{
	if (explore_phase() == PHASE_IDLE)
		*addr = value;
	else
		plain(addr, 8, true, value, file, line);
}

void
model_plain_copy_in(unsigned char *to, const void *from, size_t n, const char *file, int line)
{
	const unsigned char *p = from;

	for (size_t i = 0; i < n; i++) {
		if (explore_phase() == PHASE_IDLE)
			to[i] = p[i];
		else
			plain(&to[i], 1, true, p[i], file, line);
	}
}

void
model_plain_copy_out(void *to, const unsigned char *from, size_t n, const char *file, int line)
{
	unsigned char *p = to;

	for (size_t i = 0; i < n; i++)
		p[i] = explore_phase() == PHASE_IDLE
		    ? from[i]
		    : (unsigned char)plain(&from[i], 1, false, 0, file, line);
}

unsigned
model_choose(unsigned n)
{
	struct op op = {.kind = OP_CHOOSE, .n = n, .file = __FILE__, .line = __LINE__};

	return (unsigned)explore_access(&op);
}
