/*
 * A service: wanted state beside current state. Written by core only, read by the supervisor.
 *
 * Legal pairs of wanted and sub-state, and what moves them, are in core/state.c's table.
 */
#pragma once

#include "core/engine.h"

#define SERVICE_RUNS_KEPT 5      /* ended runs remembered, for `hob why` */
#define SERVICE_REQUESTS_KEPT 4  /* request ids remembered with their verdicts */
#define SERVICE_STATUS_MAX 64   /* bytes kept of STATUS= */

/* systemd's unit states, and its service sub-states as far as hob has them. */
enum service_state { STATE_INACTIVE, STATE_ACTIVATING, STATE_ACTIVE, STATE_RELOADING, STATE_DEACTIVATING, STATE_FAILED };

enum service_sub {
	SUB_DEAD,
	SUB_START,        /* spawned, not ready yet */
	SUB_RUNNING,
	SUB_EXITED,       /* RemainAfterExit= */
	SUB_RELOAD,       /* RELOADING=1 was sent, READY=1 is awaited */
	SUB_STOP_WATCHDOG,
	SUB_STOP_SIGTERM, /* the stop signal is out */
	SUB_STOP_SIGKILL,
	SUB_AUTO_RESTART, /* waits for the restart delay */
	SUB_FAILED,
	N_SUBS
};

/* Why a run, and so the service, ended as it did: the first failure is kept (systemd's names). */
enum service_result {
	RESULT_SUCCESS, RESULT_PROTOCOL, RESULT_TIMEOUT, RESULT_EXIT_CODE, RESULT_SIGNAL, RESULT_CORE_DUMP,
	RESULT_WATCHDOG, RESULT_START_LIMIT, RESULT_RESOURCES, RESULT_OOM_KILL, RESULT_UNKILLABLE,
	N_RESULTS
};

/* One run: from its first spawn until its last process is gone. Times 0 = has not happened. */
struct run {
	struct id128 id;
	uint64_t started_us, ready_us, ended_us; /* CLOCK_MONOTONIC */
	uint64_t started_wall_us, ended_wall_us;
	int32_t main_pid;
	struct exit_info exit; /* of the main process */
	enum service_result result;
	uint32_t n_left;       /* processes still there when the main one had ended */
	bool stopped;          /* somebody asked for its end */
};

struct service {
	const char *name;        /* "web.service" */
	struct unit *unit;       /* never NULL */
	bool transient;
	bool wanted_up;
	const char *wanted_by;   /* "start", "stop", ...: the verb that set wanted_up; never NULL */
	uint64_t wanted_wall_us;
	enum service_sub sub;
	uint64_t sub_since_us, sub_since_wall_us;

	uint64_t token;          /* of the main process; 0 = none lives */
	int32_t main_pid;        /* 0 = none, or not known yet */
	struct run run;          /* the current or the last run; id null = there was none */
	struct run *history;     /* ended runs, newest first (the last one is `run` too); NULL until one has ended */
	unsigned n_history;      /* up to SERVICE_RUNS_KEPT */

	enum service_result result;
	uint32_t n_restarts;     /* automatic ones since the last start by a person */
	uint64_t restart_at_us;  /* in SUB_AUTO_RESTART */
	bool gave_up;            /* the start limit was hit */
	int status_errno;        /* ERRNO= of the notify protocol */
	char status_text[SERVICE_STATUS_MAX + 1]; /* STATUS= */
	uint64_t settle_until_us;/* a start is being watched until then; 0 = no */
	uint64_t deadline_us;    /* of the present sub-state, or ENGINE_NO_DEADLINE */

	void *slot;              /* the driver's; core neither reads nor writes it */
	struct service_private *private; /* core's: jobs, waiters, queues */
};

enum service_state service_state(const struct service *service);
const char *service_state_name(enum service_state state);
const char *service_sub_name(enum service_sub sub);
const char *service_result_name(enum service_result result);
