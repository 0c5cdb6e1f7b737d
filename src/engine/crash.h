/*
 * crash.h: labelled points between the steps of every mutation. Release builds
 * have none of them. With PEEK_HOOKS a test sets crash_hook and stops or kills
 * the process at a label. A label reads "mutation:step that was just done".
 *
 * Programs call CRASH_BY_ENVIRONMENT at their start. PEEK_CRASH_AT=label[:n]
 * kills the process at the n-th pass of the label, PEEK_STOP_AT=label[:n] stops
 * it there (SIGSTOP), and PEEK_CRASH_LIST=file appends each label that is
 * passed to the file, once.
 */
#ifndef PEEK_ENGINE_CRASH_H
#define PEEK_ENGINE_CRASH_H

#if defined(PEEK_HOOKS)
extern void (*crash_hook)(const char *label);
#define CRASH_POINT(label) ((void)(crash_hook != NULL ? (crash_hook(label), 0) : 0))
void crash_by_environment(void);
#define CRASH_BY_ENVIRONMENT() crash_by_environment()
#else
#define CRASH_POINT(label)     ((void)0)
#define CRASH_BY_ENVIRONMENT() ((void)0)
#endif

#endif
