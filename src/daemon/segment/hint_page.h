/*
 * hint_page.h: the daemon's side of the hint page (src/shm/hint.h). It makes
 * the page, gives clients their cells, and adds up their counts.
 *
 * Clients can write every byte of the page at any time. So nothing that is read
 * from it serves as an index, a length or a bound: the engine masks the bytes
 * of slots, and a counter that goes back, or forward by more than
 * HINTS_STEP_MAX, counts nothing.
 */
#ifndef PEEKD_HINT_PAGE_H
#define PEEKD_HINT_PAGE_H

#include <stdint.h>

#include "shm/hint.h"

#define HINTS_CLIENTS_MAX   65536
#define HINT_PAGE_NO_CLIENT UINT32_MAX
#define HINTS_STEP_MAX      (UINT64_C(1) << 32) /* gets of one thread between two collections */

/* Sums over the cells of all clients, those that have gone included. */
struct hint_page_sums {
	uint64_t gets, hits, misses, retries;
};

struct hint_page;

/*
 * Makes the page for a segment. Its size is fixed and sealed. Memory is
 * allocated for the buckets that exist, later by hint_page_grow, and for the
 * cells of a client when it comes. -ENOMEM; -EIO: the kernel refused, and errno
 * says why.
 */
int hint_page_create(const struct map *m, uint32_t n_clients_max, struct hint_page **ret);
void hint_page_destroy(struct hint_page *h);

/* For store_set_hints. */
struct byte *hint_page_bytes(struct hint_page *h, uint64_t *ret_n_bytes);

/* The descriptor that clients get, which wire_put_attached describes. */
int hint_page_fd(const struct hint_page *h);
uint64_t hint_page_total_bytes(const struct hint_page *h);
uint32_t hint_page_clients_max(const struct hint_page *h);

/* Allocates memory for this number of buckets. Without it the host may lack
 * memory when a client stores to the page, and the kernel kills that client. */
void hint_page_grow(struct hint_page *h, uint64_t n_buckets, uint64_t n_overflow);

/* Gives a free index, whose cells are zero. -EMFILE: all indices are taken.
 * -ENOMEM. */
int hint_page_attach(struct hint_page *h, uint32_t *ret_client_idx);

/* Adds the client's cells a last time, zeroes them and frees the index. */
void hint_page_detach(struct hint_page *h, uint32_t client_idx);

/* Reads the cells of all attached clients and returns the sums, which never
 * fall. */
const struct hint_page_sums *hint_page_collect(struct hint_page *h);

#endif
