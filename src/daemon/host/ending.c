/* ending.c: see ending.h. */
#include "daemon/host/ending.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t ending, hung_up;

static void
on_signal(int sig)
{
	if (sig == SIGHUP)
		hung_up = 1;
	else
		ending = sig;
}

void
ending_begin(void)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&act.sa_mask);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
}

int
ending_signal(void)
{
	return ending;
}

const char *
ending_name(void)
{
	return ending == SIGINT ? "SIGINT" : "SIGTERM";
}

void
ending_forget(void)
{
	ending = 0;
}

bool
ending_hangup(void)
{
	bool came = hung_up != 0;

	hung_up = 0;
	return came;
}
