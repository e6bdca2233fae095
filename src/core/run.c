/*
 * A run: its beginning, how its main process's exit is judged, its end, and what comes after.
 *
 * Judging is systemd's (systemd.service(5), Restart= and SuccessExitStatus=): a daemon's main
 * process that dies of SIGHUP, SIGINT, SIGTERM or SIGPIPE ended clean; of a oneshot's only exit 0
 * is. The first failure of a run is its result, whatever follows from it.
 */
#include "core/private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"

/* xoroshiro128+ over the step's entropy: as many ids as a step needs, none kept over to the next.
 */
static uint64_t next_random(struct engine *engine)
{
	uint64_t a = engine->random[0], b = engine->random[1], result = a + b;

	b ^= a;
	engine->random[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	engine->random[1] = b << 37 | b >> 27;
	return result;
}

static struct id128 new_run_id(struct engine *engine)
{
	uint64_t words[2] = {next_random(engine), next_random(engine)};
	struct id128 id;

	memcpy(id.bytes, words, sizeof(id.bytes));
	if (id128_is_null(id))
		id.bytes[0] = 1;
	return id;
}

void run_spawn(struct engine *engine, struct service *service)
{
	service_set_token(engine, service, engine->next_token++);
	struct effect *effect = effect_add(engine, EFFECT_SPAWN, service);
	effect->token = service->token;
	effect->run_id = service->run.id;
	effect->command = service->private->command;
}

void run_begin(struct engine *engine, struct service *service, bool by_person)
{
	struct service_private *p = service->private;

	if (by_person) {
		restart_forgive(service);
		restart_count_start(service, engine->now_us);
	}
	job_pin(service);
	service->result = RESULT_SUCCESS;
	service->status_errno = 0;
	service->status_text[0] = '\0';
	service->run = (struct run){
		.id = new_run_id(engine),
		.started_us = engine->now_us,
		.started_wall_us = engine->wall_us,
	};
	p->run_open = true;
	p->shutdown = false;
	p->phase = PHASE_CHECK;
	p->stop_by_itself = false;
	p->refusal_logged = false;
	p->command = 0;
	p->main_exited_us = 0;
	p->watchdog_us = unit_u64(service->unit, UNIT_WATCHDOG_SEC);
	if (p->watchdog_us == SPAN_INFINITY)
		p->watchdog_us = 0;
	service_enter(engine, service, SUB_START);
	effect_log(engine, LOG_STARTING, service);
	effect_add(engine, EFFECT_RUN_BEGIN, service)->run_id = service->run.id;
	p->timeout_us =
		deadline_after(engine->now_us, unit_u64(service->unit, UNIT_TIMEOUT_START_SEC));
	run_spawn(engine, service);
}

void run_ready(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	service->run.ready_us = engine->now_us;
	service_enter(engine, service, SUB_RUNNING);
	p->runtime_at_us =
		deadline_after(engine->now_us, unit_u64(service->unit, UNIT_RUNTIME_MAX_SEC));
	if (p->watchdog_us > 0)
		p->watchdog_at_us = deadline_after(engine->now_us, p->watchdog_us);
	effect_log(engine, LOG_READY, service);
	if (p->job != JOB_START)
		return;
	if (p->settle_us == 0)
		job_finish(engine, service, LANE_JOB, VERDICT_DONE, 0);
	else
		service->settle_until_us = deadline_after(engine->now_us, p->settle_us);
}

void run_fail(struct service *service, enum service_result result)
{
	if (service->result == RESULT_SUCCESS)
		service->result = result;
}

static bool signal_is_clean(const struct service *service, int signo)
{
	const struct unit *unit = service_run_unit(service);

	if (service->run.stopped && signo == (int)unit_u64(unit, UNIT_KILL_SIGNAL))
		return true; /* what we asked it to die of */
	if (unit_exit_set_has(unit, UNIT_SUCCESS_EXIT_STATUS, true, signo))
		return true;
	return unit_u64(unit, UNIT_TYPE) != SERVICE_ONESHOT &&
	       (signo == SIGHUP || signo == SIGINT || signo == SIGTERM || signo == SIGPIPE);
}

static bool ignores_failure(const struct service *service)
{
	const struct exec_command *commands;
	size_t n = unit_commands(service_run_unit(service), UNIT_EXEC_START, &commands);

	return service->private->command < n &&
	       (commands[service->private->command].flags & EXEC_IGNORE_FAILURE);
}

static enum service_result judge(const struct service *service, const struct exit_info *exit)
{
	if (ignores_failure(service))
		return RESULT_SUCCESS;
	switch (exit->kind) {
	case EXIT_KIND_EXITED:
		return exit->code == 0 || unit_exit_set_has(service_run_unit(service),
						  UNIT_SUCCESS_EXIT_STATUS, false, exit->code)
			       ? RESULT_SUCCESS
			       : RESULT_EXIT_CODE;
	case EXIT_KIND_KILLED:
		return signal_is_clean(service, exit->code) ? RESULT_SUCCESS : RESULT_SIGNAL;
	case EXIT_KIND_DUMPED:
		return RESULT_CORE_DUMP;
	case EXIT_KIND_STEP:
		/* a step of the child has an exit status of 200 and more; without one there was no
		 * child */
		return exit->code >= 200 ? RESULT_EXIT_CODE : RESULT_RESOURCES;
	default:
		/* Nobody can tell. It ran and is gone, unasked: not a success, and nothing worse is
		 * claimed. */
		return RESULT_EXIT_CODE;
	}
}

void run_take_exit(struct engine *engine, struct service *service, const struct exit_info *exit)
{
	struct service_private *p = service->private;
	struct effect *effect = effect_log(engine, LOG_EXITED, service);

	effect->pid = service->main_pid;
	effect->token = service->token;
	effect_add(engine, EFFECT_ACK, service)->token = service->token;
	service->run.exit = *exit;
	p->main_exited_us = engine->now_us;
	run_fail(service, judge(service, exit));
	service_set_token(engine, service, 0);
}

int run_reserve_history(struct service *service)
{
	if (!service->history)
		service->history = calloc(SERVICE_RUNS_KEPT, sizeof(*service->history));
	return service->history ? 0 : -ENOMEM;
}

static void remember_run(struct service *service)
{
	if (!service->history)
		return;
	unsigned n =
		service->n_history < SERVICE_RUNS_KEPT ? service->n_history : SERVICE_RUNS_KEPT - 1;
	memmove(&service->history[1], &service->history[0], n * sizeof(service->history[0]));
	service->history[0] = service->run;
	service->n_history = n + 1;
}

void run_close(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;
	struct run *run = &service->run;

	run->ended_us = engine->now_us;
	run->ended_wall_us = engine->wall_us;
	run->result = service->result;
	p->run_open = false;
	if (p->main_exited_us == 0)
		p->main_exited_us = engine->now_us;
	remember_run(service);
	takeover_drop(engine, service);
	if (unit_has(service_run_unit(service), UNIT_X_PID_FILE))
		effect_add(engine, EFFECT_PID_FILE, service);
	effect_add(engine, EFFECT_RUN_END, service)->run_id = run->id;
	p->unit_run = unit_unref(p->unit_run);
}

static void enter_rest(struct engine *engine, struct service *service)
{
	bool failed = service->result != RESULT_SUCCESS;

	service_enter(engine, service, failed ? SUB_FAILED : SUB_DEAD);
	effect_log(engine, failed ? LOG_FAILED : LOG_STOPPED, service);
}

static enum verdict start_verdict(const struct service *service)
{
	if (service->result == RESULT_TIMEOUT)
		return VERDICT_TIMED_OUT;
	if (service->result != RESULT_SUCCESS)
		return VERDICT_FAILED;
	if (ready_by(service->unit) == READY_BY_EXIT)
		return VERDICT_DONE;
	return service->run.n_left > 0 ? VERDICT_LEFT_CHILDREN : VERDICT_ENDED;
}

static void restart_or_rest(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	if (!restart_wanted(service)) {
		enter_rest(engine, service);
		return;
	}
	uint64_t delay_us = restart_delay(service, next_random(engine));
	uint64_t at_us = deadline_after(p->main_exited_us, delay_us);
	if (at_us > 0 && at_us < engine->now_us)
		at_us = engine->now_us;
	/* The limit is asked here, not when the delay is over: waiting first would help nobody. */
	if (at_us > 0 && !restart_count_start(service, at_us)) {
		service->gave_up = true;
		service->result = RESULT_START_LIMIT;
		service_enter(engine, service, SUB_FAILED);
		effect_log(engine, LOG_GAVE_UP, service);
		return;
	}
	if (at_us == engine->now_us) {
		service->n_restarts++;
		run_begin(engine, service, false);
		return;
	}
	service_enter(engine, service, SUB_AUTO_RESTART);
	service->restart_at_us = at_us;
	effect_log(engine, LOG_RESTART_SCHEDULED, service);
}

void run_over(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;
	bool stopped = p->job == JOB_STOP;

	run_close(engine, service);
	if (p->job != JOB_NONE && p->queued) {
		job_finish(engine, service, LANE_JOB,
			stopped ? VERDICT_DONE : start_verdict(service), 0);
	} else if (p->job != JOB_NONE) {
		/* A person's start that failed, or ended at once, is not tried again by itself. */
		enum verdict verdict = stopped ? VERDICT_DONE : start_verdict(service);
		enter_rest(engine, service);
		job_finish(engine, service, LANE_JOB, verdict, 0);
		return;
	}
	if (p->queued) {
		job_promote(service);
		run_begin(engine, service, true);
		return;
	}
	restart_or_rest(engine, service);
}

void run_abandon(struct engine *engine, struct service *service, enum verdict verdict)
{
	bool stopped = service->private->job == JOB_STOP;

	service->run.result = service->result;
	service_enter(engine, service, SUB_FAILED);
	effect_log(engine, LOG_FAILED, service);
	job_finish(engine, service, LANE_JOB, stopped ? verdict : VERDICT_FAILED, 0);
	job_finish(engine, service, LANE_QUEUE, VERDICT_FAILED, 0);
}
