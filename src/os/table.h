/*
 * The table: the truth about every process init has started or watches. A file in the runtime
 * directory, mapped shared: written by init (and by a child, its own row, until it execs), read by
 * the supervisor. Messages on the channel are only bells that say where to look.
 *
 * Publication: a row's fields are written first and `state` last (release); a reader loads `state`
 * first (acquire). A row is never reused before its token was acknowledged.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/id128.h"
#include "os/process.h"

#define TABLE_MAGIC UINT64_C(0x31656c626174626f) /* "obtable1" */
#define TABLE_VERSION 1
#define TABLE_ROWS_MAX 16384   /* processes with a token at one time */
#define TABLE_ORPHANS 4096     /* ring of reaped orphans */
#define TABLE_KEPT_MAX 20000   /* descriptors kept */

enum row_state {
	ROW_FREE = 0,
	ROW_STARTING, /* forked; the child has not written its identity yet */
	ROW_RUNNING,  /* identity is there */
	ROW_EXITED,   /* wait_status and rusage are there; the process is, or is about to be, reaped */
};

struct table_row {
	_Atomic uint32_t state;
	int32_t pid;
	uint64_t token;
	struct id128 run_id;
	struct process_identity identity;
	_Atomic uint32_t step;  /* enum child_step that failed; 0 = none */
	int32_t step_errno;     /* positive */
	int32_t wait_status;    /* as waitpid(2) gives it */
	uint32_t watched;       /* 1: an orphan, adopted by WATCH */
	uint64_t cpu_us, memory_max_bytes; /* rusage, when EXITED */
	uint64_t started_us, ended_us;     /* CLOCK_MONOTONIC, by init */
	char unit_name[256];
};

/* A reaped process that had no row. */
struct table_orphan {
	int32_t pid;
	int32_t wait_status;
	struct process_identity identity;
};

/* What init keeps across the death of the others; the number is the same in every process it forks. */
enum kept_kind {
	KEPT_NONE = 0,
	KEPT_LOCK,          /* the instance lock's open file description */
	KEPT_CONTROL,       /* listening control socket */
	KEPT_NOTIFY,        /* notify datagram socket */
	KEPT_STAGE_READ,    /* the logger's stage: a pipe */
	KEPT_STAGE_WRITE,
	KEPT_LOGGER_SUPERVISOR_END, /* SOCK_SEQPACKET pair between supervisor ... */
	KEPT_LOGGER_LOGGER_END,     /* ... and logger */
	KEPT_FIFO,          /* a run's output FIFO, O_RDWR; id = run id. Inherited by the logger only */
	KEPT_READY,         /* read end of a run's readiness pipe; id = run id */
	N_KEPT_KINDS
};
struct table_kept {
	_Atomic uint32_t kind; /* written last, KEPT_NONE first when it goes */
	int32_t fd;
	struct id128 id;
};

struct table_header {
	uint64_t magic;
	uint32_t version, row_size;
	struct id128 epoch;   /* random, one an init */
	struct id128 boot_id;
	int32_t init_pid;
	_Atomic int32_t supervisor_pid, logger_pid; /* 0 while there is none */
	_Atomic uint64_t last_token;     /* highest token accepted */
	_Atomic uint32_t rows_used;      /* rows at and above have never been used: readers stop here */
	_Atomic uint32_t kept_used;
	_Atomic uint32_t shutdown_wanted;/* signal number of a termination request, until SHUTDOWN_TAKEN */
	_Atomic uint32_t supervisor_starts, logger_starts, quick_restarts;
	_Atomic uint64_t orphan_head;    /* number of orphans ever reaped; ring index = n % TABLE_ORPHANS */
	uint64_t started_us;             /* CLOCK_MONOTONIC */
};

enum table_part { TABLE_KEPT, TABLE_ORPHAN_RING, TABLE_ROWS, N_TABLE_PARTS };

/* The file: header (a page), kept, orphans, rows, each part page aligned. */
struct table {
	struct table_header *header;
	struct table_kept *kept;
	struct table_orphan *orphans;
	struct table_row *rows;
	size_t map_size;
	/* Of the writer only. */
	int fd;               /* CLOEXEC; -1 in a reader */
	size_t size_reserved[N_TABLE_PARTS]; /* bytes of each part that have room in the file */
};

/* init: makes a new file `path` (replacing any), epoch from getrandom(2). 0 or a negative errno. */
int table_create(struct table *ret_table, const char *path);
/*
 * init: sees to it that the file has room for the first n entries of a part before they are
 * written, so that a full file system is this call's error (-ENOSPC), never a SIGBUS.
 */
int table_reserve(struct table *table, enum table_part part, unsigned n);
/*
 * init's child: unmaps everything but the pages that hold `row`, which stay where they are. The
 * table may not be used after.
 */
void table_keep_only(struct table *table, const struct table_row *row);
/* supervisor, and readers such as tests: maps read-only. -EBADMSG: not a table of this version. */
int table_open(struct table *ret_table, const char *path);
void table_close(struct table *table);

/* Row number `index` if it holds `token`, else NULL. A bell's `value` is such a number. */
const struct table_row *table_row_at(const struct table *table, uint64_t index, uint64_t token);
/* Finds by token among rows_used, one by one. NULL when there is none. */
const struct table_row *table_find(const struct table *table, uint64_t token);
/* The descriptor kept under kind and id, or -ENOENT. */
int table_find_kept(const struct table *table, enum kept_kind kind, struct id128 id);
