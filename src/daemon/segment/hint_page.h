/*
 * hints.h: the daemon's side of the hint page (src/shm/hint.h): makes it, gives
 * clients their cells, adds up what they count.
 *
 * Clients can write every byte of it at any time. So nothing read from it is an
 * index, a length or a bound: slots' bytes are masked by the engine; a counter
 * that goes back, or forward by more than HINTS_STEP_MAX, counts nothing.
 */
#ifndef PEEKD_HINT_PAGE_H
#define PEEKD_HINT_PAGE_H

#include <stdint.h>

#include "shm/hint.h"

#define HINTS_CLIENTS_MAX   65536
#define HINT_PAGE_NO_CLIENT UINT32_MAX
#define HINTS_STEP_MAX      (UINT64_C(1) << 32) /* gets of one thread between two collections */

/* Sums over all cells and all clients that have gone. */
struct hint_page_sums {
	uint64_t gets, hits, misses, retries;
};

struct hint_page;

/*
 * Makes the page for a segment. Its size is fixed and sealed; memory is
 * allocated for the buckets that exist, by hint_page_grow as there are more,
 * and for a client's cells when it comes. -ENOMEM; -EIO: the kernel refused,
 * errno says how.
 */
int hint_page_create(const struct map *m, uint32_t n_clients_max, struct hint_page **ret);
void hint_page_destroy(struct hint_page *h);

/* For store_set_hints. */
struct byte *hint_page_bytes(struct hint_page *h, uint64_t *ret_n_bytes);

/* The descriptor to pass to clients, and what wire_put_attached tells of it. */
int hint_page_fd(const struct hint_page *h);
uint64_t hint_page_total_bytes(const struct hint_page *h);
uint32_t hint_page_clients_max(const struct hint_page *h);

/* Allocates memory for so many buckets. Without it a store to the page would
 * still succeed or be killed for memory, later. */
void hint_page_grow(struct hint_page *h, uint64_t n_buckets, uint64_t n_overflow);

/* A free index, its cells zeroed; -EMFILE: all are taken. -ENOMEM. */
int hint_page_attach(struct hint_page *h, uint32_t *ret_client_idx);

/* Adds the client's cells a last time, zeroes them and frees the index. */
void hint_page_detach(struct hint_page *h, uint32_t client_idx);

/* Reads all cells of attached clients; returns the sums. Never less than
 * before. */
const struct hint_page_sums *hint_page_collect(struct hint_page *h);

#endif
