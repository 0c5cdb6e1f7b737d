/*
 * heap.h: the one door to jemalloc, which the daemon's private memory comes from: it keeps no more than a part of what was freed, and can say
 * how much is in use. PEEKD_NO_JEMALLOC compiles it out (the sanitizers bring their own heap).
 */
#ifndef PEEKD_HEAP_H
#define PEEKD_HEAP_H

#include <stdint.h>

/* One thread needs one arena, and what it frees should go back soon. To be called first. */
void heap_init(void);

/* Bytes that the program has allocated now: exact, so that a leak shows. What it mapped itself is not in it (resident.h). */
uint64_t heap_bytes(void);

#endif
