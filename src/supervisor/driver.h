/*
 * The driver's one state, shared by the files of this folder: what of the world stands beside each
 * service, and how events reach the engine.
 *
 * Invariants:
 *  - driver_feed() is the only caller of engine_step(). Effects may queue events (driver_queue());
 *    they are fed after the present step's effects have all been carried out.
 *  - Everything here can be rebuilt from the table, the record file and the runtime directory:
 *    nothing in this struct needs to survive a SIGKILL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "core/engine.h"
#include "core/service.h"
#include "os/channel.h"
#include "os/loop.h"
#include "os/place.h"
#include "os/store.h"
#include "os/table.h"
#include "os/tree.h"

/* The order in which a turn serves what is ready (DESIGN 2.2, rule 4). */
enum rank { RANK_TABLE, RANK_EXEC, RANK_NOTIFY, RANK_TREE, RANK_LOGGER, RANK_CONTROL };

struct driver;

/* A deadline of the driver's own (the engine has its own queue). */
struct timer {
	struct heap_node node; /* key: CLOCK_MONOTONIC, us */
	void (*fire)(struct driver *driver, struct timer *timer);
};

/* The answer an EFFECT_TREE_* still owes. */
enum tree_wish { TREE_NOTHING, TREE_AWAIT_EMPTY, TREE_KILLING };

/* What stands beside a service (service->slot). */
struct attachment {
	struct driver *driver;
	struct service *service;
	int store_slot;
	uint64_t pinned_hash;	/* of loaded/NAME.HASH as it was last saved */
	uint64_t row_number;	/* of the main process in the table, as the last bell said */
	uint64_t main_ended_us; /* when the main process ended, by init's clock; 0 = it lives, or
				   unknown */
	int begin_error;	/* of the last RUN_BEGIN: negative errno */
	bool cancelled;		/* a barrier failed in this step: later effects are skipped */

	/* exec watch: is the spawned process past execve? */
	uint64_t exec_token; /* 0 = not watching */
	int exec_fd;	     /* read end of the CLOEXEC pipe; -1 after a crash: asked by polling */
	struct loop_source *exec_source;

	/* readiness descriptor (X-Hob Ready=fd:N) */
	int ready_fd;
	struct loop_source *ready_source;
	struct id128 ready_run;

	/* a main process that is no child of init (adopt.c); adopted_fd -1 = there is none */
	int adopted_fd;
	pid_t adopted_pid, asked_pid;
	uint64_t adopted_token, adopted_until_us;
	struct process_identity adopted_identity;
	struct loop_source *adopted_source;
	struct timer adopted_timer;

	/* tree */
	enum tree_wish tree_wish;
	uint64_t tree_id; /* the effect that awaits an answer */
	uint64_t tree_kill_until_us;
	int tree_fd; /* cgroup.events, or -1 */
	struct loop_source *tree_source;
	struct timer tree_timer; /* next round of killing */
};

struct driver {
	struct place place;
	struct engine *engine;
	struct effects effects;
	struct loop *loop;
	struct store *store;
	struct table table;
	struct trees *trees;
	struct heap timers;

	/* events waiting to be fed, a ring */
	struct queued_event *queue;
	size_t queue_head, queue_n, queue_capacity;

	struct link *link;	    /* to init: link.c */
	struct logger_link *logger; /* to the logger: logger.c */
	struct control *control;    /* clients: control.c */
	struct pins *pins;	    /* unit texts that are to be pinned: pins.c */
	int notify_fd;
	struct loop_source *notify_source;
	int events_fd;	      /* write end of the events FIFO, -1 = none */
	uint64_t events_lost; /* lines that did not fit since the last that did */
	struct timer exec_poll;
	uint32_t n_orphan_bells; /* orphans were reaped: look at awaited trees */
	bool exit_leave;
	bool said_exit; /* init was told to end us: nothing is looked at any more */
	uint64_t entropy[32];
	unsigned n_entropy;
};

/* The clock as it was read at the start of this turn. */
static inline uint64_t driver_now_us(const struct driver *driver)
{
	return loop_now_us(driver->loop);
}

/* --- driver.c --- */

/* Steps the engine with an event (its times and entropy are filled in) and carries out the effects,
 * then what they queued. */
void driver_feed(struct driver *driver, struct event *event);
/* Keeps a copy for after the present step. Text and names are copied. No memory: the caller gets
 * -ENOMEM. */
int driver_queue(struct driver *driver, const struct event *event);
/* Feeds what is queued. Never from within an effect. */
void driver_pump(struct driver *driver);
void timer_set(struct driver *driver, struct timer *timer, uint64_t at_us);
void timer_cancel(struct driver *driver, struct timer *timer);
/*
 * One line for whoever looks after hob: into events.jsonl once that is open, and on standard error,
 * which is /dev/null unless init was started by hand.
 */
void driver_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void driver_warns_into(struct driver *driver);

/* --- attachment.c --- */

/* The attachment of a service, made at first use. NULL: no memory. */
struct attachment *attachment_get(struct driver *driver, struct service *service);
/* RLIMIT_LOCKS of a run's processes (os/tree.h). */
uint64_t attachment_tag(struct id128 run_id);
void attachment_free(struct driver *driver, struct service *service);
struct tree_id attachment_tree_id(const struct service *service);
/* "web" of "web.service": names the log directory and the FIFO. Valid until the next call. */
const char *log_name(const char *unit_name);

/* --- effects.c --- */

/* Carries out the effects of one step, in order. */
void effects_apply(struct driver *driver);
