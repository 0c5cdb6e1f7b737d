/* hint_page.c: see hint_page.h. */
#include "daemon/segment/hint_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

#define N_COUNTERS 3

/* The values of a client's cells when they were last read. */
struct seen {
	uint64_t count[HINT_CELLS_PER_CLIENT][N_COUNTERS];
};

struct hint_page {
	int fd;
	char *page;
	struct hint_layout layout;
	uint64_t n_buckets, n_overflow; /* buckets that have memory */
	struct hint_page_sums sums;
	struct seen **seen;  /* by client; NULL: the index is free */
	uint32_t n_used;     /* indices at or above it were never given */
	uint32_t *free_list; /* indices that were given back */
	uint32_t n_free;
};

int
hint_page_create(const struct map *m, uint32_t n_clients_max, struct hint_page **ret)
{
	struct hint_page *h = calloc(1, sizeof(*h));
	uint32_t n = n_clients_max < HINTS_CLIENTS_MAX ? n_clients_max : HINTS_CLIENTS_MAX;
	int saved;

	if (h == NULL)
		return -ENOMEM;
	h->layout = hint_plan(m->n_buckets_max, m->n_overflow_max, n);
	h->seen = calloc(n, sizeof(struct seen *));
	h->free_list = calloc(n, sizeof(uint32_t));
	h->fd = memfd_create("peekd-hints", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (h->seen == NULL || h->free_list == NULL) {
		errno = ENOMEM;
		goto fail;
	}
	if (h->fd < 0 || ftruncate(h->fd, (off_t)h->layout.total_bytes) != 0 ||
	    fcntl(h->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		goto fail;
	h->page = map_aligned(h->fd, h->layout.total_bytes, true);
	if (h->page == NULL)
		goto fail;
	*ret = h;
	return 0;
fail:
	saved = errno;
	if (h->fd >= 0)
		close(h->fd);
	free(h->seen);
	free(h->free_list);
	free(h);
	errno = saved;
	return saved == ENOMEM ? -ENOMEM : -EIO;
}

void
hint_page_destroy(struct hint_page *h)
{
	for (uint32_t i = 0; i < h->n_used; i++)
		free(h->seen[i]);
	munmap(h->page, h->layout.total_bytes);
	close(h->fd);
	free(h->seen);
	free(h->free_list);
	free(h);
}

struct byte *
hint_page_bytes(struct hint_page *h, uint64_t *ret_n_bytes)
{
	*ret_n_bytes = h->layout.cells_at;
	return (struct byte *)(void *)h->page;
}

int
hint_page_fd(const struct hint_page *h)
{
	return h->fd;
}

uint64_t
hint_page_total_bytes(const struct hint_page *h)
{
	return h->layout.total_bytes;
}

uint32_t
hint_page_clients_max(const struct hint_page *h)
{
	return (uint32_t)h->layout.n_clients_max;
}

/* Allocates bytes [from, to) of the page. A failure shows later, as a fault of
 * the program that touches them. */
static void
hint_page_allocate(const struct hint_page *h, uint64_t from, uint64_t to)
{
	from &= ~UINT64_C(4095);
	to = (to + 4095) & ~UINT64_C(4095);
	if (to > h->layout.total_bytes)
		to = h->layout.total_bytes;
	if (from < to)
		(void)fallocate(h->fd, 0, (off_t)from, (off_t)(to - from));
}

void
hint_page_grow(struct hint_page *h, uint64_t n_buckets, uint64_t n_overflow)
{
	if (n_buckets > h->n_buckets) {
		n_buckets += n_buckets / 4; /* ahead of growth: fewer calls */
		hint_page_allocate(
		    h, h->n_buckets * HINT_BYTES_PER_BUCKET, n_buckets * HINT_BYTES_PER_BUCKET);
		h->n_buckets = n_buckets;
	}
	if (n_overflow > h->n_overflow) {
		n_overflow += n_overflow / 4;
		hint_page_allocate(h, h->layout.overflow_at + h->n_overflow * HINT_BYTES_PER_BUCKET,
		    h->layout.overflow_at + n_overflow * HINT_BYTES_PER_BUCKET);
		h->n_overflow = n_overflow;
	}
}

static struct hint_cell *
cells_of(const struct hint_page *h, uint32_t client_idx)
{
	CHECK(client_idx < h->layout.n_clients_max);
	return (struct hint_cell *)(void *)(h->page + h->layout.cells_at) +
	    (uint64_t)client_idx * HINT_CELLS_PER_CLIENT;
}

static void
zero_cells(struct hint_page *h, uint32_t client_idx)
{
	struct hint_cell *cell = cells_of(h, client_idx);

	for (unsigned i = 0; i < HINT_CELLS_PER_CLIENT; i++) {
		/* relaxed, all of them: counters, each for itself */
		word_store_rlx(&cell[i].hits, 0);
		word_store_rlx(&cell[i].misses, 0);
		word_store_rlx(&cell[i].retries, 0);
		word_store_rlx(&cell[i].slow, 0);
		for (unsigned k = 0; k < HINT_SAMPLES; k++)
			word_store_rlx(&cell[i].sampled[k], 0);
	}
}

int
hint_page_attach(struct hint_page *h, uint32_t *ret_client_idx)
{
	struct seen *seen;
	uint32_t idx;

	if (h->n_free == 0 && h->n_used == h->layout.n_clients_max)
		return -EMFILE;
	seen = calloc(1, sizeof(*seen));
	if (seen == NULL)
		return -ENOMEM;
	idx = h->n_free > 0 ? h->free_list[--h->n_free] : h->n_used++;
	CHECK(idx < h->n_used && h->seen[idx] == NULL);
	h->seen[idx] = seen;
	zero_cells(h, idx);
	*ret_client_idx = idx;
	return 0;
}

static uint64_t
hint_page_step(uint64_t *seen, uint64_t now)
{
	uint64_t delta = now - *seen;

	if (now < *seen) { /* another client has written it */
		*seen = now;
		return 0;
	}
	*seen = now;
	return delta <= HINTS_STEP_MAX ? delta : 0;
}

static void
collect_client(struct hint_page *h, uint32_t client_idx)
{
	const struct hint_cell *cell = cells_of(h, client_idx);
	struct seen *seen = h->seen[client_idx];

	for (unsigned i = 0; i < HINT_CELLS_PER_CLIENT; i++) {
		/* relaxed, all of them: counters */
		uint64_t hits = hint_page_step(&seen->count[i][0], word_load_rlx(&cell[i].hits));
		uint64_t misses =
		    hint_page_step(&seen->count[i][1], word_load_rlx(&cell[i].misses));

		h->sums.gets += hits + misses;
		h->sums.hits += hits;
		h->sums.misses += misses;
		h->sums.retries +=
		    hint_page_step(&seen->count[i][2], word_load_rlx(&cell[i].retries));
	}
}

void
hint_page_detach(struct hint_page *h, uint32_t client_idx)
{
	CHECK(client_idx < h->n_used && h->seen[client_idx] != NULL);
	CHECK(h->n_free < h->n_used);
	collect_client(h, client_idx);
	zero_cells(h, client_idx);
	free(h->seen[client_idx]);
	h->seen[client_idx] = NULL;
	h->free_list[h->n_free++] = client_idx;
}

const struct hint_page_sums *
hint_page_collect(struct hint_page *h)
{
	for (uint32_t i = 0; i < h->n_used; i++) {
		if (h->seen[i] != NULL)
			collect_client(h, i);
	}
	return &h->sums;
}
