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

static const char *
kind_name(enum op_kind kind, enum model_order order)
{
	if (kind == OP_FENCE)
		return order == MODEL_ACQ ? "acquire fence" : order == MODEL_REL ? "release fence" : "crash fence";
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

enum model_order
site_order(enum op_kind kind, enum model_order order, const char *file, int line)
{
	unsigned i;

	if (order == MODEL_RLX)
		return order;
	for (i = 0; i < n_sites; i++)
		if (sites[i].line == line && (sites[i].file == file || strcmp(sites[i].file, file) == 0))
			break;
	if (i == n_sites)
		site_add(file, line, kind_name(kind, order));
	if (seen != NULL)
		*seen |= UINT64_C(1) << i;
	return (int)i == weakened ? MODEL_RLX : order;
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
