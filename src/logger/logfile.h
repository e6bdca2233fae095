/*
 * The current file of a log and its index: opened and repaired, appended to out of the stage, rotated
 * when full. Only the writer thread calls this, and only this touches files.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "logger/log.h"
#include "logger/stage.h"

/* When a batch was taken in, and what is noted with its first byte (enum logindex_flags). */
struct batch {
	uint64_t wall_us, monotonic_us;
	uint64_t flags;
	bool noted; /* its record is in the index */
};

/* Where in the log a line's end is looked for once the file is full; then it is cut anyhow. */
#define LOGFILE_CUT_MAX 65536

void logfile_init(struct logfile *file);
/*
 * Moves up to `size` bytes out of the stage to the end of the log, opening and rotating it as needed;
 * the caller calls again for the rest. Returns the number moved (0: the stage is empty), or a
 * negative errno; nothing is lost then, and it may be called again.
 */
int64_t logfile_append(struct log *log, const char *log_dir, struct stage *stage, uint64_t size,
	struct batch *batch);
void logfile_close(struct log *log);
