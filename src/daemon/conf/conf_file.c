/*
 * conf_file.c: the configuration file; the one door to libConfuse.
 *
 * libConfuse is small (one shared object that needs libc alone), and every
 * distribution has it. It has quoting, comments, environment variables and
 * includes, and it knows the file and line of each value. libucl would bring a
 * second syntax, signatures and an HTTP client. For libConfuse every setting is
 * a string, so that a value means the same here and on the command line.
 */
#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/conf/conf_table.h"

/* libConfuse's callbacks have no argument for their caller. */
static struct {
	struct conf *conf;
	struct conf_result *ret;
} reading;

/* ---- reading ------------------------------------------------------------- */

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char *error = reading.ret->error, what[256], place[128];

	if (error[0] != '\0')
		return; /* the first error says most */
	snprintf(place, sizeof(place), "%.100s:%d",
	    cfg != NULL && cfg->filename != NULL ? cfg->filename : reading.ret->path,
	    cfg != NULL ? cfg->line : 0);
	if (strncmp(fmt, "no such option", 14) == 0) {
		snprintf(what, sizeof(what), "%s: unknown setting", place);
		conf_unknown(va_arg(ap, const char *), what, error);
		return;
	}
	vsnprintf(what, sizeof(what), fmt, ap);
	snprintf(error, CONF_ERROR_BYTES, "%s: %s", place, what);
}

static int
on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	char place[128];
	const char *value = cfg_opt_getstr(opt);

	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		if (strcmp(conf_table[i].name, cfg_opt_name(opt)) != 0)
			continue;
		snprintf(place, sizeof(place), "%.100s:%d", cfg->filename, cfg->line);
		reading.ret->given[i] = true;
		return conf_set(reading.conf, i, value != NULL ? value : "", place,
			   reading.ret->error) == 0
		    ? 0
		    : -1;
	}
	return -1;
}

int
conf_read_file(struct conf *conf, struct conf_result *ret)
{
	cfg_opt_t opts[CONF_N_ROWS + 2];
	cfg_t *cfg;
	struct stat st;
	int r;

	errno = 0;
	/*
	 * the scanner ends the process if it can open the file but not read it
	 */
	if (access(ret->path, R_OK) != 0 || stat(ret->path, &st) != 0 || S_ISDIR(st.st_mode)) {
		snprintf(ret->error, CONF_ERROR_BYTES, "%.128s: can't be read: %s", ret->path,
		    strerror(errno != 0 ? errno : EISDIR));
		return -EINVAL;
	}
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		opts[i] = (cfg_opt_t)CFG_STR(conf_table[i].name, NULL, CFGF_NODEFAULT);
	opts[CONF_N_ROWS] = (cfg_opt_t)CFG_FUNC("include", cfg_include);
	opts[CONF_N_ROWS + 1] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(opts, CFGF_NONE);
	if (cfg == NULL) {
		snprintf(ret->error, CONF_ERROR_BYTES, "%.128s: out of memory", ret->path);
		return -EINVAL;
	}
	reading.conf = conf;
	reading.ret = ret;
	cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		cfg_set_validate_func(cfg, conf_table[i].name, on_value);
	/*
	 * For include, because libConfuse's search path would not find absolute
	 * names. If the directory is gone, relative names aren't found, and an
	 * error says so. No path of the daemon's own is relative.
	 */
	if (conf_start_dir[0] != '\0')
		(void)!chdir(conf_start_dir);
	r = cfg_parse(cfg, ret->path);
	if (conf_start_dir[0] != '\0')
		(void)!chdir("/");
	cfg_free(cfg);
	if (r == CFG_SUCCESS && ret->error[0] == '\0')
		return 0;
	if (ret->error[0] == '\0')
		snprintf(ret->error, CONF_ERROR_BYTES, "%.128s: %s", ret->path,
		    r == CFG_FILE_ERROR ? strerror(errno) : "syntax error");
	return -EINVAL;
}
