/*
 * calls.h: read before every source of the model's build: each call of seq.h
 * tells where it stands, so that an order can be taken away at one place alone
 * (main -u).
 */
#ifndef PEEK_MODEL_CALLS_H
#define PEEK_MODEL_CALLS_H

#include "shm/seq.h"

void model_call(const char *file, int line);

#define MODEL_HERE model_call(__FILE__, __LINE__)

#define seq_marked()                  (MODEL_HERE, (seq_marked)())
#define seq_enter(s)                  (MODEL_HERE, (seq_enter)(s))
#define seq_exit(s)                   (MODEL_HERE, (seq_exit)(s))
#define seq_begin(s)                  (MODEL_HERE, (seq_begin)(s))
#define seq_validate(s, begun)        (MODEL_HERE, (seq_validate)(s, begun))
#define seq_retire(i)                 (MODEL_HERE, (seq_retire)(i))
#define seq_standing()                (MODEL_HERE, (seq_standing)())
#define seq_counter_store(v, n, c, m) (MODEL_HERE, (seq_counter_store)(v, n, c, m))
#define seq_counter_cas_state(c)      (MODEL_HERE, (seq_counter_cas_state)(c))
#define seq_publish_magic(m, v)       (MODEL_HERE, (seq_publish_magic)(m, v))
#define seq_load_magic(m)             (MODEL_HERE, (seq_load_magic)(m))
#define seq_hand_over(c, v)           (MODEL_HERE, (seq_hand_over)(c, v))
#define seq_follow()                  (MODEL_HERE, (seq_follow)())
#define seq_recover()                 (MODEL_HERE, (seq_recover)())
#define seq_repaired(s)               (MODEL_HERE, (seq_repaired)(s))
#define seq_crash_order()             (MODEL_HERE, (seq_crash_order)())
#define seq_publish_ptr(p, v)         (MODEL_HERE, (seq_publish_ptr)(p, v))
#define seq_load_ptr(p)               (MODEL_HERE, (seq_load_ptr)(p))
#define seq_ring_put(w, n)            (MODEL_HERE, (seq_ring_put)(w, n))
#define seq_ring_tail(w)              (MODEL_HERE, (seq_ring_tail)(w))
#define seq_ring_taken(w, n)          (MODEL_HERE, (seq_ring_taken)(w, n))
#define seq_ring_head(w)              (MODEL_HERE, (seq_ring_head)(w))
#define seq_ring_awaiting()           (MODEL_HERE, (seq_ring_awaiting)())
#define seq_ring_waking()             (MODEL_HERE, (seq_ring_waking)())

#endif
