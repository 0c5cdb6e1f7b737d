/*
 * check.h: CHECK(expr), an invariant written where it must hold.
 *
 * On in builds that define PEEK_CHECK or PEEK_HOOKS (MODE debug, hooks, asan,
 * tsan, aarch64) and in the model. There a check that fails prints its file,
 * its line and the expression to stderr, and aborts. In a release build it is
 * compiled, so that it stays correct C, and never evaluated: it leaves no code.
 * So the expression must have no side effect, and it loads no shared word that
 * the code around it doesn't load: the model counts loads.
 *
 * A check is about what this process keeps. Code that ships judges what comes
 * from a file, a socket, the hint page or a dead writer's segment; a check
 * never does. libpeek never aborts in an application: its checks exist in the
 * builds above alone.
 *
 * CHECK_RECOUNT: 1 where the engine also counts its sums anew from time to time
 * (engine/recount.h). The model has the checks alone.
 */
#ifndef PEEK_BASE_CHECK_H
#define PEEK_BASE_CHECK_H

#if defined(PEEK_MODEL)

_Noreturn void check_failed(const char *file, int line, const char *expr); /* the model's */
#define CHECK(expr)   ((expr) ? (void)0 : check_failed(__FILE__, __LINE__, #expr))
#define CHECK_RECOUNT 0

#elif defined(PEEK_CHECK) || defined(PEEK_HOOKS)

#include <stdio.h>
#include <stdlib.h>

_Noreturn static inline void
check_failed(const char *file, int line, const char *expr)
{
	fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, expr);
	abort();
}
#define CHECK(expr)   ((expr) ? (void)0 : check_failed(__FILE__, __LINE__, #expr))
#define CHECK_RECOUNT 1

#else

#define CHECK(expr)   ((void)sizeof((expr) ? 1 : 0))
#define CHECK_RECOUNT 0

#endif

#endif
