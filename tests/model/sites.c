/*
 * sites.c: the ordered lines that were met, and the one that is weakened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/core.h"

static struct model_site sites[MODEL_SITES_MAX];
static unsigned n_sites;
static int weakened = -1;
static uint64_t *seen;

/* The place that last called seq.h, by thread; and each pair of such a place
 * and a site. */
static struct place {
	const char *file;
	int line;
} caller[MODEL_THREADS_MAX + 1];
static struct model_use uses[MODEL_USES_MAX];
static unsigned n_uses;
static int use_weakened = -1;

static const char *
kind_name(enum op_kind kind, enum model_order order)
{
	if (kind == OP_FENCE)
		return order == MODEL_ACQ ? "acquire fence"
		    : order == MODEL_REL  ? "release fence"
		    : order == MODEL_SC   ? "seq_cst fence"
					  : "crash fence";
	if (kind == OP_LOAD)
		return "acquire load";
	return kind == OP_STORE ? "release store" : "ordered add";
}

void
site_add(const char *file, int line, const char *kind)
{
	if (n_sites == MODEL_SITES_MAX) {
		fprintf(stderr, "model: more than %d ordered lines\n", MODEL_SITES_MAX);
		exit(2);
	}
	sites[n_sites++] = (struct model_site){file, line, kind};
}

/* True if this use of the site is the weakened one. */
static bool
note_use(unsigned site)
{
	const struct place *at = &caller[model_self() + 1];
	unsigned i = 0;

	if (at->file == NULL)
		return false;
	while (i < n_uses &&
	    !(uses[i].site == site && uses[i].line == at->line &&
		strcmp(uses[i].file, at->file) == 0))
		i++;
	if (i == n_uses && n_uses < MODEL_USES_MAX)
		uses[n_uses++] = (struct model_use){at->file, at->line, site};
	return (int)i == use_weakened;
}

enum model_order
site_order(enum op_kind kind, enum model_order order, const char *file, int line)
{
	unsigned i;

	if (order == MODEL_RLX)
		return order;
	for (i = 0; i < n_sites; i++)
		if (sites[i].line == line &&
		    (sites[i].file == file || strcmp(sites[i].file, file) == 0))
			break;
	if (i == n_sites)
		site_add(file, line, kind_name(kind, order));
	if (seen != NULL)
		*seen |= UINT64_C(1) << i;
	if ((int)i != weakened && !note_use(i))
		return order;
	return order == MODEL_SC ? MODEL_ACQ_REL : MODEL_RLX;
}

void
model_call(const char *file, int line)
{
	caller[model_self() + 1] = (struct place){file, line};
}

unsigned
model_uses(const struct model_use **ret)
{
	*ret = uses;
	return n_uses;
}

void
model_weaken_use(int use)
{
	use_weakened = use;
}

void
site_begin(uint64_t *mask)
{
	seen = mask;
}

unsigned
model_sites(const struct model_site **ret)
{
	*ret = sites;
	return n_sites;
}

void
model_weaken(int site)
{
	weakened = site;
}
