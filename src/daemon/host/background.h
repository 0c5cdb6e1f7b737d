/*
 * background.h: the setting daemon (-d): a process that nobody waits for any
 * more once it serves.
 */
#ifndef PEEKD_BACKGROUND_H
#define PEEKD_BACKGROUND_H

#include <stdbool.h>

/*
 * Forks, and returns in the child, which has a session of its own and is in
 * the root directory; relative paths of the settings must not be needed any
 * more (conf_leave_directory). The parent stays until background_tell, and
 * leaves with its status. *ret_fd is for background_tell. 0, or EX_OSERR.
 */
int background_begin(int *ret_fd);

/*
 * Tells the parent the start's status, once: *fd is -1 afterwards, and at
 * first where there is no parent. With status 0 the standard streams lead to
 * /dev/null from now on, so that who waits for their end is not kept;
 * stderr only unless keep_stderr.
 */
void background_tell(int *fd, int status, bool keep_stderr);

/*
 * True: stderr is a plain file, which nobody waits for and which may well be
 * the log's.
 */
bool background_stderr_is_file(void);

#endif
