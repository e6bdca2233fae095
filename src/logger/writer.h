/*
 * The writer: the thread that empties the stage into files. It does one job at a time, given by the
 * mover, and may hang in any of them when a disk does; the mover then sees its heartbeat stand still.
 *
 * The job is the mover's while the writer is idle, the writer's while it is not.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "logger/log.h"
#include "logger/stage.h"

#define WRITER_OPEN_MAX 2048           /* logs with open files; fewer where RLIMIT_NOFILE is low */
#define WRITER_CLOSE_IDLE_US 5000000   /* files not written to for so long are closed */
#define WRITER_PATIENCE_US 5000000     /* how long a failing write is tried again before bytes go */
#define WRITER_HEALTH_US 60000000      /* after so long without failure, patience is back */
#define WRITER_RETRY_FIRST_US 100000
#define WRITER_RETRY_MOST_US 1000000

enum writer_job {
	WRITER_EMPTY, /* the stage, entry by entry of the ledger, into the logs of the job */
	WRITER_TRIM,  /* close files that are idle, or wanted closed */
};

struct writer {
	/* The job. */
	enum writer_job job;
	struct log *logs[LEDGER_ENTRIES_MAX];    /* of the ledger's entries */
	uint64_t flags[LEDGER_ENTRIES_MAX];      /* of their index records */
	uint64_t wall_us, monotonic_us;          /* when the bytes were taken in */
	/* To look at from the mover's thread. */
	_Atomic bool busy;
	_Atomic uint64_t heartbeat_us;           /* CLOCK_MONOTONIC, of its last step */
	_Atomic(struct log *) current;           /* what it writes to, or NULL */
	_Atomic unsigned n_open;
	int done_fd;                             /* eventfd: it is idle again, or a log's error has changed */
	/* Its own. */
	struct stage *stage;
	const char *log_dir;
	unsigned open_max;
	struct log *lru;                         /* least recently used first */
	uint64_t full_since_us;                  /* CLOCK_MONOTONIC: since when no log finds room; 0: they do */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wanted;
	bool work_is_there;                      /* under the mutex */
};

/* Starts the thread, idle. stage and log_dir stay the caller's. 0 or a negative errno. */
int writer_start(struct writer *writer, struct stage *stage, const char *log_dir, unsigned open_max);
/* Gives the job to the idle writer. */
void writer_submit(struct writer *writer);
