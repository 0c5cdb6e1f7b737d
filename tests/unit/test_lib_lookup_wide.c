/*
 * test_lib_lookup_wide.c: test_lib_lookup.c for the path that processors with
 * AVX-512 and BMI2 take.
 */
#include "unit/wide.h"

#ifdef WIDE_IS_BUILT
int test_lib_lookup(void);
#define main test_lib_lookup
#include "unit/test_lib_lookup.c"
#undef main
#endif

int
main(void)
{
	return WIDE_RUN(test_lib_lookup);
}
