/*
 * The mover: all that the logger's main thread knows. It takes bytes from FIFOs into the stage, hands
 * the stage to the writer, and waits until it is empty again; it never touches a file outside the
 * runtime directory, so it is always there to answer, and to drop when the writer hangs.
 *
 * A turn: collect what epoll, the channel and the writer say, then mover_pump().
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "logger/fifo.h"
#include "logger/log.h"
#include "logger/logger.h"
#include "logger/outbox.h"
#include "logger/stage.h"
#include "logger/writer.h"

#define MOVER_TICK_US 100000       /* how often a FIFO that is in use is emptied */
#define MOVER_CROWD 256            /* FIFOs in use from which on a tick is longer: at 1,000 busy */
#define MOVER_CROWD_TICK_US 200000 /* services the files' own bookkeeping is what costs, per batch */
#define MOVER_HOT_TICK_US 1000     /* the same for one whose program writes much */
#define MOVER_IDLE_TICKS 1         /* after so many without a byte it is armed again, ... */
#define MOVER_CROWD_IDLE_TICKS 3   /* ... and where many are in use, to be woken up less often */
#define MOVER_STALL_US 5000000     /* the writer has done nothing for so long: drop */
#define MOVER_RESCAN_US 1000000    /* FIFOs that could not be opened are tried again */
#define MOVER_FIFOS_MAX 65536
#define MOVER_FLUSHES_MAX 64       /* more wait in the channel */

struct flush {
	uint64_t cookie;
	char log_name[LOG_NAME_SIZE]; /* empty: all */
};

struct mover {
	const struct logger_config *config;
	int epoll_fd;
	struct stage stage;
	uint64_t stage_size;      /* bytes it can hold */
	struct writer writer;
	struct outbox outbox;
	struct log *logs;         /* by name, in order of insertion */
	struct fifo *fifos;       /* by run id, in order of insertion */
	struct fifo *lists[N_FIFO_PLACES]; /* by enum fifo_place */
	unsigned n_fifos, n_ending, n_resting;
	unsigned n_shared; /* logs with the FIFOs of more than one run */
	bool is_crowded;          /* so many were in use at the last tick */
	struct flush flushes[MOVER_FLUSHES_MAX];
	unsigned n_flushes;
	uint64_t now_us;          /* CLOCK_MONOTONIC, of this turn */
	uint64_t tick_us;         /* the next tick, when something is resting or hot */
	uint64_t hot_tick_us;     /* the next short one, when something is hot */
	uint64_t trim_us;         /* when to look for idle files next */
	uint64_t rescan_us;       /* UINT64_MAX: no need */
	bool stalled;             /* the writer hangs: FIFOs are emptied into nothing */
	bool report_all;          /* any log may have something to report */
	bool trim_wanted, trimming;
	bool writer_spoke;        /* it is idle again, or a log's error has changed */
	uint32_t channel_events;  /* what epoll is told to look for on the channel */
};

/* The log of that name, made if need be; NULL: no memory. */
struct log *mover_log(struct mover *mover, const char *name);
struct fifo *mover_find_fifo(struct mover *mover, struct id128 run_id);
/*
 * Takes in a FIFO, due at once. A known one is fine. 0, -ENOENT or another negative errno; one that is
 * there and cannot be opened now is tried again by itself.
 */
int mover_add_fifo(struct mover *mover, const char *log_name, struct id128 run_id, bool first_batch);
/* Takes in all in fifo/ that are not known. */
void mover_scan(struct mover *mover);
/* Moves a FIFO between the places. */
void mover_place(struct mover *mover, struct fifo *fifo, enum fifo_place place);
/* Notes a flush: what waits now is to be moved. False: there are too many. */
bool mover_flush(struct mover *mover, uint64_t cookie, const char *log_name);

/* Settles the stage with what the predecessor left in it and gives it to the writer. */
void mover_recover(struct mover *mover);
/* When to wake up, at the latest, on the clock of now_us; UINT64_MAX: never. */
uint64_t mover_deadline_us(const struct mover *mover);
/* Does what is to be done now: tick, stage, ends, flushes, reports, drops. */
void mover_pump(struct mover *mover);
