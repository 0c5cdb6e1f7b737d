/*
 * crash.h: labelled points between the steps of every mutation. Compiled out of release builds; with PEEK_HOOKS a test sets
 * crash_hook and stops or kills the process at a label of its choice. The label is "mutation:what has just been done".
 */
#ifndef PEEK_ENGINE_CRASH_H
#define PEEK_ENGINE_CRASH_H

#if defined(PEEK_HOOKS)
extern void (*crash_hook)(const char *label);
#define CRASH_POINT(label) ((void)(crash_hook != NULL ? (crash_hook(label), 0) : 0))
#else
#define CRASH_POINT(label) ((void)0)
#endif

#endif
