/*
 * atomic.h: the words of shared memory, and the only way to touch them.
 *
 * A shared word is a struct, so that a plain access does not compile. There is
 * one width for each type: struct word is 64 bits, struct byte is 8 (the hint
 * page). The accessors are macros, one ordered operation each, so that the
 * model checker (tests/model) sees the file and line of every access: under
 * -DPEEK_MODEL they call its runtime in place of the compiler's atomics, and
 * the code above them is the code that ships.
 *
 * Orders stronger than relaxed are used in seq.h and nowhere else.
 */
#ifndef PEEK_SHM_ATOMIC_H
#define PEEK_SHM_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

struct word {
	_Atomic uint64_t atomic_u64;
};

struct byte {
	_Atomic uint8_t atomic_u8;
};

/* A pointer in this process's own memory that one thread publishes and others
 * follow. Never in shared memory. */
struct shared_ptr {
	void *_Atomic atomic_ptr;
};

_Static_assert(
    sizeof(struct word) == 8 && _Alignof(struct word) == 8, "a word is eight aligned bytes");
_Static_assert(sizeof(struct byte) == 1, "a byte is one byte");
/* Bytes have loads and stores alone, which are one instruction also where a
 * byte's read-modify-write is a call (riscv64). */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared words need lock-free atomics");

#ifdef PEEK_MODEL

#include "model/runtime.h"

#define word_load_rlx(w) model_load(&(w)->atomic_u64, 8, MODEL_RLX, __FILE__, __LINE__)
#define word_load_acq(w) model_load(&(w)->atomic_u64, 8, MODEL_ACQ, __FILE__, __LINE__)
#define word_store_rlx(w, v) \
	model_store(&(w)->atomic_u64, 8, (uint64_t)(v), MODEL_RLX, __FILE__, __LINE__)
#define word_store_rel(w, v) \
	model_store(&(w)->atomic_u64, 8, (uint64_t)(v), MODEL_REL, __FILE__, __LINE__)
#define word_add_rlx(w, v) \
	model_add(&(w)->atomic_u64, 8, (uint64_t)(v), MODEL_RLX, __FILE__, __LINE__)
#define byte_load_rlx(b) ((uint8_t)model_load(&(b)->atomic_u8, 1, MODEL_RLX, __FILE__, __LINE__))
#define byte_store_rlx(b, v) \
	model_store(&(b)->atomic_u8, 1, (uint8_t)(v), MODEL_RLX, __FILE__, __LINE__)
#define ptr_load_acq(p) \
	((void *)(uintptr_t)model_load(&(p)->atomic_ptr, 8, MODEL_ACQ, __FILE__, __LINE__))
#define ptr_store_rel(p, v) \
	model_store(&(p)->atomic_ptr, 8, (uint64_t)(uintptr_t)(v), MODEL_REL, __FILE__, __LINE__)
#define fence_acq()                 model_fence(MODEL_ACQ, __FILE__, __LINE__)
#define fence_rel()                 model_fence(MODEL_REL, __FILE__, __LINE__)
#define fence_crash()               model_fence(MODEL_CRASH, __FILE__, __LINE__)
#define fence_sc()                  model_fence(MODEL_SC, __FILE__, __LINE__)
#define plain_copy_in(to, from, n)  model_plain_copy_in((to), (from), (n), __FILE__, __LINE__)
#define plain_copy_out(to, from, n) model_plain_copy_out((to), (from), (n), __FILE__, __LINE__)

#else

#define word_load_rlx(w) atomic_load_explicit(&(w)->atomic_u64, memory_order_relaxed)
#define word_load_acq(w) atomic_load_explicit(&(w)->atomic_u64, memory_order_acquire)
#define word_store_rlx(w, v) \
	atomic_store_explicit(&(w)->atomic_u64, (uint64_t)(v), memory_order_relaxed)
#define word_store_rel(w, v) \
	atomic_store_explicit(&(w)->atomic_u64, (uint64_t)(v), memory_order_release)
#define word_add_rlx(w, v) \
	((void)atomic_fetch_add_explicit(&(w)->atomic_u64, (uint64_t)(v), memory_order_relaxed))
#define byte_load_rlx(b) atomic_load_explicit(&(b)->atomic_u8, memory_order_relaxed)
#define byte_store_rlx(b, v) \
	atomic_store_explicit(&(b)->atomic_u8, (uint8_t)(v), memory_order_relaxed)
#define ptr_load_acq(p) atomic_load_explicit(&(p)->atomic_ptr, memory_order_acquire)
#define ptr_store_rel(p, v) \
	atomic_store_explicit(&(p)->atomic_ptr, (void *)(v), memory_order_release)
#define fence_acq()                atomic_thread_fence(memory_order_acquire)
#define fence_rel()                atomic_thread_fence(memory_order_release)
/* Orders two stores against a kill of this process: a kill leaves a prefix of
 * the program, so that no fence of the processor is needed. */
#define fence_crash()              atomic_signal_fence(memory_order_release)
#define fence_sc()                 atomic_thread_fence(memory_order_seq_cst)
/*
 * Bytes that an order in seq.h keeps from being accessed by two sides at once:
 * plain memory, which the model checks for races. A side that doesn't keep to
 * the order may change the bytes at any time. So bytes that were copied out are
 * not read from there again: the barrier keeps the compiler from it.
 */
#define plain_copy_in(to, from, n) ((void)__builtin_memcpy((to), (from), (n)))
#define plain_copy_out(to, from, n) \
	do { \
		__builtin_memcpy((to), (from), (n)); \
		__asm__ volatile("" : : : "memory"); \
	} while (0)

#endif

#endif
