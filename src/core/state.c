/*
 * The state machine of a service: one table, [sub-state][event] -> handler.
 *
 *	            start job
 *	  dead --------------------> start --ready--> running <--> reload
 *	  failed                      |                  |   `--clean, RemainAfterExit--> exited
 *	    ^                         | exit, time-out   | exit, stop, watchdog, time-out
 *	    |                         v                  v
 *	    +------ run over ----- stop-watchdog, stop-sigterm --time-out--> stop-sigkill
 *	    |                         |
 *	    +---- stop -------- auto-restart --time--> start
 *
 * A run that ends, by itself or not, always goes through stop-sigterm: its tree tells when it is
 * over (stop.c). What comes after is decided in one place, run_over().
 *
 * "Wanted" is moved by jobs alone (job.c); a service that is wanted down is spawned by no cell: the
 * only two that spawn a new run are begin (SE_START, which a start job sends) and restart_due
 *(which restart_wanted() let in, and which a stop job leaves).
 */
#include "core/private.h"

/* Legal and without meaning in this state: late, stale or impossible. */
static void ignore(struct engine *engine, struct service *service)
{
}

/* --- dead, failed, auto-restart --- */

/*
 * A failed service may have processes that could not be ended: the start waits for their end, tried
 * once more, since nothing may run twice.
 */
static void begin(struct engine *engine, struct service *service)
{
	if (service->private->run_open) {
		job_demote(service);
		stop_begin(engine, service);
		return;
	}
	run_begin(engine, service, true);
}

static void restart_due(struct engine *engine, struct service *service)
{
	if (engine->now_us < service->restart_at_us)
		return;
	service->n_restarts++;
	run_begin(engine, service, false);
}

static void stop_waiting(struct engine *engine, struct service *service)
{
	service_enter(engine, service, SUB_DEAD);
	effect_log(engine, LOG_STOPPED, service);
	job_finish(engine, service, LANE_JOB, VERDICT_DONE, 0);
}

static void stop_rest(struct engine *engine, struct service *service)
{
	if (service->private->run_open)
		stop_begin(engine, service);
	else
		job_finish(engine, service, LANE_JOB, VERDICT_DONE, 0);
}

static void abandoned_exited(struct engine *engine, struct service *service)
{
	run_take_exit(engine, service, &engine->event->exit);
	stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

static void abandoned_never_sent(struct engine *engine, struct service *service)
{
	service_set_token(engine, service, 0);
	stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

static void abandoned_tree(struct engine *engine, struct service *service)
{
	if (engine->event->n_processes == 0 && service->token == 0)
		run_close(engine, service);
}

static void abandoned_restored(struct engine *engine, struct service *service)
{
	if (service->private->run_open)
		stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

/* --- start --- */

static void note_pid(struct engine *engine, struct service *service)
{
	const struct event *event = engine->event;

	if (service->main_pid == event->pid)
		return;
	service->main_pid = event->pid;
	service->run.main_pid = event->pid;
	effect_log(engine, LOG_STARTED, service)->pid = event->pid;
	if (unit_has(service->unit, UNIT_X_PID_FILE))
		effect_add(engine, EFFECT_PID_FILE, service)->pid = event->pid;
}

static void start_started(struct engine *engine, struct service *service)
{
	note_pid(engine, service);
	if (ready_by(service->unit) == READY_BY_START)
		run_ready(engine, service);
}

static void start_execed(struct engine *engine, struct service *service)
{
	enum ready_by by = ready_by(service->unit);

	if (by == READY_BY_EXEC || by == READY_BY_START)
		run_ready(engine, service);
}

/* A oneshot's command has ended well: the next one, or it is done. */
static void command_done(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;
	const struct exec_command *commands;
	size_t n_commands = unit_commands(service->unit, UNIT_EXEC_START, &commands);

	if (p->command + 1u < n_commands) {
		p->command++;
		p->timeout_us = deadline_after(
			engine->now_us, unit_u64(service->unit, UNIT_TIMEOUT_START_SEC));
		run_spawn(engine, service);
		return;
	}
	service->run.ready_us = engine->now_us;
	if (unit_u64(service->unit, UNIT_REMAIN_AFTER_EXIT)) {
		effect_log(engine, LOG_READY, service);
		service_enter(engine, service, SUB_EXITED);
		job_finish(engine, service, LANE_JOB, VERDICT_DONE, 0);
		return;
	}
	stop_after_exit(engine, service);
}

/*
 * Ended before it was ready. A program may be quicker than the news of its exec: one that ended
 * clean must have been executed, so it counts as ended, not as failed.
 */
static void start_exited(struct engine *engine, struct service *service)
{
	enum ready_by by = ready_by(service->unit);

	run_take_exit(engine, service, &engine->event->exit);
	if (service->result == RESULT_SUCCESS && by == READY_BY_EXIT) {
		command_done(engine, service);
		return;
	}
	if (service->result == RESULT_SUCCESS &&
		(by == READY_BY_MESSAGE || by == READY_BY_DESCRIPTOR))
		run_fail(service, RESULT_PROTOCOL);
	stop_after_exit(engine, service);
}

/*
 * After a crash: the record names a token that init has never seen. A new one is drawn, since init
 * takes only rising numbers and others may have been sent since.
 */
static void start_never_sent(struct engine *engine, struct service *service)
{
	struct effect *begun = effect_add(engine, EFFECT_RUN_BEGIN, service);

	begun->run_id = service->run.id;
	run_spawn(engine, service);
}

static void start_ready(struct engine *engine, struct service *service)
{
	run_ready(engine, service);
}

static void start_ready_lost(struct engine *engine, struct service *service)
{
	run_fail(service, RESULT_PROTOCOL);
	stop_begin(engine, service);
}

static void start_time(struct engine *engine, struct service *service)
{
	if (service->private->timeout_us == 0 || engine->now_us < service->private->timeout_us)
		return;
	effect_log(engine, LOG_TIMEOUT, service);
	run_fail(service, RESULT_TIMEOUT);
	stop_begin(engine, service);
}

/* --- running, reload, exited --- */

static void up_exited(struct engine *engine, struct service *service)
{
	run_take_exit(engine, service, &engine->event->exit);
	if (service->result == RESULT_SUCCESS && unit_u64(service->unit, UNIT_REMAIN_AFTER_EXIT)) {
		service_enter(engine, service, SUB_EXITED);
		job_finish(engine, service, LANE_JOB, VERDICT_DONE, 0);
		return;
	}
	stop_after_exit(engine, service);
}

/* It ran, and init knows nothing of it: how it ended cannot be told. */
static void up_never_sent(struct engine *engine, struct service *service)
{
	run_take_exit(engine, service, &(struct exit_info){.kind = EXIT_KIND_UNKNOWN});
	stop_after_exit(engine, service);
}

static void up_stopping(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	service_enter(engine, service, SUB_STOP_SIGTERM);
	p->phase = PHASE_SIGNALLED;
	p->stop_by_itself = true;
	p->timeout_us = deadline_after(
		engine->now_us, unit_u64(service_run_unit(service), UNIT_TIMEOUT_STOP_SEC));
	effect_log(engine, LOG_STOPPING, service);
}

static void up_reloading(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	service_enter(engine, service, SUB_RELOAD);
	p->timeout_us =
		deadline_after(engine->now_us, unit_u64(service->unit, UNIT_TIMEOUT_START_SEC));
}

static void reload_ready(struct engine *engine, struct service *service)
{
	service_enter(engine, service, SUB_RUNNING);
	effect_log(engine, LOG_RELOADED, service);
}

/* The answer to the question that went out with a new unit's PIN: it is on disk, the old run may
 * end. */
static void up_tree(struct engine *engine, struct service *service)
{
	if (service->private->queued)
		job_replace(engine, service);
}

static void up_time(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;
	uint64_t now_us = engine->now_us;

	if (p->watchdog_at_us > 0 && now_us >= p->watchdog_at_us) {
		stop_watchdog(engine, service);
		return;
	}
	if (p->runtime_at_us > 0 && now_us >= p->runtime_at_us) {
		effect_log(engine, LOG_TIMEOUT, service);
		run_fail(service, RESULT_TIMEOUT);
		stop_begin(engine, service);
		return;
	}
	if (service->settle_until_us > 0 && now_us >= service->settle_until_us) {
		service->settle_until_us = 0;
		job_finish(engine, service, LANE_JOB, VERDICT_DONE, 0);
	}
}

/* systemd: a reload that is not finished in time is given up; the service goes on. */
static void reload_time(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	if (p->timeout_us > 0 && engine->now_us >= p->timeout_us) {
		effect_log(engine, LOG_TIMEOUT, service);
		service_enter(engine, service, SUB_RUNNING);
	}
	up_time(engine, service);
}

/* Its watchdog starts anew: the service could not reach us. A replacement goes on where it was. */
static void up_restored(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	if (p->watchdog_us > 0 && service->sub != SUB_EXITED)
		p->watchdog_at_us = deadline_after(engine->now_us, p->watchdog_us);
	if (p->queued)
		job_replace(engine, service);
}

/* --- the table --- */

/* A row is meant to be read as one; the formatter would make it a column. */
/* clang-format off */
static state_handler *const table[N_SUBS][N_STATE_EVENTS] = {
	[SUB_DEAD] = {
		[SE_STARTED] = ignore, [SE_EXECED] = ignore, [SE_EXITED] = ignore,
		[SE_NOT_SENT] = ignore, [SE_READY] = ignore, [SE_READY_LOST] = ignore,
		[SE_STOPPING] = ignore, [SE_RELOADING] = ignore, [SE_WATCHDOG] = ignore,
		[SE_TREE] = ignore, [SE_TIME] = ignore, [SE_RESTORED] = ignore,
		[SE_START] = begin, [SE_STOP] = stop_rest,
	},
	[SUB_START] = {
		[SE_STARTED] = start_started, [SE_EXECED] = start_execed,
		[SE_EXITED] = start_exited, [SE_NOT_SENT] = start_never_sent,
		[SE_READY] = start_ready, [SE_READY_LOST] = start_ready_lost,
		[SE_STOPPING] = ignore, [SE_RELOADING] = ignore, [SE_WATCHDOG] = stop_watchdog,
		[SE_TREE] = up_tree, [SE_TIME] = start_time, [SE_RESTORED] = up_restored,
		[SE_START] = ignore, [SE_STOP] = stop_begin,
	},
	[SUB_RUNNING] = {
		[SE_STARTED] = note_pid, [SE_EXECED] = ignore, [SE_EXITED] = up_exited,
		[SE_NOT_SENT] = up_never_sent, [SE_READY] = ignore, [SE_READY_LOST] = ignore,
		[SE_STOPPING] = up_stopping, [SE_RELOADING] = up_reloading,
		[SE_WATCHDOG] = stop_watchdog, [SE_TREE] = up_tree, [SE_TIME] = up_time,
		[SE_RESTORED] = up_restored, [SE_START] = ignore, [SE_STOP] = stop_begin,
	},
	[SUB_EXITED] = {
		[SE_STARTED] = ignore, [SE_EXECED] = ignore, [SE_EXITED] = ignore,
		[SE_NOT_SENT] = ignore, [SE_READY] = ignore, [SE_READY_LOST] = ignore,
		[SE_STOPPING] = ignore, [SE_RELOADING] = ignore, [SE_WATCHDOG] = ignore,
		[SE_TREE] = up_tree, [SE_TIME] = ignore, [SE_RESTORED] = up_restored,
		[SE_START] = ignore, [SE_STOP] = stop_begin,
	},
	[SUB_RELOAD] = {
		[SE_STARTED] = note_pid, [SE_EXECED] = ignore, [SE_EXITED] = up_exited,
		[SE_NOT_SENT] = up_never_sent, [SE_READY] = reload_ready,
		[SE_READY_LOST] = ignore, [SE_STOPPING] = up_stopping, [SE_RELOADING] = ignore,
		[SE_WATCHDOG] = stop_watchdog, [SE_TREE] = up_tree, [SE_TIME] = reload_time,
		[SE_RESTORED] = up_restored, [SE_START] = ignore, [SE_STOP] = stop_begin,
	},
	[SUB_STOP_WATCHDOG] = {
		[SE_STARTED] = note_pid, [SE_EXECED] = ignore, [SE_EXITED] = stop_exited,
		[SE_NOT_SENT] = stop_never_sent, [SE_READY] = ignore, [SE_READY_LOST] = ignore,
		[SE_STOPPING] = ignore, [SE_RELOADING] = ignore, [SE_WATCHDOG] = ignore,
		[SE_TREE] = stop_tree, [SE_TIME] = stop_timeout, [SE_RESTORED] = stop_restored,
		[SE_START] = ignore, [SE_STOP] = ignore,
	},
	[SUB_STOP_SIGTERM] = {
		[SE_STARTED] = note_pid, [SE_EXECED] = ignore, [SE_EXITED] = stop_exited,
		[SE_NOT_SENT] = stop_never_sent, [SE_READY] = ignore, [SE_READY_LOST] = ignore,
		[SE_STOPPING] = ignore, [SE_RELOADING] = ignore, [SE_WATCHDOG] = ignore,
		[SE_TREE] = stop_tree, [SE_TIME] = stop_timeout, [SE_RESTORED] = stop_restored,
		[SE_START] = ignore, [SE_STOP] = ignore,
	},
	[SUB_STOP_SIGKILL] = {
		[SE_STARTED] = note_pid, [SE_EXECED] = ignore, [SE_EXITED] = stop_kill_exited,
		[SE_NOT_SENT] = stop_kill_never_sent, [SE_READY] = ignore,
		[SE_READY_LOST] = ignore, [SE_STOPPING] = ignore, [SE_RELOADING] = ignore,
		[SE_WATCHDOG] = ignore, [SE_TREE] = stop_kill_tree,
		[SE_TIME] = stop_kill_timeout, [SE_RESTORED] = stop_kill_restored,
		[SE_START] = ignore, [SE_STOP] = ignore,
	},
	[SUB_AUTO_RESTART] = {
		[SE_STARTED] = ignore, [SE_EXECED] = ignore, [SE_EXITED] = ignore,
		[SE_NOT_SENT] = ignore, [SE_READY] = ignore, [SE_READY_LOST] = ignore,
		[SE_STOPPING] = ignore, [SE_RELOADING] = ignore, [SE_WATCHDOG] = ignore,
		[SE_TREE] = ignore, [SE_TIME] = restart_due, [SE_RESTORED] = ignore,
		[SE_START] = begin, [SE_STOP] = stop_waiting,
	},
	[SUB_FAILED] = {
		[SE_STARTED] = note_pid, [SE_EXECED] = ignore, [SE_EXITED] = abandoned_exited,
		[SE_NOT_SENT] = abandoned_never_sent, [SE_READY] = ignore,
		[SE_READY_LOST] = ignore, [SE_STOPPING] = ignore, [SE_RELOADING] = ignore,
		[SE_WATCHDOG] = ignore, [SE_TREE] = abandoned_tree, [SE_TIME] = ignore,
		[SE_RESTORED] = abandoned_restored, [SE_START] = begin, [SE_STOP] = stop_rest,
	},
};
/* clang-format on */

state_handler *state_cell(enum service_sub sub, enum state_event event)
{
	return table[sub][event];
}

void state_step(struct engine *engine, struct service *service, enum state_event event)
{
	table[service->sub][event](engine, service);
}
