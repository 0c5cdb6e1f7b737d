/* crash.c: the crash points of a build with PEEK_HOOKS, set by environment
 * variables. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/crash.h"

#if defined(PEEK_HOOKS)
void (*crash_hook)(const char *label);

struct crash_at {
	char label[64];
	unsigned long left; /* passes until it happens; 0: never */
};

static struct crash_at kill_at, stop_at;
static const char *listed[256]; /* labels are literals: told apart by their address */
static size_t n_listed;
static int list_fd = -1;

/* "mutation:step[:n]": a number behind the last colon is the count. */
static struct crash_at
crash_parse(const char *text)
{
	struct crash_at at = {.left = 1};
	const char *colon = text != NULL ? strrchr(text, ':') : NULL;
	size_t len = text != NULL ? strlen(text) : 0;

	if (colon != NULL && colon[1] >= '0' && colon[1] <= '9') {
		at.left = strtoul(colon + 1, NULL, 10);
		len = (size_t)(colon - text);
	}
	if (len == 0 || len >= sizeof(at.label))
		return (struct crash_at){.left = 0};
	memcpy(at.label, text, len);
	return at;
}

static void
crash_pass(struct crash_at *at, const char *label, int sig)
{
	if (at->left > 0 && strcmp(at->label, label) == 0 && --at->left == 0)
		kill(getpid(), sig);
}

static void
crash_list(const char *label)
{
	for (size_t i = 0; i < n_listed; i++)
		if (listed[i] == label)
			return;
	if (n_listed < sizeof(listed) / sizeof(listed[0]))
		listed[n_listed++] = label;
	if (write(list_fd, label, strlen(label)) < 0 || write(list_fd, "\n", 1) < 0)
		abort(); /* a test that can't be believed */
}

static void
on_crash_point(const char *label)
{
	if (list_fd >= 0)
		crash_list(label);
	crash_pass(&kill_at, label, SIGKILL);
	crash_pass(&stop_at, label, SIGSTOP);
}

void
crash_by_environment(void)
{
	const char *path = getenv("PEEK_CRASH_LIST");

	kill_at = crash_parse(getenv("PEEK_CRASH_AT"));
	stop_at = crash_parse(getenv("PEEK_STOP_AT"));
	if (path != NULL)
		list_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (kill_at.left > 0 || stop_at.left > 0 || list_fd >= 0)
		crash_hook = on_crash_point;
}
#else
typedef int crash_points_are_compiled_out;
#endif
