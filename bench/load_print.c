/*
 * load_print.c: prints the result of a load.
 */
#include <stdio.h>

#include "load.h"

struct sums {
	struct load_counts n;
	uint64_t retries;
	double rate, seconds;
};

static void
load_print_add(struct sums *s, const struct load_result *r)
{
	s->n.ops += r->n.ops;
	s->n.hits += r->n.hits;
	s->n.misses += r->n.misses;
	s->n.again += r->n.again;
	s->n.wrong += r->n.wrong;
	s->n.failed += r->n.failed;
	s->retries += r->retries;
	s->rate += r->seconds > 0 ? (double)r->n.ops / r->seconds : 0;
	s->seconds = r->seconds > s->seconds ? r->seconds : s->seconds;
}

static const double shares[] = {0.5, 0.99, 0.999};

static void
print_json(const struct load *l, const struct sums *s, const struct hist *h, const struct timer *t)
{
	const struct load_result *w = &l->results[l->n_workers];

	printf("{\"load\":\"%s\",\"target\":\"%s\",\"keys\":%llu,\"key_bytes\":%llu,\"value_"
	       "bytes\":%llu,\"zipf\":%.3f,"
	       "\"readers\":%u,\"batch\":%llu,\"seconds\":%.3f,\"ops\":%llu,\"ops_per_s\":%.0f,"
	       "\"ns_per_op\":%.2f",
	    l->name, l->target.own ? "engine" : l->o->name, (unsigned long long)l->o->keys,
	    (unsigned long long)l->o->key_bytes, (unsigned long long)l->o->value_bytes, l->o->zipf,
	    l->n_workers, l->kind == LOAD_MGET ? (unsigned long long)l->o->batch : 1ull, s->seconds,
	    (unsigned long long)s->n.ops, s->rate, 1e9 * l->n_workers / s->rate);
	printf(",\"hits\":%llu,\"misses\":%llu,\"again\":%llu,\"wrong\":%llu,\"failed\":%llu,"
	       "\"retries\":%llu",
	    (unsigned long long)s->n.hits, (unsigned long long)s->n.misses,
	    (unsigned long long)s->n.again, (unsigned long long)s->n.wrong,
	    (unsigned long long)s->n.failed, (unsigned long long)s->retries);
	printf(",\"p50_ns\":%.1f,\"p99_ns\":%.1f,\"p999_ns\":%.1f,\"max_ns\":%.1f,\"samples\":%llu,"
	       "\"timer\":\"%s\","
	       "\"timer_cost_ns\":%.1f",
	    (double)hist_at(h, shares[0]) * t->ns_per_tick,
	    (double)hist_at(h, shares[1]) * t->ns_per_tick,
	    (double)hist_at(h, shares[2]) * t->ns_per_tick, (double)h->max * t->ns_per_tick,
	    (unsigned long long)h->n, t->name, t->cost_ns);
	if (l->o->writer != NULL)
		printf(",\"writer_sets_per_s\":%.0f,\"writer_failed\":%llu",
		    (double)w->n.ops / w->seconds, (unsigned long long)w->n.failed);
	puts("}");
}

static void
print_text(const struct load *l, const struct sums *s, const struct hist *h, const struct timer *t)
{
	const struct load_result *w = &l->results[l->n_workers];

	printf("%s: %llu keys of %llu bytes, values of %llu bytes, ", l->name,
	    (unsigned long long)l->o->keys, (unsigned long long)l->o->key_bytes,
	    (unsigned long long)l->o->value_bytes);
	if (l->o->zipf > 0)
		printf("zipf %.2f", l->o->zipf);
	else
		printf("uniform");
	printf(", %u process%s on %s\n", l->n_workers, l->n_workers > 1 ? "es" : "",
	    l->target.own ? "an engine of its own" : l->o->name);
	printf("  %.3f M/s in all, %.1f ns a key in each process, %.2f s\n", s->rate / 1e6,
	    1e9 * l->n_workers / s->rate, s->seconds);
	printf("  ops %llu, hits %llu, misses %llu, wrong %llu, -EAGAIN %llu, failed %llu, retries "
	       "%llu (%.4f %%)\n",
	    (unsigned long long)s->n.ops, (unsigned long long)s->n.hits,
	    (unsigned long long)s->n.misses, (unsigned long long)s->n.wrong,
	    (unsigned long long)s->n.again, (unsigned long long)s->n.failed,
	    (unsigned long long)s->retries,
	    s->n.ops > 0 ? 100 * (double)s->retries / (double)s->n.ops : 0);
	printf("  %s alone: p50 %.0f  p99 %.0f  p99.9 %.0f  max %.0f ns; %llu samples by %s, whose "
	       "own %.0f ns are in them\n",
	    l->kind == LOAD_MGET ? "a batch" : "an operation",
	    (double)hist_at(h, shares[0]) * t->ns_per_tick,
	    (double)hist_at(h, shares[1]) * t->ns_per_tick,
	    (double)hist_at(h, shares[2]) * t->ns_per_tick, (double)h->max * t->ns_per_tick,
	    (unsigned long long)h->n, t->name, t->cost_ns);
	for (unsigned i = 0; l->n_workers > 1 && i < l->n_workers; i++)
		printf("  process %u: %.3f M/s\n", i,
		    (double)l->results[i].n.ops / l->results[i].seconds / 1e6);
	if (l->o->writer != NULL)
		printf("  writer: %.3f M sets/s of %s keys, %llu failed\n",
		    (double)w->n.ops / w->seconds / 1e6, l->o->same_keys ? "the same" : "other",
		    (unsigned long long)w->n.failed);
}

void
load_print(const struct load *l, const struct timer *timer)
{
	static struct hist all;
	struct sums sums = {.rate = 0};

	for (unsigned i = 0; i < l->n_workers; i++) {
		load_print_add(&sums, &l->results[i]);
		hist_merge(&all, &l->results[i].hist);
	}
	(l->o->json ? print_json : print_text)(l, &sums, &all, timer);
}
