/* background.c: see background.h. */
#include "daemon/host/background.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/host/log.h"

int
background_begin(int *ret_fd)
{
	unsigned char status = EX_SOFTWARE;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		log_error("can't go to the background: %s", strerror(errno));
		return EX_OSERR;
	}
	if (pid > 0) {
		close(ends[1]);
		if (read(ends[0], &status, 1) != 1)
			status = EX_SOFTWARE;
		_exit(status);
	}
	close(ends[0]);
	if (setsid() < 0 || chdir("/") != 0) {
		log_error("can't go to the background: %s", strerror(errno));
		close(ends[1]);
		return EX_OSERR;
	}
	*ret_fd = ends[1];
	return 0;
}

static void
leave_streams(bool keep_stderr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0) {
		log_warning("/dev/null can't be opened: %s; the standard streams stay open",
		    strerror(errno));
		return;
	}
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!keep_stderr)
		dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

void
background_tell(int *fd, int status, bool keep_stderr)
{
	unsigned char byte = (unsigned char)status;

	if (*fd < 0)
		return;
	if (status == 0)
		leave_streams(keep_stderr);
	(void)!write(*fd, &byte, 1); /* the parent may be gone */
	close(*fd);
	*fd = -1;
}

bool
background_stderr_is_file(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}
