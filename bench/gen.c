/*
 * gen.c: makes traces from a few ingredients. A profile is a row of the table.
 * Each request is drawn by the first of these rules that holds:
 *
 *   an ongoing scan        passes scan_keys keys that were never seen, one a
 *                          request; one begins every scan_every requests
 *   else, by chance        once: a key that never comes again loop: the next of
 *                          loop_keys keys in a circle
 *   else                   a Zipf rank, through a table of ranks that drifts,
 *                          of one of `shifts` sets of keys that follow each
 *                          other
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"
#include "rng.h"
#include "sizes.h"

#define REQUESTS_PER_SECOND 2000

struct gen_profile {
	const char *name, *help;
	const char *sizes; /* a size mix */
	uint32_t n_keys;   /* of the Zipf part */
	double alpha;
	double once, loop; /* shares of the requests */
	uint32_t loop_keys;
	uint32_t scan_every, scan_keys; /* requests, keys */
	uint32_t drift_every;           /* requests between two swaps of ranks; 0: none */
	uint32_t shifts;                /* sets of keys, one after the other */
	uint8_t with_ttl;
	uint32_t item_bytes; /* of key and value, of all; 0: as the mix says */
};

static const struct gen_profile profiles[] = {
    {.name = "zipf",
	.help = "Zipf 1.0 over 400k keys",
	.sizes = "twitter",
	.n_keys = 400000,
	.alpha = 1.0,
	.shifts = 1},
    {.name = "flat",
	.help = "Zipf 0.7 over 200k keys",
	.sizes = "meta",
	.n_keys = 200000,
	.alpha = 0.7,
	.shifts = 1},
    {.name = "once",
	.help = "Zipf 1.0 over 250k keys; 30 % of requests are for keys that never come again",
	.sizes = "twitter",
	.n_keys = 250000,
	.alpha = 1.0,
	.once = 0.30,
	.shifts = 1},
    {.name = "drift",
	.help = "Zipf 0.9 over 300k keys whose ranks change all the time",
	.sizes = "twitter",
	.n_keys = 300000,
	.alpha = 0.9,
	.drift_every = 6,
	.shifts = 1},
    {.name = "scan",
	.help = "Zipf 0.9 over 150k keys; a scan of 50k new keys every 150k requests",
	.sizes = "meta",
	.n_keys = 150000,
	.alpha = 0.9,
	.scan_every = 150000,
	.scan_keys = 50000,
	.shifts = 1},
    {.name = "loop",
	.help = "three requests in four go round a loop of 50k keys, the others are Zipf 0.8 over "
		"80k keys",
	.sizes = "meta",
	.n_keys = 80000,
	.alpha = 0.8,
	.loop = 0.75,
	.loop_keys = 50000,
	.shifts = 1},
    {.name = "shift",
	.help = "Zipf 1.0 over 100k keys, replaced by others five times",
	.sizes = "twitter",
	.n_keys = 100000,
	.alpha = 1.0,
	.shifts = 6},
    {.name = "ttl",
	.help = "Zipf 1.0 over 300k keys with 16 times to live from 10 s to 1 h, 25 % read once",
	.sizes = "twitter",
	.n_keys = 300000,
	.alpha = 1.0,
	.once = 0.25,
	.shifts = 1,
	.with_ttl = 1},
    {.name = "etc",
	.help = "Zipf 0.99 over 400k keys of Facebook ETC's sizes, 3 % read once",
	.sizes = "etc",
	.n_keys = 400000,
	.alpha = 0.99,
	.once = 0.03,
	.shifts = 1},
};

const struct gen_profile *
gen_profile_at(unsigned i)
{
	return i < sizeof(profiles) / sizeof(profiles[0]) ? &profiles[i] : NULL;
}

/* The profile that has arguments; only the last one made exists. */
static const struct gen_profile *
find_equal(const char *name)
{
	static struct gen_profile equal = {
	    .name = "equal:KEYS:BYTES", .sizes = "etc", .alpha = 0.9, .shifts = 1};
	unsigned n_keys, item_bytes;
	char more;

	if (sscanf(name, "equal:%u:%u%c", &n_keys, &item_bytes, &more) != 2 || n_keys == 0 ||
	    n_keys > 1u << 30 || item_bytes <= 8 || item_bytes > 1u << 24)
		return NULL;
	equal.n_keys = n_keys;
	equal.item_bytes = item_bytes;
	return &equal;
}

const struct gen_profile *
gen_profile_find(const char *name)
{
	if (strncmp(name, "equal:", 6) == 0)
		return find_equal(name);
	for (unsigned i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

const char *
gen_profile_name(const struct gen_profile *p)
{
	return p->name;
}

const char *
gen_profile_help(const struct gen_profile *p)
{
	return p->help;
}

/* Sixteen geometric steps between 10 s and an hour. */
static uint32_t
ttl_of(uint64_t raw)
{
	static const uint16_t ttl_s[16] = {
	    10, 15, 22, 32, 48, 71, 105, 156, 231, 342, 507, 751, 1113, 1648, 2430, 3600};

	return ttl_s[rng_mix(raw * 2 + 1) >> 60];
}

struct state {
	const struct gen_profile *p;
	struct rng rng;
	struct zipf zipf;
	uint32_t *rank; /* [n_keys] the key of each rank; NULL: the rank itself */
	uint64_t n_requests;
	uint64_t loop_at, scan_left, n_once;
};

/* Swaps the keys of a popular rank (log-uniform) and of any other. */
static void
gen_drift(struct state *s)
{
	uint32_t a = (uint32_t)pow(s->p->n_keys, rng_unit(&s->rng)) - 1;
	uint32_t b = rng_below(&s->rng, s->p->n_keys);
	uint32_t key = s->rank[a];

	s->rank[a] = s->rank[b];
	s->rank[b] = key;
}

/* The raw number of request i's key. The ranges of numbers are: Zipf sets,
 * loop, then keys that never come again. */
static uint64_t
gen_draw(struct state *s, uint64_t i)
{
	const struct gen_profile *p = s->p;
	uint64_t loop_base = (uint64_t)p->n_keys * p->shifts;
	uint64_t fresh_base = loop_base + p->loop_keys;

	if (s->rank != NULL && i % p->drift_every == 0)
		gen_drift(s);
	if (p->scan_every != 0 && i % p->scan_every == p->scan_every - 1)
		s->scan_left = p->scan_keys;
	if (s->scan_left > 0) {
		s->scan_left--;
		return fresh_base + s->n_once++;
	}
	double u = rng_unit(&s->rng);
	if (u < p->once)
		return fresh_base + s->n_once++;
	if (u < p->once + p->loop)
		return loop_base + s->loop_at++ % p->loop_keys;
	uint32_t rank = zipf_next(&s->zipf, &s->rng);
	uint64_t set = i * p->shifts / s->n_requests;
	return set * p->n_keys + (s->rank != NULL ? s->rank[rank] : rank);
}

struct trace_record *
gen_make(const struct gen_profile *p, uint64_t seed, uint64_t n_requests)
{
	struct state s = {.p = p, .rng = {rng_mix(seed + 1)}, .n_requests = n_requests};
	uint64_t n_raw = (uint64_t)p->n_keys * p->shifts + p->loop_keys + n_requests;
	const struct size_mix *mix = size_mix_find(p->sizes);
	uint32_t *dense = malloc(n_raw * sizeof(*dense)); /* a key's number, by raw number */
	struct trace_record *rec = malloc(n_requests * sizeof(*rec));
	uint32_t n_dense = 0;

	if (p->drift_every != 0)
		s.rank = malloc(p->n_keys * sizeof(*s.rank));
	if (dense == NULL || rec == NULL || (p->drift_every != 0 && s.rank == NULL)) {
		free(dense);
		free(rec);
		free(s.rank);
		return NULL;
	}
	for (const char *c = p->name; *c != '\0'; c++)
		s.rng.state = rng_mix(s.rng.state * 31 + (unsigned char)*c);
	for (uint32_t k = 0; s.rank != NULL && k < p->n_keys; k++)
		s.rank[k] = k;
	memset(dense, 0xff, n_raw * sizeof(*dense));
	zipf_init(&s.zipf, p->n_keys, p->alpha);
	for (uint64_t i = 0; i < n_requests; i++) {
		uint64_t raw = gen_draw(&s, i);
		struct sizes sizes;

		if (dense[raw] == UINT32_MAX)
			dense[raw] = n_dense++;
		mix->of(raw, &sizes);
		rec[i] = (struct trace_record){.key = dense[raw],
		    .size =
			p->item_bytes != 0 ? p->item_bytes : sizes.key_bytes + sizes.value_bytes,
		    .time_s = (uint32_t)(i / REQUESTS_PER_SECOND),
		    .ttl_s = p->with_ttl ? ttl_of(raw) : 0};
	}
	free(dense);
	free(s.rank);
	return rec;
}
