/*
 * The channel between supervisor and init: an inherited SOCK_SEQPACKET pair, one fixed-size message
 * a packet. init never blocks on it and never trusts it with state: its messages are bells.
 */
#pragma once

#include <stdint.h>
#include "base/id128.h"
#include "os/table.h"

#define CHANNEL_VERSION 1
#define CHANNEL_FDS_MAX 4
#define CHANNEL_SUPERVISOR_FD 3 /* the supervisor's end, in the process init execs */

enum channel_op {
	/* supervisor -> init */
	CHANNEL_SPAWN = 1,     /* token, unit name, run id (for the row); fds: spec memfd, exec pipe write end, [readiness pipe write end] */
	CHANNEL_WATCH,         /* token, pid, unit name, run id; fds: pidfd. Answered WATCHED, EXITED bell, or NOT_MINE */
	CHANNEL_SIGNAL,        /* token, value = signal; only to what is not reaped */
	CHANNEL_ACK,           /* token: the row may go */
	CHANNEL_KEEP,          /* kind, id; fds: the descriptor. The same kind and id again replaces */
	CHANNEL_DROP,          /* kind, id */
	CHANNEL_SHUTDOWN_TAKEN,/* the termination request is recorded */
	CHANNEL_EXIT,          /* end the instance: value 0 = all services are gone; 1 = leave them running */
	CHANNEL_UPGRADE,       /* reserved for the upgrade in place; answered NOT_MINE by this version */
	/* init -> supervisor */
	CHANNEL_BELL = 64,     /* token: look at its row; value = the row's number (table_row_at()) */
	CHANNEL_LOOK_AT_ALL,   /* bells were lost */
	CHANNEL_ORPHANS,       /* orphans were reaped: trees may be empty now */
	CHANNEL_WATCHED,       /* token, value as a bell's */
	CHANNEL_NOT_MINE,      /* token */
	CHANNEL_SHUTDOWN,      /* header.shutdown_wanted is set */
	CHANNEL_LOGGER,        /* the logger was started anew */
};

struct channel_message {
	uint32_t version; /* CHANNEL_VERSION */
	uint32_t op;
	uint64_t token;
	uint64_t value;
	uint32_t kind;    /* enum kept_kind */
	int32_t pid;
	struct id128 id;  /* run id */
	char unit_name[256];
};

/* Sends one message with up to CHANNEL_FDS_MAX descriptors; never blocks (-EAGAIN), retries EINTR. 0 or a negative errno. */
int channel_send(int fd, const struct channel_message *message, const int *fds, unsigned n_fds);
/*
 * Receives one message without blocking. 1: one was received (descriptors CLOEXEC, the caller's),
 * 0: none is waiting, -ECONNRESET: the other end is gone, -EBADMSG: a packet of another shape
 * (dropped, its descriptors closed).
 */
int channel_receive(int fd, struct channel_message *ret_message, int ret_fds[CHANNEL_FDS_MAX], unsigned *ret_n_fds);
