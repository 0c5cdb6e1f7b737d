/*
 * test_copy_portable.c: test_copy.c for the path that other processors, the
 * model and the sanitizers take.
 */
#define SHM_NO_ASM 1
#include "unit/test_copy.c"

#ifdef SHM_X86_ASM
#error "the portable path is not under test"
#endif
