/* background.h: the setting daemon (-d). The process goes to the background,
 * and the caller waits for it only until it serves. */
#ifndef PEEKD_BACKGROUND_H
#define PEEKD_BACKGROUND_H

#include <stdbool.h>

/*
 * Forks, and returns in the child. The child has a session of its own and is in
 * the root directory, so relative paths of the settings must be absolute by now
 * (conf_leave_directory). The parent stays until background_tell, and ends with
 * its status. *ret_fd is for background_tell. Returns 0, or EX_OSERR.
 */
int background_begin(int *ret_fd);

/*
 * Tells the parent the status of the start, once: *fd is -1 afterwards, and is
 * -1 at first if there is no parent. With status 0 the standard streams lead to
 * /dev/null from now on, because a program that waits for their end would wait
 * as long as the daemon runs. keep_stderr: stderr stays.
 */
void background_tell(int *fd, int status, bool keep_stderr);

/* True: stderr is a plain file. Nobody waits for its end, and it may be the
 * log. */
bool background_stderr_is_file(void);

#endif
