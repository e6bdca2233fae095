/* Positions in a log, found without reading all of it. */
#pragma once

#include <stdint.h>
#include "os/logset.h"

/*
 * Where the last n lines begin; 0: the end. A log without files gives a position that is neither current
 * nor named. 0 or a negative errno.
 */
int logfind_last(const struct logset *set, uint64_t n, struct logset_position *ret_position);
/*
 * Where the first line begins that came at or after a time, or one before it: where there is no index,
 * the start of the file. 0, -ENOENT (no files), or another negative errno.
 */
int logfind_time(const struct logset *set, uint64_t wall_us, struct logset_position *ret_position);
