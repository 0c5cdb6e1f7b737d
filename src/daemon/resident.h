/*
 * resident.h: the memory that the kernel holds for this process alone, and charges to its control group beside shared memory: heap with what
 * the allocator keeps, arrays that are mapped beside the table, stack, what libraries wrote to.
 */
#ifndef PEEKD_RESIDENT_H
#define PEEKD_RESIDENT_H

#include <stdint.h>

/* Three system calls. 0: /proc can't be read. */
uint64_t resident_private_bytes(void);

#endif
