/*
 * ending.h: signals before and after the event loop, which has handlers of its
 * own while it runs.
 *
 * A start may carry a segment over or load a snapshot, an end may save one.
 * TERM and INT are remembered meanwhile, and looked at between slices. A HUP is
 * remembered too: by default it would kill the process.
 */
#ifndef PEEKD_ENDING_H
#define PEEKD_ENDING_H

#include <stdbool.h>

/* From here on TERM, INT and HUP are remembered. */
void ending_begin(void);

/* The TERM or INT that came; 0: none did. */
int ending_signal(void);

/* "SIGTERM" or "SIGINT". */
const char *ending_name(void);

/* Forgets the signal that came: the next one counts. */
void ending_forget(void);

/* Whether a HUP came since the last call. */
bool ending_hangup(void);

#endif
