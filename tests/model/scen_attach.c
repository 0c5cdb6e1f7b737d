/*
 * scen_attach.c: a segment that comes to be, and a pointer inside one process.
 * map.c is compiled into this file, so that what the kernel's calls surround
 * can be called without them.
 */
#include "shm/map.c"

#include "model/scenarios.h"
#include "model/world.h"

static struct header header;
static struct map creators, attachers;
static struct geometry geometry;

static void
setup_attach(void)
{
	model_check(map_plan_geometry(64 << 20, 0, &geometry) == 0);
	memset(&header, 0, sizeof(header));
	creators.header = attachers.header = &header;
	model_keep(&creators, sizeof(creators));
	model_keep(&attachers, sizeof(attachers));
}

static void
create(void)
{
	write_header(&creators, &geometry, 7, 1);
	map_publish(&creators);
}

static void
attach(void)
{
	int r = check_header(&attachers, geometry.total_bytes);

	/* no magic yet: else its geometry would have been refused, which the
	 * sound one is not */
	if (r == -EBADMSG) {
		model_reached(0);
		return;
	}
	model_check(r == 0);
	model_check(attachers.seed == 7 && attachers.generation == 1 &&
	    attachers.n_blocks == geometry.n_blocks && attachers.arena_off == geometry.arena_off &&
	    attachers.n_overflow_max == geometry.n_overflow_max);
	model_reached(1);
}

/* a thread that attaches anew, and another of the same process that reads */

static struct shared_ptr now;
static uint64_t fields[2][2]; /* two attachments, plain memory */

static void
setup_pointer(void)
{
	fields[0][0] = fields[0][1] = 1;
	fields[1][0] = fields[1][1] = 0;
	seq_publish_ptr(&now, fields[0]);
}

static void
publish(void)
{
	model_plain_store(&fields[1][0], 2, __FILE__, __LINE__);
	model_plain_store(&fields[1][1], 2, __FILE__, __LINE__);
	seq_publish_ptr(&now, fields[1]);
}

static void
use(void)
{
	uint64_t *at = seq_load_ptr(&now);
	uint64_t a = model_plain_load(&at[0], __FILE__, __LINE__),
		 b = model_plain_load(&at[1], __FILE__, __LINE__);

	model_check(a == b && a != 0);
	model_reached((unsigned)a);
}

static const struct model_scenario scenarios[] = {
    {.name = "attach to a header being written",
	.setup = setup_attach,
	.thread = {create, attach},
	.goals = 3},
    {.name = "pointer inside a process",
	.setup = setup_pointer,
	.thread = {publish, use},
	.goals = 6},
};

SCENARIO_TABLE(scen_attach, scenarios);
