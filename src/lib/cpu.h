/*
 * cpu.h: the two builds of the reads. On x86-64 get.c, mget.c, view.c and
 * place.c are compiled for every processor, and (LIB_WIDE) for those with
 * AVX-512 and BMI2, where a bucket's tags, a key and 64 bytes of a value take
 * one instruction each. Fewer instructions matter because instructions keep the
 * next lookup's misses out of the processor's window. cpu.c chooses once, when
 * the program is linked at its start.
 *
 * Under the sanitizers, in the model and on other processors there is the
 * portable build alone.
 */
#ifndef PEEK_LIB_CPU_H
#define PEEK_LIB_CPU_H

#include <stdbool.h>

#include "peek.h"
#include "shm/arch/arch.h"

#if defined(SHM_X86_ASM) && defined(__GLIBC__)
#define LIB_BOTH 1
#endif

#if !defined(LIB_BOTH)
#define WIDE(name) name
#else
#if defined(LIB_WIDE)
#define WIDE(name) name##_wide
#else
#define WIDE(name) name##_base
#endif

/* Says whether this processor has what the wide build needs. */
bool cpu_is_wide(void);

ssize_t peek_get_base(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);
ssize_t peek_get_wide(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap);
ssize_t peek_mget_base(struct peek *p, struct peek_op *ops, size_t n);
ssize_t peek_mget_wide(struct peek *p, struct peek_op *ops, size_t n);
int peek_view_base(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view);
int peek_view_wide(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view);
int peek_place_base(struct peek *p, const void *key, size_t key_len, struct peek_place *ret_place);
int peek_place_wide(struct peek *p, const void *key, size_t key_len, struct peek_place *ret_place);
int peek_same_base(struct peek *p, const void *key, size_t key_len, const struct peek_place *place);
int peek_same_wide(struct peek *p, const void *key, size_t key_len, const struct peek_place *place);
#endif

#endif
