/* Several logs and hob's own events as one sequence of lines, by time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "os/logread.h"

enum logmerge_form {
	LOGMERGE_TEXT,     /* TIME NAME: line */
	LOGMERGE_HARMLESS, /* the same, made harmless for a terminal */
	LOGMERGE_RAW,      /* the bytes */
	LOGMERGE_JSON,     /* an object a line */
};

struct logmerge_source;

struct logmerge {
	struct logmerge_source *sources;
	size_t n_sources, capacity;
	uint64_t since_us, until_us; /* wall clock; 0 and UINT64_MAX: no bound */
	bool names_only;             /* events of units that are no source are left out */
	bool colour;
	enum logmerge_form form;
};

void logmerge_done(struct logmerge *merge);
/* Adds a unit's log ("web"), or the events (NULL). Adding twice is fine. 0 or a negative errno. */
int logmerge_add(struct logmerge *merge, const char *log_dir, const char *name);
/* Is there a file of that log? */
bool logmerge_exists(const struct logmerge *merge, const char *name);

/* All sources to their beginning, or since_us. */
int logmerge_seek_start(struct logmerge *merge);
/* So that the last n lines of all are what comes next. */
int logmerge_seek_last(struct logmerge *merge, uint64_t n);
/* Writes all lines there are now, the oldest first. flush: also what has no newline yet. 0 or a negative errno. */
int logmerge_write(struct logmerge *merge, FILE *file, bool flush);
/* As logread_watch(), for all. 1: there is something left to ask for again. */
int logmerge_watch(struct logmerge *merge, int inotify_fd);
