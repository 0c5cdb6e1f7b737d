/*
 * test_copy_wide.c: test_copy.c for the path that processors with AVX-512 and
 * BMI2 take.
 */
#include "unit/wide.h"

#ifdef WIDE_IS_BUILT
int test_copy(void);
#define main test_copy
#include "unit/test_copy.c"
#undef main
#endif

int
main(void)
{
	return WIDE_RUN(test_copy);
}
