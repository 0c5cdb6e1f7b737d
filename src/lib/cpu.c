/*
 * cpu.c: chooses the build of the reads that this processor gets. The
 * functions below run while the program is being linked, before anything else:
 * they call nothing but the compiler's own check of the processor.
 */
#include "lib/cpu.h"

#ifdef LIB_BOTH
#include <cpuid.h>

/* VBMI2 marks the generations (Ice Lake, Zen 4 and later) whose clock doesn't
 * slow down for 64-byte registers. */
bool
cpu_is_wide(void)
{
	unsigned a, b, c = 0, d;

	__builtin_cpu_init();
	return __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & bit_LZCNT) != 0 &&
	    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512vbmi2");
}

typedef ssize_t get_fn(struct peek *, const void *, size_t, void *, size_t);
typedef ssize_t mget_fn(struct peek *, struct peek_op *, size_t);
typedef int view_fn(struct peek *, const void *, size_t, struct peek_view *);
typedef int place_fn(struct peek *, const void *, size_t, struct peek_place *);
typedef int same_fn(struct peek *, const void *, size_t, const struct peek_place *);

__attribute__((used)) static get_fn *
choose_get(void)
{
	return cpu_is_wide() ? peek_get_wide : peek_get_base;
}

__attribute__((used)) static mget_fn *
choose_mget(void)
{
	return cpu_is_wide() ? peek_mget_wide : peek_mget_base;
}

__attribute__((used)) static view_fn *
choose_view(void)
{
	return cpu_is_wide() ? peek_view_wide : peek_view_base;
}

__attribute__((used)) static place_fn *
choose_place(void)
{
	return cpu_is_wide() ? peek_place_wide : peek_place_base;
}

__attribute__((used)) static same_fn *
choose_same(void)
{
	return cpu_is_wide() ? peek_same_wide : peek_same_base;
}

ssize_t peek_get(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap)
    __attribute__((ifunc("choose_get")));
ssize_t peek_mget(struct peek *p, struct peek_op *ops, size_t n)
    __attribute__((ifunc("choose_mget")));
int peek_view(struct peek *p, const void *key, size_t key_len, struct peek_view *ret_view)
    __attribute__((ifunc("choose_view")));
int peek_place(struct peek *p, const void *key, size_t key_len, struct peek_place *ret_place)
    __attribute__((ifunc("choose_place")));
int peek_same(struct peek *p, const void *key, size_t key_len, const struct peek_place *place)
    __attribute__((ifunc("choose_same")));

#else
typedef int cpu_has_one_build;
#endif
