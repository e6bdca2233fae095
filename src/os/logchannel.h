/*
 * Supervisor and logger: a SOCK_SEQPACKET pair kept by init, so that neither's death closes it. All
 * messages are idempotent; whoever is new says HELLO and is told everything again.
 */
#pragma once

#include <stdint.h>
#include "base/id128.h"

enum log_op {
	/* supervisor -> logger */
	LOG_OP_HELLO = 1,   /* the supervisor is new */
	LOG_OP_OPEN,        /* log name, run id, size_max, keep: take in this FIFO (fifo/NAME.RUN) */
	LOG_OP_END,         /* log name, run id: its tree is empty; drain it, close, unlink it, then ENDED */
	LOG_OP_FLUSH,       /* cookie: move what waits, of log name or of all (empty); then FLUSHED */
	LOG_OP_FORGET,      /* log name: close its log file (its directory is being removed) */
	/* logger -> supervisor */
	LOG_OP_LOGGER_HELLO = 64, /* the logger is new: send OPEN for all */
	LOG_OP_ENDED,       /* log name, run id */
	LOG_OP_FLUSHED,     /* cookie */
	LOG_OP_DROPPED,     /* log name, value = bytes dropped (disk full or hung), error */
	LOG_OP_TROUBLE,     /* log name, error: the log cannot be written; value 0 = it can again */
};

struct log_message {
	uint32_t version; /* 1 */
	uint32_t op;
	uint64_t cookie, value, size_max;
	uint32_t keep;
	int32_t error;    /* negative errno */
	struct id128 run_id;
	char log_name[256]; /* the unit's name without .service: directory and FIFO are named so */
};

#define LOG_EVENTS_NAME "@events" /* the instance's own events: fifo/@events.RUN -> log/events.jsonl */
