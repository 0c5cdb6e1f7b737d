/*
 * number.c: numbers and times as words of the command line.
 */
#include <string.h>

#include "ctl/ctl.h"

bool
ctl_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (!wire_u64(text, strlen(text), &value) || value > max)
		return false;
	*ret = value;
	return true;
}

bool
ctl_duration(const char *text, uint64_t *ret_s)
{
	static const char endings[] = "smhd";
	static const uint64_t seconds[] = {1, 60, 3600, 86400};
	size_t len = strlen(text);
	const char *ending = len > 0 ? strchr(endings, text[len - 1]) : NULL;
	uint64_t value, unit = ending != NULL ? seconds[ending - endings] : 1;

	if (!wire_u64(text, len - (ending != NULL), &value) || value > UINT32_MAX / unit)
		return false;
	*ret_s = value * unit;
	return true;
}
