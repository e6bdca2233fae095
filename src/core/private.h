/*
 * What core's files know of each other: the engine, the hidden half of a service, and the functions
 * that move them. Included by core only.
 *
 * Two rules hold everywhere. What a step allocates it allocates before it changes anything, so that
 * -ENOMEM leaves all as it was: pushing an effect, arming a deadline and indexing a token cannot
 * fail. And a service is changed only between change_begin() and change_end(), which put PIN and
 * SAVE in front of its effects, arm its deadline and tell those who wait.
 */
#pragma once

#include "base/heap.h"
#include "core/service.h"

#define SERVICES_MAX 16384		 /* as many as the store has slots */
#define WAITERS_MAX 16384		 /* requests waiting in all */
#define LOADS_MAX 1024			 /* names being loaded at one time */
#define TEXT_MAX 1024			 /* bytes of a text that goes out with an effect */
#define KILL_BOUND_US UINT64_C(30000000) /* SIGKILL that is not answered by then has failed */

/* Which job a waiter, or a remembered request, belongs to. */
enum lane {
	LANE_JOB,   /* the one in progress */
	LANE_QUEUE, /* the start that follows it */
	LANE_REST,  /* none: answered when the service has come to rest */
	N_LANES
};

enum job { JOB_NONE, JOB_START, JOB_STOP, N_JOBS };

/* How far the ending of a run has come, in SUB_STOP_SIGTERM and SUB_STOP_WATCHDOG. */
enum stop_phase {
	PHASE_CHECK,	  /* the main process has ended; is anything left? */
	PHASE_SIGNALLING, /* the stop signal is an effect, not yet known to be out: sent again after
			     a crash */
	PHASE_SIGNALLED,
	N_PHASES
};

struct waiter {
	uint64_t client; /* 0 = nobody waits any more */
	struct id128 id;
	enum verb verb;
	enum lane lane;
	uint64_t settle_us;
	struct service *service; /* NULL while its unit is being loaded, or for shutdown */
	struct waiter *next;	 /* in the list that owns it */
	struct waiter *all_prev, *all_next; /* in the engine's list of all */
};

/* A request id with its verdict (VERDICT_NONE: pending), for those who ask again. */
struct remembered {
	struct id128 id;
	uint8_t verb, verdict, lane;
};

struct index_link {
	uint64_t key;
	struct service *service; /* NULL: not in the index */
	struct index_link *next;
};
struct index {
	struct index_link **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
};

/* MAINPID= names another process as the main one; there only while it is needed. */
struct takeover {
	uint64_t watch_token; /* asked for with EFFECT_WATCH, not answered yet; 0 = none */
	int32_t watch_pid;
	uint64_t former_token; /* the main process of before, while it lives; 0 = none */
	struct index_link watch_link, former_link;
};

struct service_private {
	struct service *prev, *next; /* in order of insertion */
	struct index_link name_link, token_link;
	struct heap_node deadline; /* always in the heap; key ENGINE_NO_DEADLINE at rest */

	/* jobs */
	uint8_t job;   /* enum job */
	bool queued;   /* a start follows what is going on */
	bool shutdown; /* its end was part of a shutdown */
	uint8_t n_requests;
	struct remembered requests[SERVICE_REQUESTS_KEPT]; /* newest first */
	uint64_t settle_us, queued_settle_us;
	struct waiter *waiters; /* oldest first */
	uint32_t n_waiters;

	/* the run */
	bool run_open;	     /* RUN_BEGIN went out, RUN_END did not */
	uint8_t phase;	     /* enum stop_phase */
	bool stop_by_itself; /* STOPPING=1: it needs no stop signal */
	bool refusal_logged; /* a notify message of this run was refused, and it was said */
	uint16_t command;    /* index in ExecStart= of what token is running */
	uint64_t tree_id;    /* of the last question about its tree; answers to others are stale */
	uint64_t timeout_us; /* when the present sub-state has taken too long; 0 = never */
	uint64_t runtime_at_us; /* RuntimeMaxSec= is over; 0 = never */
	uint64_t watchdog_us;	/* the period; 0 = no watchdog */
	uint64_t watchdog_at_us;
	uint64_t main_exited_us;
	struct takeover *takeover;

	/* restarts */
	uint16_t backoff_step; /* delayed restarts in a row */
	uint16_t limit_count;  /* starts in the window of the start limit */
	uint64_t limit_begin_us;

	/* the unit and the record */
	struct unit
		*unit_run; /* of the run there is, where `unit` was replaced since; NULL = unit */
	struct unit *
		unit_rollback; /* what `unit` was before a PIN that is not confirmed; NULL = none */
	bool transient_rollback;
	bool pinned;	    /* unit's text is pinned, or PIN is on its way */
	bool pin_due;	    /* in this change */
	bool unconfirmed;   /* the last step had a PIN or the first SAVE, which may fail */
	bool saved;	    /* there is a record */
	bool removed;	    /* it goes at the end of this change */
	bool busy;	    /* not at rest: counted in engine.n_busy */
	uint64_t saved_sum; /* checksum of the record as last saved */
	uint64_t stepped;   /* the step that changed it last */
};

/* A unit that is being read, and who asked for it. */
struct load {
	struct load *prev, *next;
	struct waiter *waiters;
	char name[];
};

struct engine {
	struct service *services, *last_service; /* in order of insertion */
	size_t n_services, n_busy;
	struct index by_name, by_token;
	struct heap deadlines;
	struct waiter *waiters; /* DL list of all of them */
	size_t n_waiters;
	struct load *loads; /* DL list */
	size_t n_loads;
	struct service *graveyard; /* linked by private->next: removed in the last step; effects may
				      still point at them */
	uint64_t next_token, next_id;

	bool shutting_down, leave, exited;
	bool exit_due; /* it could not be said for want of memory */
	struct waiter *shutdown_waiters;

	/* of the present step */
	const struct event *event;
	struct effects *effects;
	uint64_t now_us, wall_us, n_steps;
	uint64_t random[2];
	char text[TEXT_MAX];
};

/* --- index.c: lookup by a 64-bit key; adding cannot fail once there is a bucket --- */
int index_reserve(struct index *index, size_t n);
void index_add(struct index *index, struct index_link *link, uint64_t key, struct service *service);
void index_remove(struct index *index, struct index_link *link);
struct index_link *index_find(const struct index *index, uint64_t key);
struct index_link *index_find_next(const struct index_link *link);

/* --- effect.c: what goes out, and the frame of a change --- */
struct change {
	struct service *service;
	size_t first;
	enum service_sub sub;
	int32_t main_pid;
};
int effects_reserve(struct effects *effects, size_t n);
struct effect *effect_add(struct engine *engine, enum effect_type type, struct service *service);
struct effect *effect_log(struct engine *engine, enum log_type log, struct service *service);
void effect_reply(struct engine *engine, struct service *service, const struct waiter *waiter,
	enum verdict verdict, int error, const char *text);
/* Keeps text valid for this step's effects: a copy cut to TEXT_MAX. NULL stays NULL. */
const char *effect_text(struct engine *engine, const char *text);
/* -ENOMEM: nothing has changed. extra: effects beyond what any event of one service needs. */
int change_begin(struct engine *engine, struct service *service, size_t extra, struct change *ret);
void change_end(struct engine *engine, struct change *change);

/* --- service.c --- */
/* Takes a reference to unit. NULL: out of memory. The service is in the engine, dead. */
struct service *service_new(struct engine *engine, struct unit *unit);
uint64_t service_name_key(const char *name);
void service_free(struct service *service);
void service_unlink(struct engine *engine, struct service *service);
void service_enter(struct engine *engine, struct service *service, enum service_sub sub);
bool service_is_up(const struct service *service);	 /* running, exited or reload */
bool service_is_stopping(const struct service *service); /* one of the stop sub-states */
bool service_is_at_rest(const struct service *service);
/* The unit whose stop settings hold for the run there is. */
const struct unit *service_run_unit(const struct service *service);
void service_set_token(struct engine *engine, struct service *service, uint64_t token);
uint64_t service_deadline(const struct service *service);
/* now + span, 0 (never) for infinity. */
uint64_t deadline_after(uint64_t now_us, uint64_t span_us);

/* --- run.c: a run's beginning and end --- */
void run_begin(struct engine *engine, struct service *service, bool by_person);
void run_spawn(struct engine *engine, struct service *service);
void run_ready(struct engine *engine, struct service *service);
/* Takes the main process's exit in: exit, result, ACK. */
void run_take_exit(struct engine *engine, struct service *service, const struct exit_info *exit);
/* The tree is empty, or what is left is left on purpose: end it and decide what comes next. */
void run_over(struct engine *engine, struct service *service);
/* The run's end alone: history, RUN_END. */
void run_close(struct engine *engine, struct service *service);
/* It cannot be ended: the service is failed, its run stays open. */
void run_abandon(struct engine *engine, struct service *service, enum verdict verdict);
void run_fail(struct service *service, enum service_result result); /* the first failure is kept */
int run_reserve_history(struct service *service);

/* --- stop.c: handlers of the stop sub-states --- */
void stop_ask_tree(
	struct engine *engine, struct service *service, enum effect_type type, int signo);
void stop_after_exit(
	struct engine *engine, struct service *service); /* the main process ended by itself */
void stop_begin(
	struct engine *engine, struct service *service); /* the stop signal, as KillMode= says */
void stop_watchdog(struct engine *engine, struct service *service);
void stop_exited(struct engine *engine, struct service *service);
void stop_never_sent(struct engine *engine, struct service *service);
void stop_tree(struct engine *engine, struct service *service);
void stop_timeout(struct engine *engine, struct service *service);
void stop_restored(struct engine *engine, struct service *service);
void stop_kill(struct engine *engine, struct service *service);
void stop_kill_restored(struct engine *engine, struct service *service);
void stop_kill_never_sent(struct engine *engine, struct service *service);
void stop_kill_exited(struct engine *engine, struct service *service);
void stop_kill_tree(struct engine *engine, struct service *service);
void stop_kill_timeout(struct engine *engine, struct service *service);

/* --- state.c: the table --- */
enum state_event {
	SE_STARTED,
	SE_EXECED,
	SE_EXITED,
	SE_NOT_SENT,
	SE_READY, /* by its descriptor or by message, whichever counts for it */
	SE_READY_LOST,
	SE_STOPPING,
	SE_RELOADING,
	SE_WATCHDOG, /* WATCHDOG=trigger */
	SE_TREE,     /* the answer to the last question */
	SE_TIME,     /* its deadline has come */
	SE_RESTORED,
	SE_START,
	SE_STOP, /* a job begins */
	N_STATE_EVENTS
};
typedef void state_handler(struct engine *engine, struct service *service);
state_handler *state_cell(enum service_sub sub, enum state_event event); /* never NULL in range */
void state_step(struct engine *engine, struct service *service, enum state_event event);

/* --- ready.c: by what a service is known to be ready --- */
enum ready_by {
	READY_BY_START,
	READY_BY_EXEC,
	READY_BY_MESSAGE,
	READY_BY_DESCRIPTOR,
	READY_BY_EXIT
};
enum ready_by ready_by(const struct unit *unit);

/* --- job.c: jobs and their merging --- */
enum ask { ASK_START, ASK_RUN, ASK_REPLACE, ASK_STOP, ASK_RESTART, N_ASKS };
enum situation {
	AT_REST,
	WAITING,
	STARTING,
	UP,
	ENDING, /* the run ends by itself */
	STOPPING,
	CHANGING, /* a start is queued behind the stop */
	N_SITUATIONS
};
enum action {
	ACT_NONE,
	ACT_BEGIN,
	ACT_JOIN,
	ACT_DONE,
	ACT_QUEUE,
	ACT_REFUSE,
	ACT_BUSY,
	ACT_REPLACE,
	ACT_STOP,
	ACT_RESTART,
	N_ACTIONS
};
enum situation job_situation(const struct service *service);
enum action job_action(enum ask ask, enum situation situation);
/*
 * Does what the merging table says; the waiter is attached, or answered and freed. unit: of ASK_RUN
 * and ASK_REPLACE. by: who set the wish, for `wanted_by`.
 */
void job_ask(struct engine *engine, struct service *service, enum ask ask, struct waiter *waiter,
	const char *by, struct unit *unit, bool transient);
/* A stop that nobody waits for. */
void job_wish_stop(struct engine *engine, struct service *service, const char *by);
/* Answers all of a lane. */
void job_finish(struct engine *engine, struct service *service, enum lane lane,
	enum verdict verdict, int error);
/* The queued start becomes the job. */
void job_promote(struct service *service);
/* The start in progress goes behind the stop that is to come. */
void job_demote(struct service *service);
/* A new unit's text is on disk: now the old run is ended for it. */
void job_replace(struct engine *engine, struct service *service);
void job_pin(struct service *service); /* PIN goes out with this change, unless it did before */
void job_save_failed(struct engine *engine, struct service *service, int error);

/* --- waiter.c: who waits, and remembered requests --- */
struct waiter *waiter_new(struct engine *engine, const struct request *request);
void waiter_free(
	struct engine *engine, struct waiter *waiter); /* it is in no owner's list any more */
void waiter_attach(struct service *service, struct waiter *waiter, enum lane lane);
/* Replies, remembers where the verb is one that changes something, frees. */
void waiter_answer(struct engine *engine, struct service *service, struct waiter *waiter,
	enum verdict verdict, int error, const char *text);
struct waiter *waiter_find_id(struct waiter *list, struct id128 id);
void waiters_client_gone(struct engine *engine, uint64_t client);
struct remembered *remembered_find(struct service *service, struct id128 id);
void remembered_add(struct service *service, const struct waiter *waiter, enum verdict verdict);

/* --- request.c --- */
int request_step(struct engine *engine);
int request_loaded(struct engine *engine);

/* --- shutdown.c --- */
int shutdown_begin(struct engine *engine, struct waiter *waiter, bool leave);
/* At the end of a step: when nothing runs any more, the instance ends. */
void shutdown_check(struct engine *engine);

/* --- restart.c --- */
bool restart_wanted(const struct service *service);
/* Microseconds from the main process's exit; counts the step of the back-off. */
uint64_t restart_delay(struct service *service, uint64_t random);
/* Counts a start at at_us in the window of the start limit; false: there were too many. */
bool restart_count_start(struct service *service, uint64_t at_us);
void restart_forgive(struct service *service); /* a person's start: everything begins anew */

/* --- notify.c --- */
int notify_step(struct engine *engine, struct service *service);

/* --- takeover.c: MAINPID= --- */
int takeover_reserve(struct service *service);
void takeover_ask(struct engine *engine, struct service *service, int32_t pid);
/* Tokens that are the service's, but not its main process's. */
bool takeover_has(const struct service *service, uint64_t token);
void takeover_watched(struct engine *engine, struct service *service, uint64_t token);
void takeover_exited(struct engine *engine, struct service *service, uint64_t token);
/* The main process has exited while another was about to take its place: true, and it has. */
bool takeover_inherit(struct engine *engine, struct service *service);
void takeover_restored(struct engine *engine, struct service *service);
void takeover_drop(struct engine *engine, struct service *service);
int takeover_restore(struct engine *engine, struct service *service); /* links decoded tokens */

/* --- record.c --- */
/* 0, -EBADMSG or -ENOMEM. Tokens are set but not indexed. */
int record_decode(struct service *service, const void *data, size_t size);
