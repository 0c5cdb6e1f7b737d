/*
 * scenarios.h: the tables that the runner goes through, one for each file of
 * scenarios.
 */
#ifndef PEEK_MODEL_SCENARIOS_H
#define PEEK_MODEL_SCENARIOS_H

#include "model/runtime.h"

struct scenario_table {
	const struct model_scenario *first;
	unsigned n;
};

extern const struct scenario_table scen_read, scen_table, scen_kill, scen_attach, scen_handover,
    scen_ring, scen_place, scen_wrong;

#define SCENARIO_TABLE(name, array) \
	const struct scenario_table name = {array, sizeof(array) / sizeof((array)[0])}

#endif
