/*
 * The FIFO of a run: where its standard output and error wait. It is in one of four places:
 *
 *	armed    nothing waits; the loop is told once when something does
 *	resting  it had something lately; it is looked at with every tick, and wakes nobody
 *	hot      it had much lately; it is looked at far more often
 *	due      to be taken in as soon as the stage is free
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/id128.h"
#include "logger/hash.h"
#include "logger/log.h"
#include "logger/stage.h"

enum fifo_place {
	FIFO_ARMED,
	FIFO_RESTING,
	FIFO_HOT,
	FIFO_DUE,
	N_FIFO_PLACES
};

struct fifo {
	struct id128 run_id;
	struct log *log;
	int fd;
	enum fifo_place place;
	uint64_t born_ns;      /* when its run began; older runs of a log are taken in first */
	bool ending;           /* its run is over: it goes when it is empty */
	bool is_empty;         /* as of the last look */
	bool first_batch;      /* its run's first bytes are still to come */
	bool by_event;         /* due because something came in, not because of the tick */
	bool is_hot;           /* its program writes much: it is hot where others rest */
	uint64_t n_since_tick; /* bytes taken in since the last tick, while it is hot */
	uint64_t pipe_size;
	unsigned n_idle_ticks; /* in a row, without a byte */
	uint64_t n_moved;      /* bytes taken in */
	uint64_t flush_target; /* n_moved at which all is in that waited at the last flush */
	struct fifo *prev, *next;
	UT_hash_handle hh;
};

#define FIFO_BURST 4096         /* bytes; who writes so much at once will write more at once */
#define FIFO_MUCH 32768         /* bytes between two ticks from which on a FIFO is hot */
#define FIFO_LARGE_SIZE 1048576 /* bytes; of the pipe of who writes much */
#define FIFO_SMALL_SIZE 65536

enum fifo_verdict {
	FIFO_EMPTY,      /* nothing waits any more */
	FIFO_MORE,       /* something may still wait */
	FIFO_STAGE_FULL, /* something waits, and the stage has no room */
};

/* "RUNTIME/fifo/NAME.RUN" into path. 0 or -ENAMETOOLONG. */
int fifo_path(char *path, size_t size, const char *runtime_dir, const char *log_name, struct id128 run_id);
/* A file name in fifo/ as its two parts. 0 or -EINVAL. */
int fifo_parse_name(const char *file_name, char ret_log_name[LOG_NAME_SIZE], struct id128 *ret_run_id);
/* When the FIFO was made (statx(2), Linux 4.11; else its change time): nanoseconds since 1970. */
uint64_t fifo_born(int fd);
/* Opens a FIFO without blocking. The descriptor, or -ENOTSUP (it is none), or another negative errno. */
int fifo_open(const char *path);
/* Takes bytes in: at most `size_max`. *ret_size becomes their number. */
enum fifo_verdict fifo_fill(struct fifo *fifo, struct stage *stage, uint64_t size_max, uint64_t *ret_size);
/* Hot: with a large pipe, where that is allowed; or not. */
void fifo_set_hot(struct fifo *fifo, bool is_hot);
/* Throws away what waits. Its number of bytes. */
uint64_t fifo_drop(struct fifo *fifo, struct stage *stage);
