/*
 * The engine: what hob decides, as a pure function of events.
 *
 *	engine_step(engine, &event, &effects)
 *
 * It makes no system call, reads no clock, draws no random number and does not know what a pid
 * means. Time and entropy come in with the event; every wish goes out as an effect, and where an
 * outcome is awaited it comes back as an event that quotes the effect's id. An event with a stale
 * id, token or run id is legal and ignored.
 *
 * Rules of the driver (supervisor/):
 *  - Effects are carried out in order. EFFECT_PIN and EFFECT_SAVE are barriers: where one fails,
 *    the later effects of that service in this step are cancelled, and EVENT_SAVE_FAILED follows.
 *  - EFFECT_SAVE stores record_encode() of the service as it is at the end of the step.
 *  - Nothing is consumed (row acknowledged, datagram received, reply sent) before its SAVE.
 *  - Pointers inside effects are valid until the next engine_step().
 *
 * Rules of the engine: in one step, the effects of a service stand as PIN, SAVE, then the rest;
 * SAVE is there whenever its record would differ; iteration order is insertion order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/id128.h"
#include "core/exit.h"
#include "unit/unit.h"

#define ENGINE_NO_DEADLINE UINT64_MAX

struct engine;
struct service;

/* What a person, or the instance, asks for. */
enum verb {
	VERB_START,   /* with request.unit set: `hob run`, the unit is new */
	VERB_STOP,
	VERB_RESTART,
	VERB_RELOAD,
	VERB_KILL,
	VERB_WAIT,    /* answered when the service has come to rest (inactive or failed, no restart to come) */
	VERB_FORGET,
	VERB_SHUTDOWN,/* unit name NULL; request.leave: services live on */
	N_VERBS
};

/* How a request ended. The first ones are recorded, the text of each is in core/verdict.c. */
enum verdict {
	VERDICT_NONE,            /* pending */
	VERDICT_DONE,
	VERDICT_ENDED,           /* start: the program ended with success within the settle time */
	VERDICT_LEFT_CHILDREN,   /* the same, but it left processes behind: it went into the background */
	VERDICT_FAILED,          /* the job failed; the service's last run says why */
	VERDICT_TIMED_OUT,       /* start: not ready in time */
	VERDICT_CANCELLED,       /* another request took its place */
	VERDICT_UNKILLABLE,      /* stop: processes are left that SIGKILL does not end */
	VERDICT_NOT_ACTIVE,      /* reload, kill of what does not run */
	VERDICT_ALREADY_RUNNING, /* run of a name that is active */
	VERDICT_NO_SUCH_UNIT,
	VERDICT_BAD_UNIT,        /* it cannot be loaded; reply.text says why */
	VERDICT_BUSY,            /* forget of what is active */
	VERDICT_SHUTTING_DOWN,
	VERDICT_NO_RESOURCES,    /* its record could not be saved; reply.error is the errno */
	N_VERDICTS
};

struct request {
	uint64_t client;       /* the driver's number for who asked; replies carry it. 0 = nobody waits */
	struct id128 id;       /* of this request; the same id again is answered, not done again */
	enum verb verb;
	const char *unit_name; /* "web.service" */
	struct unit *unit;     /* VERB_START only: install this text first (`hob run`); the engine takes a reference */
	bool transient;        /* unit was made by `hob run` */
	bool replace;          /* run: stop what has that name first */
	uint64_t settle_us;    /* start, restart: go on watching this long after ready */
	int signo;             /* kill: 0 = SIGTERM */
	bool whole_tree;       /* kill: all processes, not only the main one */
	bool leave;            /* shutdown */
	bool remove_logs;      /* forget */
};

enum event_type {
	EVENT_TIME,            /* nothing but the clock: deadlines are due */
	EVENT_REQUEST,
	EVENT_CLIENT_GONE,     /* client: its waits are dropped, its jobs go on */
	EVENT_LOADED,          /* service name, unit; unit NULL: error, text. Answers EFFECT_LOAD */
	EVENT_SAVE_FAILED,     /* service name, error */
	EVENT_PROCESS_STARTED, /* token, pid: its row exists and it is alive */
	EVENT_PROCESS_EXECED,  /* token: execve succeeded */
	EVENT_PROCESS_EXITED,  /* token, exit, rusage; also a refused spawn (exit.kind STEP). May come before STARTED or EXECED */
	EVENT_PROCESS_NOT_SENT,/* token: after a crash, there is no row for it: send it again */
	EVENT_NOTIFY,          /* service name, run_id, sender, text (newline separated KEY=VALUE) */
	EVENT_READY,           /* service name, run_id: the readiness descriptor got its newline */
	EVENT_READY_CLOSED,    /* service name, run_id: ... was closed without one */
	EVENT_TREE,            /* service name, id, n_processes, unkillable. Answers EFFECT_TREE_* */
	EVENT_WATCHED,         /* token: EFFECT_WATCH succeeded */
	EVENT_LATE,            /* late_us: this turn is late (we were stopped): stretch killing time-outs, start watchdogs anew */
	EVENT_RESTORED,        /* late_us: all engine_restore calls are done; the outage lasted this long.
	                          n_restores: supervisors before this one under the same init; 0: a shutdown of before is over */
	EVENT_LOGGER,          /* logger state changed: text "down", "back", "dropping", ... for the events log only */
	EVENT_SHUTDOWN,        /* a termination signal to the instance */
	N_EVENTS
};

enum notify_sender { SENDER_UNKNOWN, SENDER_MAIN, SENDER_CONTROL, SENDER_TREE };

struct event {
	enum event_type type;
	uint64_t now_us;      /* CLOCK_MONOTONIC */
	uint64_t wall_us;     /* CLOCK_REALTIME; for printing only */
	uint64_t entropy[2];  /* fresh random bits */

	const char *service;  /* unit name, where the event is about one */
	uint64_t token;
	uint64_t id;          /* of the effect this answers */
	int32_t pid;
	struct id128 run_id;
	int error;            /* negative errno */
	const char *text;
	struct unit *unit;    /* LOADED */
	struct exit_info exit;
	uint64_t cpu_us, memory_max_bytes; /* EXITED: rusage */
	enum notify_sender sender;
	uint32_t n_processes; /* TREE: what is left */
	bool unkillable;      /* TREE: SIGKILL was sent in rounds and these stay; text names them */
	uint64_t late_us;
	uint32_t n_restores;
	uint64_t client;
	struct request request;
};

enum effect_type {
	EFFECT_PIN,         /* write and rename service->unit's text (transient file, loaded/NAME.HASH) */
	EFFECT_SAVE,
	EFFECT_LOAD,        /* name: read the unit from the unit path; EVENT_LOADED answers */
	EFFECT_SPAWN,       /* service, token, run_id, command (index in ExecStart) */
	EFFECT_ACK,         /* token: its row may go */
	EFFECT_SIGNAL,      /* token, signo: that process only */
	EFFECT_WATCH,       /* token, pid: an orphan becomes the main process */
	EFFECT_TREE_CHECK,  /* id: answer with EVENT_TREE now, and once more when it becomes empty */
	EFFECT_TREE_SIGNAL, /* id, signo, then SIGCONT: all processes of the run (without_main: but that one); answered as CHECK */
	EFFECT_TREE_KILL,   /* id: SIGKILL in rounds; EVENT_TREE when empty, or unkillable after a bound */
	EFFECT_RUN_BEGIN,   /* before the first SPAWN of a run: make its FIFO; run_id */
	EFFECT_RUN_END,     /* its tree is empty: drain and drop its FIFO, drop its cgroup; run_id */
	EFFECT_PID_FILE,    /* write (pid > 0) or remove (pid 0) WritePIDFile= */
	EFFECT_REPLY,       /* client, verb, verdict, service or NULL, error, text */
	EFFECT_PROGRESS,    /* client: the service's state changed while it waits */
	EFFECT_LOG,         /* a line for events.jsonl: service or NULL, log */
	EFFECT_REMOVE,      /* free the record, remove pinned text, transient unit, environment (remove_logs: the logs) */
	EFFECT_EXIT,        /* the instance ends; leave */
	N_EFFECTS
};

/* What hob's own events log says. The names are the "event" member in events.jsonl. */
enum log_type {
	LOG_STARTING, LOG_STARTED, LOG_READY, LOG_EXITED, LOG_FAILED, LOG_STOPPING, LOG_STOPPED,
	LOG_RESTART_SCHEDULED, LOG_GAVE_UP, LOG_RELOADED, LOG_KILLED_REST, LOG_UNKILLABLE,
	LOG_REQUEST, LOG_FORGOTTEN, LOG_STATUS, LOG_WATCHDOG, LOG_TIMEOUT, LOG_RESTORED, LOG_LATE,
	LOG_LOGGER, LOG_SHUTDOWN, LOG_NOTIFY_REFUSED,
	N_LOG_TYPES
};

struct effect {
	enum effect_type type;
	struct service *service; /* NULL where the effect is about none; read-only outside core */
	const char *name;        /* LOAD: unit name */
	uint64_t id, token;
	struct id128 run_id;
	int32_t pid;
	int signo;
	unsigned command;
	bool without_main, leave, remove_logs;
	uint64_t client;
	struct id128 request_id;
	enum verb verb;
	enum verdict verdict;
	int error;
	const char *text;
	enum log_type log;
};

struct effects {
	struct effect *items;
	size_t n, capacity;
};

int engine_new(struct engine **ret_engine);
struct engine *engine_free(struct engine *engine);

/*
 * Takes one event in and appends its effects to *effects, which it empties first. 0, or -ENOMEM:
 * then nothing has changed and the same event may be given again.
 */
int engine_step(struct engine *engine, const struct event *event, struct effects *effects);
void effects_done(struct effects *effects);

/* When EVENT_TIME is wanted next (CLOCK_MONOTONIC, us), or ENGINE_NO_DEADLINE. */
uint64_t engine_next_deadline(const struct engine *engine);

/* The token the next SPAWN will carry; the driver stores it in the record file's header with each SAVE. */
uint64_t engine_next_token(const struct engine *engine);

/*
 * Going on after a crash: once engine_set_next_token() with the highest of header, records and
 * table; engine_restore() for each record in slot order; then the events of the comparison
 * (STARTED, EXECED, EXITED, NOT_SENT), then EVENT_RESTORED.
 * restore: -EBADMSG when the record cannot be decoded: the driver puts it aside. unit: the text
 * that was pinned under the record's hash; not NULL, it also tells the name. ret_service may be NULL.
 */
void engine_set_next_token(struct engine *engine, uint64_t next_token);
int engine_restore(struct engine *engine, const void *record, size_t size, struct unit *unit,
	struct service **ret_service);

/* A process that runs though no record names it any more (the record file was garbage). */
struct adoption {
	uint64_t token;
	int32_t pid;
	struct id128 run_id;
	uint64_t started_us, started_wall_us;
	bool transient;
};
/*
 * Between the restores and EVENT_RESTORED: the process becomes the main one of a service that runs
 * and is wanted up; it is saved with its EVENT_PROCESS_STARTED. -EEXIST: its name or token is known.
 */
int engine_adopt(struct engine *engine, struct unit *unit, const struct adoption *adoption,
	struct service **ret_service);

struct service *engine_find(const struct engine *engine, const char *unit_name);
/* In order of insertion; NULL service starts. */
struct service *engine_next(const struct engine *engine, const struct service *service);
struct service *engine_find_token(const struct engine *engine, uint64_t token);

const char *verb_name(enum verb verb);          /* "start" */
const char *verdict_name(enum verdict verdict); /* "already-running": stable, for the wire */
enum verdict verdict_find(const char *name);    /* VERDICT_NONE when there is none */
const char *log_type_name(enum log_type type);
