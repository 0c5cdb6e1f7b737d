/*
 * test_lib_server.h: a server of a test's own in the daemon's place, which says
 * what no daemon would.
 */
#ifndef PEEK_TESTS_LIB_SERVER_H
#define PEEK_TESTS_LIB_SERVER_H

#include "proc/test_lib_live.h"

struct server {
	pid_t pid;
	char path[128];
};

/*
 * Listens at dir/fake, where handles that are opened from now on look for the
 * daemon. Each connection is answered in a process of its own, by
 * answer(its descriptor, arg), and closed when that returns.
 */
static inline void
server_start(struct server *s, void (*answer)(int fd, void *arg), void *arg)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(s->path, sizeof(s->path), "%s/fake", dir);
	memcpy(un.sun_path, s->path, strlen(s->path) + 1);
	unlink(s->path);
	assert_int_equal(bind(listening, (const struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(listening, 100), 0);
	setenv("PEEK_SOCKET", s->path, 1);
	s->pid = harness_fork();
	assert_true(s->pid >= 0);
	if (s->pid != 0) {
		close(listening);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listening, NULL, NULL);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			answer(fd, arg);
			_exit(0);
		}
		close(fd);
	}
}

static inline void
server_end(struct server *s)
{
	int status;

	kill(s->pid, SIGKILL);
	waitpid(s->pid, &status, 0);
	unsetenv("PEEK_SOCKET");
	/* else it ended by itself: an answer that fails is no answer */
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

#endif
