/*
 * A reader of one log: line after line with their times, across rotated files and into the current
 * one, from any time or from the end, and on as it grows.
 *
 * A line's time is that of the batch its first byte came in. Lines are what lies between newlines, and a
 * line that was left unfinished ends where the next run begins. Nothing in a log can make reading
 * fail: a missing, cut or senseless index costs times only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "os/logset.h"

#define LOGREAD_LINE_MAX 65536 /* bytes; longer lines come in pieces */

struct logread;

struct logline {
	const char *data; /* without its newline; valid until the next call for this reader */
	size_t size;
	bool has_newline;  /* false: a piece, or the end of what there is, or of what a run wrote */
	bool is_continued; /* the piece before it had no newline because it was long, or awaited */
	uint64_t wall_us, monotonic_us; /* 0: not known */
	uint64_t flags;    /* enum logindex_flags of its record */
};

/*
 * kind and directory as in logset. A log that does not exist (yet) is empty. The reader stands at the
 * first line. 0 or a negative errno.
 */
int logread_open(enum logset_kind kind, const char *directory, struct logread **ret_reader);
struct logread *logread_close(struct logread *reader);
void logread_closep(struct logread **reader);
/* Is there any file of it? */
bool logread_exists(const struct logread *reader);

/* To the beginning of the last n lines. Reads only as far back as it must. 0 or a negative errno. */
int logread_seek_last(struct logread *reader, uint64_t n);
/*
 * Near the first line that came at or after a time: none that did is passed over, but some before it
 * may still come; where there is no index, all.
 */
int logread_seek_time(struct logread *reader, uint64_t wall_us);
/*
 * The next line. 1; 0: no more now; or a negative errno. What has no newline yet is held back, unless
 * `flush`.
 */
int logread_next(struct logread *reader, bool flush, struct logline *ret_line);
/*
 * Tells inotify to say when there may be more. 1; 0: the log's directory does not exist yet, the one
 * above it is watched instead: ask again when that says something; or a negative errno.
 */
int logread_watch(struct logread *reader, int inotify_fd);

/*
 * The last lines, at most n and size_max bytes, that came at or after a time (0: whenever), appended
 * with their newlines as the program wrote them. 0, -ENOENT (there is no log), or another negative errno.
 */
int logread_tail_run(const char *directory, uint64_t since_wall_us, unsigned n, size_t size_max,
	struct buf *ret_lines);
