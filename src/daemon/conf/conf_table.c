/* conf_table.c: the table of settings, and their values to and from text. */
#include "daemon/conf/conf_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shm/map.h"

const struct conf_setting conf_table[CONF_N_ROWS] = {
#define SETTING(kind, name, short_opt, unit, min, max, dflt, live, help) \
	{#name, unit, dflt, help, min, max, CONF_KIND_##kind, short_opt, live, \
	    offsetof(struct conf, name)},
#include "daemon/conf/settings.def"
#undef SETTING
};

char conf_start_dir[PATH_MAX];

/* ---- values -------------------------------------------------------------- */

static uint64_t *
number_of(struct conf *conf, const struct conf_setting *s)
{
	return (uint64_t *)(void *)((char *)conf + s->offset);
}

static char **
text_of(struct conf *conf, const struct conf_setting *s)
{
	return (char **)(void *)((char *)conf + s->offset);
}

static uint64_t
number_in(const struct conf *conf, const struct conf_setting *s)
{
	return *(const uint64_t *)(const void *)((const char *)conf + s->offset);
}

static const char *
text_in(const struct conf *conf, const struct conf_setting *s)
{
	return *(char *const *)(const void *)((const char *)conf + s->offset);
}

/* Parses digits and at most one of b, k, m, g, t. */
static bool
parse_size(const char *text, uint64_t bare_unit, uint64_t *ret)
{
	char *end;
	uint64_t n, unit = bare_unit;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (*end != '\0') {
		static const char units[] = "bkmgt";
		const char *at = strchr(units, *end | 0x20);

		if (at == NULL || end[1] != '\0')
			return false;
		unit = UINT64_C(1) << (10 * (at - units));
	}
	return !__builtin_mul_overflow(n, unit, ret);
}

static bool
parse_number(const char *text, int base, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return errno == 0 && *end == '\0';
}

static bool
parse_flag(const char *text, uint64_t *ret)
{
	static const char *const words[2][4] = {
	    {"no", "off", "false", "0"}, {"yes", "on", "true", "1"}};

	for (unsigned v = 0; v < 2; v++) {
		for (unsigned i = 0; i < 4; i++) {
			if (strcmp(text, words[v][i]) == 0) {
				*ret = v;
				return true;
			}
		}
	}
	return false;
}

static bool
parse_choice(const char *choices, const char *text, uint64_t *ret)
{
	size_t len = strlen(text);
	uint64_t i = 0;

	for (const char *at = choices; len > 0; i++) {
		size_t n = strcspn(at, "|");

		if (n == len && memcmp(at, text, n) == 0) {
			*ret = i;
			return true;
		}
		if (at[n] == '\0')
			break;
		at += n + 1;
	}
	return false;
}

/* Writes a number in the table's units: 64m, 0700, 1024. */
void
conf_format_number(const struct conf_setting *s, uint64_t v, char *buf, size_t cap)
{
	static const char units[] = "bkmgt";
	unsigned unit = 0;

	switch (s->kind) {
	case CONF_KIND_MODE:
		snprintf(buf, cap, "0%03" PRIo64, v);
		return;
	case CONF_KIND_SIZE:
	case CONF_KIND_MEGABYTES:
		while (v != 0 && (v & 1023) == 0 && unit < 4) {
			v >>= 10;
			unit++;
		}
		snprintf(buf, cap, "%" PRIu64 "%c", v, units[unit]);
		return;
	default:
		snprintf(buf, cap, "%" PRIu64, v);
	}
}

static void
format_allowed(const struct conf_setting *s, char *buf, size_t cap)
{
	char lo[32], hi[32];

	switch (s->kind) {
	case CONF_KIND_FLAG:
		snprintf(buf, cap, "yes or no");
		return;
	case CONF_KIND_CHOICE:
		snprintf(buf, cap, "one of %s", s->unit);
		return;
	case CONF_KIND_TEXT:
		snprintf(buf, cap, "%" PRIu64 " to %" PRIu64 " bytes", s->min, s->max);
		return;
	case CONF_KIND_NAME:
		snprintf(buf, cap,
		    "%" PRIu64 " to %" PRIu64 " letters, digits, dots, dashes and underscores, not "
		    "beginning with a dot nor ending in .new or .lock",
		    s->min, s->max);
		return;
	default:
		conf_format_number(s, s->min, lo, sizeof(lo));
		conf_format_number(s, s->max, hi, sizeof(hi));
		snprintf(buf, cap, "%s to %s%s", lo, hi,
		    s->kind == CONF_KIND_MEGABYTES  ? " (a bare number is MiB)"
			: s->kind == CONF_KIND_MODE ? ", octal"
						    : "");
	}
}

int
conf_set(struct conf *conf, size_t row, const char *text, const char *place, char *error)
{
	const struct conf_setting *s = &conf_table[row];
	char allowed[128];
	uint64_t v = 0;
	bool ok = false;

	switch (s->kind) {
	case CONF_KIND_SIZE:
		ok = parse_size(text, 1, &v);
		break;
	case CONF_KIND_MEGABYTES:
		ok = parse_size(text, UINT64_C(1) << 20, &v);
		break;
	case CONF_KIND_NUMBER:
		ok = parse_number(text, 10, &v);
		break;
	case CONF_KIND_MODE:
		ok = parse_number(text, 8, &v);
		break;
	case CONF_KIND_FLAG:
		ok = parse_flag(text, &v);
		break;
	case CONF_KIND_CHOICE:
		ok = parse_choice(s->unit, text, &v);
		break;
	case CONF_KIND_TEXT:
		v = strlen(text);
		ok = true;
		break;
	case CONF_KIND_NAME:
		v = strlen(text);
		ok = map_name_ok(text) && !map_name_is_beside(text);
		break;
	}
	if (!ok || v < s->min || v > s->max) {
		format_allowed(s, allowed, sizeof(allowed));
		snprintf(error, CONF_ERROR_BYTES, "%s: %s is \"%.64s%s\"; allowed: %s (default %s)",
		    place, s->name, text, strlen(text) > 64 ? "..." : "", allowed,
		    s->dflt[0] != '\0' ? s->dflt : "empty");
		return -EINVAL;
	}
	if (conf_is_text(s)) {
		char *copy = strdup(text);

		if (copy == NULL) {
			snprintf(error, CONF_ERROR_BYTES, "%s: out of memory", place);
			return -ENOMEM;
		}
		free(*text_of(conf, s));
		*text_of(conf, s) = copy;
	} else
		*number_of(conf, s) = v;
	return 0;
}

const char *
conf_row_name(size_t row)
{
	return conf_table[row].name;
}

void
conf_row_value(const struct conf *conf, size_t row, char *buf, size_t cap)
{
	const struct conf_setting *s = &conf_table[row];
	const char *at;
	uint64_t v;

	if (conf_is_text(s)) {
		snprintf(buf, cap, "%s", text_in(conf, s));
		return;
	}
	v = number_in(conf, s);
	switch (s->kind) {
	case CONF_KIND_FLAG:
		snprintf(buf, cap, "%s", v != 0 ? "yes" : "no");
		return;
	case CONF_KIND_CHOICE:
		for (at = s->unit; v > 0; v--)
			at += strcspn(at, "|") + 1;
		snprintf(buf, cap, "%.*s", (int)strcspn(at, "|"), at);
		return;
	default:
		conf_format_number(s, v, buf, cap);
	}
}

void
conf_free(struct conf *conf)
{
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		if (conf_is_text(&conf_table[i])) {
			free(*text_of(conf, &conf_table[i]));
			*text_of(conf, &conf_table[i]) = NULL;
		}
	}
}

void
conf_apply_live(struct conf *conf, struct conf *fresh, void (*fixed)(const char *name))
{
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_setting *s = &conf_table[i];
		bool text = conf_is_text(s);
		bool same = text ? strcmp(text_in(conf, s), text_in(fresh, s)) == 0
				 : number_in(conf, s) == number_in(fresh, s);

		if (same)
			continue;
		if (!s->live)
			fixed(s->name);
		else if (text) {
			char *old = *text_of(conf, s);

			*text_of(conf, s) = *text_of(fresh, s);
			*text_of(fresh, s) = old;
		} else
			*number_of(conf, s) = number_in(fresh, s);
	}
}

/* ---- the nearest name ---------------------------------------------------- */

#define NAME_MAX_BYTES 40

/* The number of letters to insert, drop or change to make b of a. */
static unsigned
edit_distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned row[NAME_MAX_BYTES + 1];

	if (a_len > NAME_MAX_BYTES || b_len > NAME_MAX_BYTES)
		return NAME_MAX_BYTES;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

void
conf_unknown(const char *word, const char *what, char *error)
{
	bool is_option = strncmp(word, "--", 2) == 0;
	char name[NAME_MAX_BYTES + 1];
	const char *nearest = NULL;
	unsigned nearest_edits = 4;

	snprintf(name, sizeof(name), "%s", is_option ? word + 2 : word);
	name[strcspn(name, "=")] = '\0';
	for (char *c = name; *c != '\0'; c++) {
		if (*c == '-')
			*c = '_';
	}
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		unsigned edits = edit_distance(name, conf_table[i].name);

		if (edits < nearest_edits) {
			nearest_edits = edits;
			nearest = conf_table[i].name;
		}
	}
	snprintf(name, sizeof(name), "%s", nearest != NULL ? nearest : "");
	for (char *c = name; is_option && *c != '\0'; c++) {
		if (*c == '_')
			*c = '-';
	}
	if (nearest != NULL)
		snprintf(error, CONF_ERROR_BYTES, "%s %.64s; the nearest is %s%s", what, word,
		    is_option ? "--" : "", name);
	else
		snprintf(error, CONF_ERROR_BYTES, "%s %.64s; --help lists them", what, word);
}
