/*
 * The end of a run: stop-watchdog, stop-sigterm, stop-sigkill.
 *
 * All ways lead through a question about the tree: a run is over when its main process's exit was
 * taken in and an answer given after that says that nothing is left (or KillMode= says to leave
 * it). An answer counts only for the last question (its id), and an empty tree means nothing while
 * the main process's exit is outstanding: it may not have been forked yet.
 *
 * The stop signal is sent at least once: the phase is "signalling" in the record from before it
 * goes out until the tree has answered, and a successor that finds that sends it again.
 *
 * Who is signalled is KillMode= (systemd.kill(5)). A main process whose start was not seen yet is
 * reached through its token, since init gets the signal after the spawn; the rest by its tree.
 */
#include "core/private.h"

#include <signal.h>

static enum kill_mode kill_mode(const struct service *service)
{
	return (enum kill_mode)unit_u64(service_run_unit(service), UNIT_KILL_MODE);
}

void stop_ask_tree(struct engine *engine, struct service *service, enum effect_type type, int signo)
{
	struct effect *effect = effect_add(engine, type, service);

	effect->id = ++engine->next_id;
	effect->run_id = service->run.id;
	effect->signo = signo;
	service->private->tree_id = effect->id;
}

static void signal_main(struct engine *engine, struct service *service, int signo)
{
	if (service->token == 0)
		return;
	struct effect *effect = effect_add(engine, EFFECT_SIGNAL, service);
	effect->token = service->token;
	effect->signo = signo;
}

static void signal_tree(struct engine *engine, struct service *service, int signo)
{
	bool unseen = service->token > 0 && service->main_pid == 0;

	if (unseen)
		signal_main(engine, service, signo);
	stop_ask_tree(engine, service, EFFECT_TREE_SIGNAL, signo);
	engine->effects->items[engine->effects->n - 1].without_main = unseen;
}

/* The signal as KillMode= wants it, then the question; the phase is confirmed by its answer. */
static void send_stop_signal(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;
	const struct unit *unit = service_run_unit(service);
	int signo =
		service->sub == SUB_STOP_WATCHDOG ? SIGABRT : (int)unit_u64(unit, UNIT_KILL_SIGNAL);
	bool hangup = unit_u64(unit, UNIT_SEND_SIGHUP) && service->sub == SUB_STOP_SIGTERM;

	p->phase = PHASE_SIGNALLING;
	switch (kill_mode(service)) {
	case KILL_CONTROL_GROUP:
		signal_tree(engine, service, signo);
		if (hangup)
			signal_tree(engine, service, SIGHUP);
		return;
	case KILL_MIXED:
	case KILL_PROCESS:
		signal_main(engine, service, signo);
		signal_main(engine, service, SIGCONT);
		if (hangup)
			signal_main(engine, service, SIGHUP);
		break;
	case KILL_NONE:
		break;
	}
	stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

static void arm_stop_timeout(struct engine *engine, struct service *service)
{
	service->private->timeout_us = deadline_after(
		engine->now_us, unit_u64(service_run_unit(service), UNIT_TIMEOUT_STOP_SEC));
}

void stop_after_exit(struct engine *engine, struct service *service)
{
	service_enter(engine, service, SUB_STOP_SIGTERM);
	service->private->phase = PHASE_CHECK;
	stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

static void begin_with(struct engine *engine, struct service *service, enum service_sub sub)
{
	if (service->token == 0) {
		stop_after_exit(engine, service);
		return;
	}
	service_enter(engine, service, sub);
	service->private->stop_by_itself = false;
	arm_stop_timeout(engine, service);
	send_stop_signal(engine, service);
}

void stop_begin(struct engine *engine, struct service *service)
{
	effect_log(engine, LOG_STOPPING, service);
	begin_with(engine, service, SUB_STOP_SIGTERM);
}

void stop_watchdog(struct engine *engine, struct service *service)
{
	effect_log(engine, LOG_WATCHDOG, service);
	run_fail(service, RESULT_WATCHDOG);
	begin_with(engine, service, SUB_STOP_WATCHDOG);
}

void stop_exited(struct engine *engine, struct service *service)
{
	run_take_exit(engine, service, &engine->event->exit);
	if (service->private->stop_by_itself)
		service->private->phase = PHASE_CHECK; /* nobody was sent a signal yet */
	stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

/* After a crash: the record's token never reached init, so there is no main process to wait for. */
void stop_never_sent(struct engine *engine, struct service *service)
{
	service_set_token(engine, service, 0);
	stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

/* The main process is gone and n are left. */
static void end_rest(struct engine *engine, struct service *service, uint32_t n)
{
	struct service_private *p = service->private;
	bool first = p->phase == PHASE_CHECK;

	if (first)
		service->run.n_left = n;
	switch (kill_mode(service)) {
	case KILL_PROCESS:
	case KILL_NONE:
		run_over(engine, service);
		return;
	case KILL_MIXED:
		/* systemd.kill(5): the rest gets SIGKILL, and only that */
		if (unit_u64(service_run_unit(service), UNIT_SEND_SIGKILL))
			stop_kill(engine, service);
		else
			run_over(engine, service);
		return;
	case KILL_CONTROL_GROUP:
		break;
	}
	if (!first) {
		p->phase = PHASE_SIGNALLED;
		return;
	}
	effect_log(engine, LOG_KILLED_REST, service);
	arm_stop_timeout(engine, service);
	send_stop_signal(engine, service);
}

void stop_tree(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;
	uint32_t n = engine->event->n_processes;

	if (service->token > 0) {
		if (p->phase == PHASE_SIGNALLING)
			p->phase = PHASE_SIGNALLED;
	} else if (n == 0) {
		run_over(engine, service);
	} else {
		end_rest(engine, service, n);
	}
}

void stop_timeout(struct engine *engine, struct service *service)
{
	const struct unit *unit = service_run_unit(service);

	if (service->private->timeout_us == 0 || engine->now_us < service->private->timeout_us)
		return;
	effect_log(engine, LOG_TIMEOUT, service);
	run_fail(service, RESULT_TIMEOUT);
	if (kill_mode(service) == KILL_NONE || !unit_u64(unit, UNIT_SEND_SIGKILL))
		run_abandon(engine, service, VERDICT_FAILED);
	else
		stop_kill(engine, service);
}

void stop_restored(struct engine *engine, struct service *service)
{
	if (service->private->phase == PHASE_SIGNALLING)
		send_stop_signal(engine, service);
	else
		stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

/* --- stop-sigkill --- */

/* Safe to do again, and done again whenever something changes: only the last answer counts. */
void stop_kill_restored(struct engine *engine, struct service *service)
{
	if (kill_mode(service) == KILL_PROCESS) {
		signal_main(engine, service, SIGKILL);
		stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
		return;
	}
	if (service->main_pid == 0)
		signal_main(engine, service, SIGKILL);
	stop_ask_tree(engine, service, EFFECT_TREE_KILL, SIGKILL);
}

void stop_kill(struct engine *engine, struct service *service)
{
	service_enter(engine, service, SUB_STOP_SIGKILL);
	service->private->timeout_us = deadline_after(engine->now_us, KILL_BOUND_US);
	stop_kill_restored(engine, service);
}

void stop_kill_exited(struct engine *engine, struct service *service)
{
	run_take_exit(engine, service, &engine->event->exit);
	stop_kill_restored(engine, service);
}

void stop_kill_never_sent(struct engine *engine, struct service *service)
{
	service_set_token(engine, service, 0);
	stop_kill_restored(engine, service);
}

static void give_up_killing(struct engine *engine, struct service *service)
{
	service->result = RESULT_UNKILLABLE;
	effect_log(engine, LOG_UNKILLABLE, service)->text =
		effect_text(engine, engine->event->text);
	run_abandon(engine, service, VERDICT_UNKILLABLE);
}

void stop_kill_tree(struct engine *engine, struct service *service)
{
	const struct event *event = engine->event;
	bool leave = kill_mode(service) == KILL_PROCESS;

	if (service->token == 0 && (event->n_processes == 0 || leave))
		run_over(engine, service);
	else if (event->n_processes > 0 && event->unkillable)
		give_up_killing(engine, service);
}

void stop_kill_timeout(struct engine *engine, struct service *service)
{
	if (service->private->timeout_us > 0 && engine->now_us >= service->private->timeout_us)
		give_up_killing(engine, service);
}
