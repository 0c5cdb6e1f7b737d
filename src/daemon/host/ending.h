/*
 * ending.h: signals while the event loop doesn't run. The loop has handlers of
 * its own.
 *
 * A start may carry a segment over or load a snapshot, and an end may save one.
 * Meanwhile TERM and INT are remembered; the caller looks for them between
 * slices. HUP is remembered too, because its default would kill the process.
 */
#ifndef PEEKD_ENDING_H
#define PEEKD_ENDING_H

#include <stdbool.h>

/* From here on TERM, INT and HUP are remembered. */
void ending_begin(void);

/* The TERM or INT that came; 0: none has come. */
int ending_signal(void);

/* "SIGTERM" or "SIGINT". */
const char *ending_name(void);

/* Forgets the signal that came: the next one counts. */
void ending_forget(void);

/* True: a HUP has come since the last call. */
bool ending_hangup(void);

#endif
