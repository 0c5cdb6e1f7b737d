/*
 * test_item_wide.c: test_item.c for the path that processors with AVX-512 and BMI2 take (src/lib/wide.h).
 */
#include <stdio.h>

#include "lib/wide.h"

#if defined(LIB_BOTH) && defined(SHM_X86_WIDE)
int test_item(void);
#define main test_item
#include "unit/test_item.c"
#undef main

int
main(void)
{
	if (wide_is_here())
		return test_item();
	printf("1..0 # SKIP this processor has no such instructions\n");
	return 0;
}
#else
int
main(void)
{
	printf("1..0 # SKIP not for this processor, or not with a sanitizer\n");
	return 0;
}
#endif
