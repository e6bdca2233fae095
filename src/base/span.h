/*
 * Time spans as text (systemd.time(7), "Parsing time spans"), and times of day as text.
 * SPAN_INFINITY stands for "infinity".
 */
#pragma once

#include <stdint.h>
#include "base/buf.h"

#define SPAN_INFINITY UINT64_MAX
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)

/* default_unit_us: the unit of a bare number. 0, -EINVAL or -ERANGE; output untouched on failure.
 */
int span_parse(const char *text, uint64_t default_unit_us, uint64_t *ret_us);
/* Exact, parseable again: "1min 30s", "100ms", "0", "infinity". */
int span_render(struct buf *buf, uint64_t us);
/* For people: at most two units, "3.2 s", "12 ms", "2 h 5 min", "3 d 4 h". */
int span_render_human(struct buf *buf, uint64_t us);
/*
 * An absolute or relative time as `hob logs --since` takes it: "2026-11-22 10:15:00[.frac][ UTC]",
 * "2026-11-22", "10:15[:00]" (today), "yesterday", "today", "now", "@SECONDS[.frac]", "-5min",
 * "5min ago". now_us and the result: microseconds since 1970-01-01 UTC; local time zone.
 */
int span_parse_time(const char *text, uint64_t now_us, uint64_t *ret_us);
/* "2026-11-22 10:15:00.123" in local time. */
int span_render_time(struct buf *buf, uint64_t wall_us);
