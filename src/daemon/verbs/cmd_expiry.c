/*
 * cmd_expiry.c: exptime, which counts from now or from 1970, on the segment's
 * clock.
 */
#include "daemon/verbs/cmd_private.h"

uint32_t
cmd_expiry(const struct cmd *cmd, int64_t exptime)
{
	int64_t at_s;

	if (exptime == 0)
		return 0;
	if (exptime < 0)
		return 1;
	if ((exptime & WIRE_FROM_NOW) != 0) {
		exptime &= ~WIRE_FROM_NOW;
		if (exptime == 0)
			return 0;
		at_s = cmd->now_s + exptime;
	} else if (exptime <= WIRE_EXPTIME_DELTA_MAX_S) {
		at_s = cmd->now_s + exptime;
	} else {
		at_s = cmd->now_s + (exptime - cmd->now_unix_s);
	}
	if (at_s < 1)
		return 1;
	return at_s > UINT32_MAX ? UINT32_MAX : (uint32_t)at_s;
}
