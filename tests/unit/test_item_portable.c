/*
 * test_item_portable.c: test_item.c with the portable bucket_match.
 */
#define SHM_NO_ASM 1
#include "unit/test_item.c"

#ifdef SHM_X86_ASM
#error "the portable path is not under test"
#endif
