/*
 * metrics.h: all counters and gauges as Prometheus text (exposition format
 * 0.0.4), for HTTP and for peek_metrics.
 */
#ifndef PEEKD_METRICS_H
#define PEEKD_METRICS_H

#include "daemon/verbs/cmd.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends the text. Every sample has the label cache="cmd->name". */
void metrics_put(const struct cmd *cmd, struct wire_out *out);

#endif
