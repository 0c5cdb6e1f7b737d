/*
 * scan.h: the ordered lines of the sources, as sites.
 */
#ifndef PEEK_MODEL_SCAN_H
#define PEEK_MODEL_SCAN_H

/* Adds every ordered line below dir; returns the number of errors, which it has
 * printed. */
unsigned scan_sources(const char *dir);

#endif
