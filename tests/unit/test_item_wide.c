/*
 * test_item_wide.c: test_item.c for the path that processors with AVX-512 and
 * BMI2 take.
 */
#include "unit/wide.h"

#ifdef WIDE_IS_BUILT
int test_item(void);
#define main test_item
#include "unit/test_item.c"
#undef main
#endif

int
main(void)
{
	return WIDE_RUN(test_item);
}
