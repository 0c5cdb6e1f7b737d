/*
 * coro.h: coroutines. On x86-64 a switch is ten instructions; elsewhere
 * ucontext, which enters the kernel.
 */
#ifndef PEEK_MODEL_CORO_H
#define PEEK_MODEL_CORO_H

#include <stddef.h>

#ifdef __x86_64__

struct coro {
	void *sp;
};

void coro_switch(struct coro *from, const struct coro *to);

static inline void
coro_make(struct coro *c, unsigned char *stack, size_t stack_bytes, void (*entry)(void))
{
	void **sp = (void **)(void *)(stack + stack_bytes - 64); /* 16-byte aligned */

	*--sp =
	    /* where entry would return to: it must not; also aligns the stack
	     * as a call does */
	    NULL;
	*--sp = (void *)(size_t)entry;
	for (int i = 0; i < 6; i++)
		*--sp = NULL; /* rbp, rbx, r12 - r15 */
	c->sp = sp;
}

#else

#include <ucontext.h>

struct coro {
	ucontext_t context;
};

static inline void
coro_switch(struct coro *from, const struct coro *to)
{
	swapcontext(&from->context, &to->context);
}

static inline void
coro_make(struct coro *c, unsigned char *stack, size_t stack_bytes, void (*entry)(void))
{
	getcontext(&c->context);
	c->context.uc_stack.ss_sp = stack;
	c->context.uc_stack.ss_size = stack_bytes;
	c->context.uc_link = NULL;
	makecontext(&c->context, entry, 0);
}

#endif

#endif
