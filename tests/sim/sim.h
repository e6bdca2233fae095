/*
 * A seeded world around the engine: processes, init with its table, clients, and a driver that may
 * die between any two effects. Nothing outlives the driver but the records' bytes, the pinned
 * units, the table, and what waits in kernel buffers (notify messages, readiness pipes).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "core/engine.h"
#include "core/record.h"
#include "core/service.h"
#include "unit/unit.h"

#define N_NAMES 6
#define N_VARIANTS 3 /* unit texts a name can have; the first is the one on disk */
#define PROCESSES_MAX 256
#define ROWS_MAX 128
#define MESSAGES_MAX 64
#define CLIENTS_MAX 24
#define CLIENTS_KEPT_FREE 12 /* for those who ask for rest at the end */
#define EVENTS_MAX 64
#define TOKENS_KEPT 65536
#define NEVER UINT64_MAX
#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)

struct process {
	int32_t pid;
	int name; /* whose it is */
	struct id128 run_id;
	uint64_t token; /* 0: init has no row for it */
	bool alive, spawned, execed, ignores_term, may_fork;
	uint64_t exec_at, exit_at, fork_at, ready_at, ping_every, ping_at;
	uint64_t stuck_until; /* SIGKILL has no effect before */
	uint64_t term_delay;
	bool takes_over; /* a main process that names its next child as the main one */
	bool stuck_killed;
	struct exit_info exit;
};

enum row_state { ROW_FREE, ROW_RUNNING, ROW_EXITED };
struct row {
	enum row_state state;
	uint64_t token;
	int32_t pid;
	int name;
	bool execed, watched;
	struct exit_info exit;
	bool told_started, told_execed, told_exited; /* the driver's memory: lost with it */
};

struct message {
	int name;
	struct id128 run_id;
	enum notify_sender sender;
	char text[96];
};

/* What the disk and init hold for a name. */
struct kept {
	bool pinned[N_VARIANTS]; /* texts on disk, each under its hash */
	uint8_t record[RECORD_SIZE_MAX];
	size_t record_size;  /* 0 = none */
	struct id128 run_id; /* its readiness pipe: of this run */
	bool pipe_ready, pipe_closed;
};

/* The driver's own: lost with it. */
struct question {
	bool open, kill, answered;
	uint64_t id, since_us;
	struct id128 run_id;
	uint32_t last_n;
};

struct client {
	bool used, gone, connected;
	uint64_t number;
	struct id128 id;
	enum verb verb;
	int name, variant; /* variant > 0: run */
	bool replace, answered, whole_tree;
	uint64_t settle_us;
};

struct sim {
	uint64_t seed, random, now_us;
	bool verbose, faults, failed, exited, shutdown_asked;
	struct buf log;
	size_t n_events, n_effects, n_crashes, n_spawns, n_refused;

	struct engine *engine;
	struct effects effects;
	char names[N_NAMES][24];
	struct unit *units[N_NAMES][N_VARIANTS];
	struct kept kept[N_NAMES];
	struct question questions[N_NAMES];
	uint64_t saved_next_token;
	uint32_t n_restores;

	struct process processes[PROCESSES_MAX];
	int32_t next_pid;
	struct row rows[ROWS_MAX];
	uint64_t last_token;
	bool sent[TOKENS_KEPT]; /* by token */
	struct message messages[MESSAGES_MAX];
	size_t n_messages;

	struct client clients[CLIENTS_MAX];
	uint64_t next_client;

	/* events the driver has made for itself: answers to LOAD and to failed saves */
	struct event own[EVENTS_MAX];
	size_t n_own;
};

/* --- sim.c --- */
uint64_t sim_random(struct sim *sim, uint64_t below);
bool sim_chance(struct sim *sim, unsigned percent); /* never when faults are over */
void sim_log(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
int sim_name(const struct sim *sim, const char *unit_name);

/* --- units.c --- */
bool units_make(struct sim *sim);
void units_free(struct sim *sim);

/* --- world.c --- */
void world_spawn(struct sim *sim, int name, uint64_t token, struct id128 run_id);
void world_watch(struct sim *sim, int name, uint64_t token, int32_t pid);
void world_signal(struct sim *sim, struct process *process, int signo);
struct row *world_row(struct sim *sim, uint64_t token);
struct process *world_process(struct sim *sim, int32_t pid);
uint32_t world_count(const struct sim *sim, int name, struct id128 run_id);
/* Lets everything happen that is due at now_us. */
void world_turn(struct sim *sim);
uint64_t world_next(const struct sim *sim);

/* --- driver.c --- */
void driver_start(struct sim *sim);
void driver_turn(struct sim *sim);
void driver_crash(struct sim *sim);
void driver_stop(struct sim *sim);
void driver_sigterm(struct sim *sim);
/* Steps the engine and carries out what it says. False: the supervisor has died on the way. */
bool driver_handle(struct sim *sim, struct event *event);

/* --- effects.c --- */
bool effects_carry_out(struct sim *sim); /* false: the same */
void effects_signal_tree(
	struct sim *sim, int name, struct id128 run_id, bool without_main, int signo);

/* --- memory.c --- */
/* The allocation after n more fails, once; n < 0: none does. */
void memory_fail_after(int n);

/* --- client.c --- */
void clients_turn(struct sim *sim);
void clients_reconnect(struct sim *sim);
void client_ask(struct sim *sim, struct client *client);
bool client_answer(struct sim *sim, uint64_t number, enum verdict verdict);
size_t clients_waiting(const struct sim *sim);
struct client *client_new(struct sim *sim);

/* --- check.c --- */
void check_effect(struct sim *sim, const struct effect *effect);
void check_step(struct sim *sim);
void check_rest(struct sim *sim);
/* Units of that name may leave processes behind on purpose. */
bool check_may_leave(const struct sim *sim, int name);
