/*
 * A log: one name, one directory, one current file; and what its two threads know of it. The mover
 * (the main thread) takes bytes in and never touches a file, the writer touches files only. A log is
 * made and freed by the mover; the writer sees it only within a job it was given.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "logger/hash.h"

#define LOG_SIZE_MAX_DEFAULT (UINT64_C(10) * 1024 * 1024) /* bytes, where the supervisor leaves it open */
/* Until the supervisor has told a new logger the limit: cutting early would not be made good later. */
#define LOG_SIZE_MAX_UNTOLD (UINT64_C(1) << 30)
#define LOG_SIZE_MAX_LEAST UINT64_C(4096)
#define LOG_KEEP_DEFAULT 5
#define LOG_KEEP_MOST 10000
#define LOG_NAME_SIZE 256

/* The writer's half: the file, when it is open. */
struct logfile {
	int fd, index_fd;     /* -1: closed; index_fd stays -1 where there is no index */
	uint64_t offset;      /* the size of the file: where the next byte goes */
	uint64_t n_records;   /* of the index: where the next record goes */
	uint64_t last_offset; /* offset of the last record; UINT64_MAX: none */
	uint64_t last_flags;  /* its flags */
	uint64_t last_us;     /* its time on CLOCK_MONOTONIC; 0: not known */
	uint64_t first_us;    /* wall clock of the first byte, the file's name once rotated; 0: not known */
	uint64_t full_at;     /* size at which it was found full; UINT64_MAX: it is not */
	uint64_t inode;
	uint64_t checked_us;  /* CLOCK_MONOTONIC: when it was last seen to be still in its place */
	uint64_t used_us;     /* CLOCK_MONOTONIC */
	bool copy;            /* splice into it is refused */
	bool gap;             /* a record could not be written */
	uint64_t trouble_since_us; /* CLOCK_MONOTONIC, of the first failure; 0: none */
	uint64_t healthy_since_us; /* CLOCK_MONOTONIC, since trouble ended */
	struct log *lru_prev, *lru_next;
};

struct log {
	char name[LOG_NAME_SIZE];
	bool has_index;   /* the instance's events have their times inside */
	/* Told by the supervisor, read by the writer. */
	_Atomic uint64_t size_max;
	_Atomic uint32_t keep;
	_Atomic bool close_wanted;
	/* Told by the writer, read by the mover. */
	_Atomic int error;      /* negative errno: it cannot be written now */
	_Atomic int last_error; /* the last that `error` was */
	_Atomic uint64_t n_dropped; /* bytes; added to by both, taken by the mover when reported */
	_Atomic bool is_open;
	/* The mover's. */
	unsigned n_fifos;
	int reported_error;
	UT_hash_handle hh;
	/* The writer's. */
	struct logfile file;
};
