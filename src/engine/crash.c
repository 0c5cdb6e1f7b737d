/*
 * crash.c: where the crash points of a build with PEEK_HOOKS lead.
 */
#include <stddef.h>

#include "engine/crash.h"

#if defined(PEEK_HOOKS)
void (*crash_hook)(const char *label);
#else
typedef int crash_points_are_compiled_out;
#endif
