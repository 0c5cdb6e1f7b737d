/*
 * scenes.h: what more than one file of scenarios begins with: a store in
 * `world`, a few keys of one bucket, readers.
 *
 * The names are those that the scenarios use; each scene sets its own.
 */
#ifndef PEEK_MODEL_SCENES_H
#define PEEK_MODEL_SCENES_H

#include "model/world.h"

extern struct store *store;
extern struct word ack;
/* of the one bucket, where the scene doesn't say otherwise */
extern char key_a, key_b, key_c, key_d, key_e;
/* of the one bucket, and of its halves after the split */
extern char stays[2], moves[2];

/* Nothing is stored yet: world_readers comes after the first that is. */
void scene_empty(unsigned block_shift);
/* key_a is stored, as A. */
void scene_one(void);
/* key_b beside it is a counter, and stands at 8. */
void scene_counter(uint64_t *ret_cas);
/* key_a to key_c fill the bucket, as A, B and C; key_d makes a chain of it, as
 * D; key_e is the fifth, as E. */
void scene_full(void);
void scene_chain(void);
void scene_chain_five(void);
/* n_each keys that stay, as A and B, and as many that move, as M and N. The
 * table grows when split() says so. */
void scene_split(unsigned n_each);
void scene_split_one(void);
void scene_split_chain(void);
void split(void);

#endif
