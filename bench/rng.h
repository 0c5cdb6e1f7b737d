/*
 * rng.h: random numbers that are the same everywhere: splitmix64, and Zipf
 * ranks by rejection inversion.
 */
#ifndef PEEK_BENCH_RNG_H
#define PEEK_BENCH_RNG_H

#include <math.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t
rng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t
rng_next(struct rng *r)
{
	return rng_mix(r->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* 0 .. n - 1, n >= 1: the high half of a product, without a division. */
static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

/* In (0, 1). */
static inline double
rng_unit_of(uint64_t bits)
{
	return ((double)(bits >> 11) + 0.5) * 0x1p-53;
}

static inline double
rng_unit(struct rng *r)
{
	return rng_unit_of(rng_next(r));
}

/*
 * Zipf: rank k of 1 .. n with probability proportional to k^-a, a > 0.
 * Rejection inversion (Hormann and Derflinger, 1996): no table, and on average
 * fewer than 1.1 tries.
 */
struct zipf {
	double a, n, h_lo, h_hi, s;
};

static inline double
zipf_h(double a, double x)
{
	return fabs(a - 1) < 1e-9 ? log(x) : (pow(x, 1 - a) - 1) / (1 - a);
}

static inline double
zipf_h_inverse(double a, double y)
{
	return fabs(a - 1) < 1e-9 ? exp(y) : pow(1 + y * (1 - a), 1 / (1 - a));
}

static inline void
zipf_init(struct zipf *z, uint32_t n, double a)
{
	z->a = a;
	z->n = n;
	z->h_lo = zipf_h(a, 1.5) - 1;
	z->h_hi = zipf_h(a, n + 0.5);
	z->s = 2 - zipf_h_inverse(a, zipf_h(a, 2.5) - pow(2, -a));
}

/* Returns the rank, 0 the most popular. */
static inline uint32_t
zipf_next(const struct zipf *z, struct rng *r)
{
	for (;;) {
		double u = z->h_hi + rng_unit(r) * (z->h_lo - z->h_hi);
		double x = zipf_h_inverse(z->a, u);
		double k = floor(x + 0.5);

		k = k < 1 ? 1 : k > z->n ? z->n : k;
		if (k - x <= z->s || u >= zipf_h(z->a, k + 0.5) - pow(k, -z->a))
			return (uint32_t)k - 1;
	}
}

#endif
