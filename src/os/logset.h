/*
 * The files of one log in the order of their bytes: rotated ones, oldest first, then the current one.
 * The logger may rotate at any moment; whoever steps through with this sees each byte once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "os/logindex.h"
#include "os/logname.h"

enum logset_kind {
	LOGSET_OUTPUT, /* current.log and FIRST.log with their indexes, in the log's own directory */
	LOGSET_EVENTS, /* events.jsonl and events-FIRST.jsonl in the instance's log directory, without */
};

struct logset {
	enum logset_kind kind;
	char *directory;
};

/* A place between two bytes. */
struct logset_position {
	bool is_current;
	struct logname name; /* of the file; of the current one: the last rotated before it, or "" */
	uint64_t inode; /* of the current one, which may be rotated before it is opened */
	uint64_t offset;
};

/* One file, open for reading, with its index (an empty one where there is none). */
struct logset_file {
	int fd; /* -1: none */
	bool is_current;
	struct logname name; /* as in a position */
	uint64_t inode;
	struct logindex index;
};

/* 0 or -ENOMEM. That there is such a directory is not asked. */
int logset_init(struct logset *set, enum logset_kind kind, const char *directory);
void logset_done(struct logset *set);
/* All rotated files, malloc'd, oldest first. None where there is no directory. */
int logset_list(const struct logset *set, struct logname **ret_names, size_t *ret_n);
/* Opens a rotated file (name), or the current one (NULL). 0, -ENOENT, or another negative errno. */
int logset_open(const struct logset *set, const struct logname *name, struct logset_file *ret_file);
void logset_close(struct logset_file *file);
/*
 * Opens the file behind the one named (name "" : the first). 1: it is open; 0: there is none yet, not
 * even a current one; or a negative errno.
 */
int logset_open_after(const struct logset *set, const struct logname *name, struct logset_file *ret_file);
/* Has this current file been rotated (or removed) since it was opened? */
bool logset_was_rotated(const struct logset *set, const struct logset_file *file);
/*
 * After that, and once it is read to its end: the name it has now becomes file->name, so that
 * logset_open_after() goes on behind it. Without effect where it is gone.
 */
void logset_find_rotated(const struct logset *set, struct logset_file *file);
/*
 * The current file (fd -1 where there is none) and all rotated ones, as of one moment.
 * 0 or a negative errno.
 */
int logset_snapshot(const struct logset *set, struct logset_file *ret_current,
	struct logname **ret_names, size_t *ret_n);
