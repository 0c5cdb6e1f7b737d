/*
 * sizes.c: the size mixes.
 */
#include <math.h>
#include <string.h>

#include "rng.h"
#include "sizes.h"

#define VALUE_CAP 1000000.0

/* The i-th uniform deviate of a key. */
static double
sizes_deviate(uint64_t key_id, unsigned i)
{
	return rng_unit_of(rng_mix(rng_mix(key_id * 8 + i) + UINT64_C(0x9e3779b97f4a7c15)));
}

static uint32_t
clamp_bytes(double v, double lo, double hi)
{
	return (uint32_t)(v < lo ? lo : v > hi ? hi : v);
}

static double
generalised_pareto(double u, double location, double scale, double shape)
{
	return location + scale / shape * (pow(1 - u, -shape) - 1);
}

static double
generalised_extreme(double u, double location, double scale, double shape)
{
	return location + scale / shape * (pow(-log(u), -shape) - 1);
}

static double
log_normal(double u, double v, double median, double sigma)
{
	return median * exp(sigma * sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v));
}

static void
of_etc(uint64_t key_id, struct sizes *ret)
{
	ret->key_bytes = clamp_bytes(
	    generalised_extreme(sizes_deviate(key_id, 0), 30.7984, 8.20449, 0.078688), 8, 250);
	ret->value_bytes = clamp_bytes(
	    generalised_pareto(sizes_deviate(key_id, 1), 0, 214.476, 0.348238), 1, VALUE_CAP);
}

static void
of_etc_head(uint64_t key_id, struct sizes *ret)
{
	/* per 100,000, of the lengths 0 .. 14, which the fit leaves out */
	static const uint16_t head[] = {
	    536, 47, 17820, 9239, 18, 2740, 65, 606, 23, 837, 837, 8989, 92, 326, 1980};
	double u = sizes_deviate(key_id, 1), sum = 0;

	of_etc(key_id, ret);
	for (unsigned i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
		sum += head[i] / 100000.0;
		if (u < sum) {
			ret->value_bytes = i;
			return;
		}
	}
	ret->value_bytes = clamp_bytes(
	    generalised_pareto(sizes_deviate(key_id, 2), 15, 214.476, 0.348238), 15, VALUE_CAP);
}

static void
of_usr(uint64_t key_id, struct sizes *ret)
{
	ret->key_bytes = sizes_deviate(key_id, 0) < 0.5 ? 16 : 21;
	ret->value_bytes = 2;
}

static void
of_twitter(uint64_t key_id, struct sizes *ret)
{
	ret->key_bytes = clamp_bytes(
	    log_normal(sizes_deviate(key_id, 0), sizes_deviate(key_id, 1), 38, 0.35), 8, 250);
	ret->value_bytes = clamp_bytes(
	    log_normal(sizes_deviate(key_id, 2), sizes_deviate(key_id, 3), 230, 1.2), 1, 65536);
}

static void
of_meta(uint64_t key_id, struct sizes *ret)
{
	ret->key_bytes = clamp_bytes(
	    log_normal(sizes_deviate(key_id, 0), sizes_deviate(key_id, 1), 32, 0.3), 8, 250);
	ret->value_bytes = clamp_bytes(
	    log_normal(sizes_deviate(key_id, 2), sizes_deviate(key_id, 3), 157, 1.0), 1, 65536);
}

const struct size_mix size_mixes[] = {
    {"etc",
	"Facebook ETC, Atikoglu et al. 2012: key GEV(30.80, 8.20, .0787), value GPareto(0, 214.5, "
	".348)",
	of_etc},
    {"etc-head", "the same with the paper's table of values under 15 bytes (44 % of all)",
	of_etc_head},
    {"usr", "Facebook USR, Atikoglu et al. 2012: keys of 16 or 21 bytes, values of 2", of_usr},
    {"twitter", "Yang et al. 2020: key median 38 bytes, value log-normal, median 230, sigma 1.2",
	of_twitter},
    {"meta", "McAllister et al. 2021: objects of 291 bytes on average, log-normal, sigma 1.0",
	of_meta},
};
const unsigned n_size_mixes = sizeof(size_mixes) / sizeof(size_mixes[0]);

const struct size_mix *
size_mix_find(const char *name)
{
	for (unsigned i = 0; i < n_size_mixes; i++)
		if (strcmp(size_mixes[i].name, name) == 0)
			return &size_mixes[i];
	return NULL;
}
