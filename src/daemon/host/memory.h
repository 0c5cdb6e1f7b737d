/*
 * memory.h: the daemon's private memory, and the one door to jemalloc.
 *
 * jemalloc keeps only a part of the memory that was freed, and can say how much
 * is in use. PEEKD_NO_JEMALLOC compiles it out, because the sanitizers bring a
 * heap of their own.
 */
#ifndef PEEKD_MEMORY_H
#define PEEKD_MEMORY_H

#include <stdint.h>

/* Configures the heap for one thread: one arena, which gives freed memory back
 * soon. Call it before the first allocation. */
void memory_init(void);

/* Bytes that the program has allocated now. The sum is exact, so that a leak
 * shows. Memory that the program mapped itself is not in it. */
uint64_t memory_heap_bytes(void);

/* Bytes that the kernel holds for this process alone and charges to its control
 * group beside shared memory: the heap with its reserves, arrays that are
 * mapped beside the table, the stack, written pages of libraries. Three system
 * calls. 0: /proc can't be read. */
uint64_t memory_private_bytes(void);

#endif
