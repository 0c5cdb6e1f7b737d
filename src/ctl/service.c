/*
 * service.c: commands about the daemon.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "ctl/control.h"
#include "ctl/ctl.h"

/* Calls each for every STAT line of the reply. CTL_OK, or explained. */
static int
each_stat(struct ctl *c, const char *what,
    void (*each)(void *arg, struct wire_str name, struct wire_str value), void *arg)
{
	struct wire_reply re;

	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	int error = control_ask(c->conn, &re, "stats%s%s", what[0] != '\0' ? " " : "", what);
	while (error == 0 && re.code == WIRE_RE_STAT) {
		if (re.n_args >= 1) {
			struct wire_str value = {re.rest.p + re.rest.len, 0};
			if (re.n_args > 1)
				value = (struct wire_str){
				    re.arg[1].p, (uint32_t)(re.rest.p + re.rest.len - re.arg[1].p)};
			each(arg, re.arg[0], value);
		}
		error = control_reply(c->conn, &re);
	}
	if (error != 0)
		return ctl_broken(error);
	if (re.code == WIRE_RE_END || re.code == WIRE_RE_RESET)
		return CTL_OK;
	return ctl_unhoped(&re, NULL);
}

static void
print_stat(void *arg, struct wire_str name, struct wire_str value)
{
	char field[128];

	snprintf(field, sizeof(field), "%.*s", (int)name.len, name.p);
	output_guess(arg, field, value.p, value.len);
}

int
ctl_cmd_stats(struct ctl *c)
{
	static const char *const known[] = {
	    "", "settings", "items", "slabs", "sizes", "conns", "snapshot", "reset"};
	const char *what = c->n_args > 0 ? c->args[0] : "";
	struct output r;
	size_t i = 0;

	while (i < sizeof(known) / sizeof(*known) && strcmp(what, known[i]) != 0)
		i++;
	if (i == sizeof(known) / sizeof(*known))
		return ctl_error(
		    "There are settings, items, slabs, sizes, conns, snapshot and reset.",
		    "there are no stats \"%s\"", what);
	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	output_begin(&r, c->json, 28);
	int status = each_stat(c, what, print_stat, &r);
	output_end(&r);
	return ctl_flushed(status);
}

int
ctl_cmd_ping(struct ctl *c)
{
	struct wire_reply re;

	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	int64_t begun_ns = now_monotonic_ns();
	int error = control_ask(c->conn, &re, "mn");
	int64_t us = (now_monotonic_ns() - begun_ns) / 1000;
	if (error != 0)
		return ctl_broken(error);
	if (re.code != WIRE_RE_MN)
		return ctl_unhoped(&re, NULL);
	if (c->json)
		printf("{\"answered_us\":%" PRId64 "}\n", us);
	else
		printf("answered in %" PRId64 " us\n", us);
	return ctl_flushed(CTL_OK);
}

int
ctl_cmd_flush(struct ctl *c)
{
	struct wire_reply re;
	uint64_t delay_s = 0;

	if (c->n_args > 0 && !ctl_duration(c->args[0], &delay_s))
		return ctl_error(
		    "A time is a number of seconds, or a number with s, m, h or d: 15m.",
		    "\"%s\" is not a time", c->args[0]);
	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	int error = delay_s == 0 ? control_ask(c->conn, &re, "flush_all")
				 : control_ask(c->conn, &re, "flush_all +%" PRIu64, delay_s);
	if (error != 0)
		return ctl_broken(error);
	return re.code == WIRE_RE_OK ? CTL_OK : ctl_unhoped(&re, NULL);
}

int
ctl_cmd_shutdown(struct ctl *c)
{
	struct wire_reply re;

	if (ctl_connect(c) != 0)
		return CTL_ERROR;
	int error = control_ask(c->conn, &re, "shutdown");
	if (error == -ECONNRESET) /* the daemon ends without an answer */
		return CTL_OK;
	if (error != 0)
		return ctl_broken(error);
	if (re.code == WIRE_RE_ERROR)
		return ctl_refused("Send SIGTERM to it, or start the daemon with -A.",
		    "this daemon doesn't accept shutdown over its socket");
	return ctl_unhoped(&re, NULL);
}

int
ctl_cmd_version(struct ctl *c)
{
	struct wire_reply re;
	struct output r;

	output_begin(&r, c->json, 8);
	output_text(&r, "peekctl", peek_version());
	int status = ctl_connect(c) == 0 ? CTL_OK : CTL_ERROR;
	if (status == CTL_OK) {
		int error = control_ask(c->conn, &re, "version");
		if (error != 0)
			status = ctl_broken(error);
		else if (re.code == WIRE_RE_VERSION)
			output_bytes(&r, "peekd", re.rest.p, re.rest.len);
		else
			status = ctl_unhoped(&re, NULL);
	}
	output_end(&r);
	return ctl_flushed(status);
}
