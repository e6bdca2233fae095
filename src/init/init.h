/*
 * init: the parent of every process of an instance (DESIGN section 2). It forks, signals, reaps and
 * keeps descriptors for the supervisor, starts supervisor and logger again when they die, and
 * forwards termination. It parses nothing and allocates nothing after it has started.
 *
 * Invariants:
 *  - The table is the truth; a message to the supervisor is a bell and may be lost.
 *  - It never waits for anybody: not for the supervisor, not for a child.
 *  - A pid in a row that has not EXITED is a child of ours that was not reaped: it cannot have
 *    become somebody else's, so kill(2) by pid is safe, and only these are signalled.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "init/slots.h"
#include "os/channel.h"
#include "os/table.h"

#define INIT_FD_LOCK 3 /* what init is started with */
#define INIT_FD_CONTROL 4
#define INIT_FD_NOTIFY 5

/* Supervisor or logger. */
struct role {
	pid_t pid;	      /* 0: none lives */
	uint64_t started_us;  /* when the last one was forked */
	uint64_t start_at_us; /* when the next one is due; meant only while pid is 0 */
	unsigned n_quick;     /* that died soon, in a row */
};

#define INIT_UNSETTLED_MAX 32

/* A child that shared our descriptors when it was last looked at. */
struct unsettled {
	struct table_row *row;
	int fds[CHANNEL_FDS_MAX]; /* what came with its message: closed when it has its own */
	unsigned n_fds;
};

/* How far the end of the instance has come. */
enum ending {
	ENDING_NOT,
	ENDING_WANTED, /* a termination signal came: the supervisor is at it */
	ENDING_TERM,   /* the supervisor has failed at it: all services were told */
	ENDING_KILL,
	ENDING_ROLES, /* no service is left, or none is ours to end: supervisor and logger go */
	ENDING_DONE
};

struct init {
	const char *runtime_dir, *log_dir, *hob_program;
	char *own_program; /* of hob-init, for the logger */
	struct table table;
	struct slots rows, kept;    /* which are in use */
	struct index rows_by_token; /* all in use */
	struct index rows_by_pid;   /* those whose process was not reaped */
	struct index kept_by_id;
	int signal_fd;
	int lock_fd;
	int event_fd;	/* rung by children that share our descriptors no longer */
	bool can_share; /* is there a close_range(2) with CLOSE_RANGE_UNSHARE? */
	struct unsettled unsettled[INIT_UNSETTLED_MAX];
	unsigned n_unsettled;
	int channel_fd;	   /* our end; -1: no supervisor */
	bool bells_lost;   /* LOOK_AT_ALL is owed */
	bool orphans_came; /* an ORPHANS bell is owed */
	struct role supervisor, logger;
	int32_t oom_score;     /* ours before we lowered it; CHILD_OOM_SCORE_KEEP: we did not */
	struct rlimit n_files; /* RLIMIT_NOFILE before we raised it */

	enum ending ending;
	uint64_t ending_us;    /* when the present stage began */
	uint64_t look_at_us;   /* when it is to be looked at again, if nothing happens */
	uint64_t signalled_us; /* the termination signal's time */
	uint64_t last_good_us; /* when a supervisor was last known to live for long enough */
	bool shutdown_taken;
};

/* Runs until the instance ends. Returns the process's exit status. */
int init_main(const char *runtime_dir, const char *log_dir, const char *hob_program);

/* --- bell.c: to the supervisor, never waiting --- */
void bell_send(struct init *init, enum channel_op op, uint64_t token, uint64_t value);
void bell_row(struct init *init, const struct table_row *row);
/* Sends what is owed, if there is room by now. */
void bell_retry(struct init *init);

/* --- row.c --- */
/* A row for a token, still ROW_FREE to readers, or NULL. spare: the last rows and bytes may be
 * used. */
struct table_row *row_new(struct init *init, const struct channel_message *message, bool spare);
/* Its process exists: it can be found by pid from now on. */
void row_set_pid(struct init *init, struct table_row *row, pid_t pid);
/* Its process ended with this wait status (or never was: pid 0): publishes ROW_EXITED. */
void row_set_exited(struct init *init, struct table_row *row, int wait_status);
struct table_row *row_by_token(struct init *init, uint64_t token);
struct table_row *row_by_pid(struct init *init, pid_t pid);
/* The supervisor has taken the exit in: the row is free again. */
void row_acknowledge(struct init *init, uint64_t token);

/* --- fork.c --- */
#define FORK_SHARED_FROM 128 /* what is kept for the supervisor has numbers from here on */

struct forked {
	bool in_cgroup;	 /* the child was made in its cgroup */
	bool shares_fds; /* the child has to unshare them, first of all */
};

/* The pid, 0 in the child, or a negative errno. cgroup: a path, or "". fds: what the child needs.
 */
pid_t fork_child(struct init *init, const char *cgroup, const int *fds, unsigned n_fds,
	struct forked *ret_forked);
/* The child shares our descriptors: takes these and closes them when it no longer does. */
void fork_defer_close(struct init *init, struct table_row *row, int *fds, unsigned n_fds);
void fork_settle(struct init *init);
bool fork_can_share(void);

/* --- spawn.c --- */
/* The messages SPAWN and WATCH. The descriptors stay the caller's, who closes those that are not -1
 * after. */
void spawn(struct init *init, const struct channel_message *message, int *fds, unsigned n_fds);
void spawn_watch(
	struct init *init, const struct channel_message *message, const int *fds, unsigned n_fds);
void spawn_signal(struct init *init, uint64_t token, uint64_t signo);

/* --- reap.c --- */
/* Takes in every child that has ended. */
void reap_all(struct init *init);

/* --- keep.c --- */
/* Stores fd, which is init's then, replacing what is kept under kind and id. -ENOSPC: it is closed.
 */
int keep(struct init *init, enum kept_kind kind, struct id128 id, int fd);
void keep_drop(struct init *init, enum kept_kind kind, struct id128 id);
/* May the supervisor keep and drop this kind? The others are init's own. */
bool keep_is_allowed(uint32_t kind);
/* In a child: lets the kinds of the mask (1 << kind) through execve(2). */
void keep_inherit(const struct init *init, uint32_t kinds);

/* --- role.c --- */
/* Starts what is due. */
void role_start_due(struct init *init, uint64_t now_us);
/* pid has ended: true if it was the supervisor or the logger, which is then due again. */
bool role_died(struct init *init, pid_t pid, uint64_t now_us);
/* When the next one is due; UINT64_MAX: none. */
uint64_t role_deadline(const struct init *init);

/* --- ending.c --- */
void ending_signalled(struct init *init, int signo, uint64_t now_us);
/* The supervisor's word that the instance ends. */
void ending_begin(struct init *init, uint64_t now_us);
/* Goes on with it. */
void ending_turn(struct init *init, uint64_t now_us);
uint64_t ending_deadline(const struct init *init);

/* --- init.c --- */
/* Carries out what the supervisor has sent, until nothing waits or `most` messages were done. */
void init_serve(struct init *init, unsigned most);
/* No supervisor hangs on this channel any more. */
void init_close_channel(struct init *init);
