/*
 * The index beside a log: when its bytes were taken in. A header of 64 bytes, then records of 32, one
 * a batch, in the byte order of the machine. The logger writes it, everybody may read it at any time.
 *
 * A record is written before its batch, so a record whose offset is the log's size is a batch that
 * has not come yet. A reader trusts nothing: a cut, missing or senseless index costs times, no lines.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#define LOGINDEX_VERSION 1
#define LOGINDEX_BLOCK 64 /* records read at once */

struct logindex_header {
	char magic[8]; /* "hobindex" */
	uint32_t version, record_size;
	uint64_t log_inode;  /* of the log it belongs to; a rename keeps it */
	uint64_t created_us; /* wall clock */
	uint8_t reserved[32];
};

enum logindex_flags {
	LOGINDEX_RUN = 1,       /* the first bytes of a run: a line that was not ended before ends here */
	LOGINDEX_GUESSED = 2,   /* added later, with the log's own time of change */
	LOGINDEX_RECOVERED = 4, /* taken in by a logger that was killed, written by its successor */
	LOGINDEX_GAP = 8,       /* a record before this one could not be written */
};

struct logindex_record {
	uint64_t offset; /* where in the log the batch begins */
	uint64_t wall_us;
	uint64_t monotonic_us;
	uint64_t flags;
};

_Static_assert(sizeof(struct logindex_header) == 64, "the header's size is part of the format");
_Static_assert(sizeof(struct logindex_record) == 32, "the record's size is part of the format");

/* Fills a header for a log. */
void logindex_header_init(struct logindex_header *header, uint64_t log_inode, uint64_t created_us);
/* Is it one of this version? */
int logindex_header_check(const struct logindex_header *header); /* 0 or -EBADMSG */

/* An index open for reading. Zero-initialised with fd -1 is "none": every question finds nothing. */
struct logindex {
	int fd;
	uint64_t n; /* records, as of the last refresh */
	uint64_t block_first;
	unsigned block_n;
	struct logindex_record block[LOGINDEX_BLOCK];
};

/* 0, or a negative errno and a valid empty index: -ENOENT, -EBADMSG (no index of this version). */
int logindex_open(struct logindex *index, int directory_fd, const char *name);
void logindex_close(struct logindex *index);
/* Looks for records added since. */
void logindex_refresh(struct logindex *index);
/* Record i: 1, or 0 when there is none (also where it cannot be read). */
int logindex_get(struct logindex *index, uint64_t i, struct logindex_record *ret_record);
/* The last record with offset <= `offset`: 1 with its number and itself, 0 when there is none. */
int logindex_find_offset(struct logindex *index, uint64_t offset, uint64_t *ret_i,
	struct logindex_record *ret_record);
/* The number of the first record with wall_us >= `wall_us`; the number of records when there is none. */
uint64_t logindex_find_wall(struct logindex *index, uint64_t wall_us);
