/*
 * Names of log files and moving them on:
 *
 *	DIR/NAME/current.log  .idx      DIR/NAME/FIRST.log  .idx      FIRST = 20261122T101500.123456Z[-N]
 *	DIR/events.jsonl                DIR/events-FIRST.jsonl
 *
 * The index is renamed first, the log last; so an index without its log is a rename that was cut off.
 */
#pragma once

#include <stdint.h>
#include "logger/log.h"

struct log_paths {
	char directory[4096];
	char log[4096 + 32], index[4096 + 32]; /* of the current file; index empty where there is none */
	const char *prefix, *suffix;           /* of a rotated log's name around FIRST */
};

/* 0 or -ENAMETOOLONG. */
int log_paths_make(struct log_paths *paths, const char *log_dir, const struct log *log);
/*
 * Renames the current files (nothing of them open is needed) to the name their first byte's time
 * gives, behind all there are; then removes the oldest but `keep`. 0 or a negative errno.
 */
int rotate_run(const struct log_paths *paths, uint64_t first_us, uint32_t keep);
/* Completes a rename that was cut off. To be called before the current file is opened. */
int rotate_repair(const struct log_paths *paths);
