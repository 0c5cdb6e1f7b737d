/*
 * fallback.h: a read through the control socket, for a segment whose layout
 * this library doesn't know.
 */
#ifndef PEEK_LIB_FALLBACK_H
#define PEEK_LIB_FALLBACK_H

#include "lib/handle.h"

/* As peek_get_info; ret_info may be NULL. Waits for the daemon. Further errors:
 * -EPROTO (no daemon answers), -ENOMEM. */
ssize_t fallback_get(struct peek *p, const void *key, size_t key_len, void *buf, size_t buf_cap,
    struct peek_info *ret_info);

#endif
