/*
 * wide.h: for tests that run another test's source in the build that processors
 * with AVX-512 and BMI2 take (src/lib/cpu.h). They are skipped on other
 * processors and where that build isn't made.
 */
#ifndef PEEK_TESTS_UNIT_WIDE_H
#define PEEK_TESTS_UNIT_WIDE_H

#include <stdio.h>

#include "lib/cpu.h"

#if defined(LIB_BOTH) && defined(SHM_X86_WIDE)
#define WIDE_IS_BUILT 1
#define WIDE_RUN(tests) \
	(cpu_is_wide() ? tests() : wide_skip("this processor has no such instructions"))
#else
#define WIDE_RUN(tests) wide_skip("not for this processor, or not with a sanitizer")
#endif

static inline int
wide_skip(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return 0;
}

#endif
