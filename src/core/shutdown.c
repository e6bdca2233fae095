/*
 * The end of the instance: all services are stopped at once, newest first, and when nothing runs
 * any more the instance ends; or it ends at once and leaves them running.
 *
 * Each service that is stopped for it carries the fact in its record, so that a successor goes on
 * with the shutdown whoever asked for it.
 */
#include "core/private.h"

#include <errno.h>

static void stop_one(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;
	struct change change;

	/* Memory was reserved for all: see reserve_all(). */
	if (change_begin(engine, service, 0, &change) < 0)
		return;
	p->shutdown = true;
	job_wish_stop(engine, service, "shutdown");
	change_end(engine, &change);
}

/* So that a shutdown is carried out whole: what stopping one service takes, for each. */
static int reserve_all(struct engine *engine)
{
	return effects_reserve(engine->effects, 64 * (engine->n_busy + 1) + 2 * engine->n_waiters);
}

static int stop_all(struct engine *engine)
{
	int r = reserve_all(engine);
	if (r < 0)
		return r;
	engine->shutting_down = true;
	effect_log(engine, LOG_SHUTDOWN, NULL);
	struct service *previous;
	for (struct service *s = engine->last_service; s; s = previous) {
		previous = s->private->prev;
		if (!service_is_at_rest(s))
			stop_one(engine, s);
	}
	return 0;
}

static void wait_for_end(struct engine *engine, struct waiter *waiter)
{
	struct waiter *same = waiter_find_id(engine->shutdown_waiters, waiter->id);

	if (same) {
		same->client = waiter->client;
		waiter_free(engine, waiter);
		return;
	}
	waiter->next = engine->shutdown_waiters;
	engine->shutdown_waiters = waiter;
}

/* waiter NULL: a signal, or a record of before. */
int shutdown_begin(struct engine *engine, struct waiter *waiter, bool leave)
{
	int r = 0;

	if (!engine->shutting_down && leave) {
		r = effects_reserve(engine->effects, 1);
		if (r == 0) {
			engine->shutting_down = true;
			effect_log(engine, LOG_SHUTDOWN, NULL);
		}
	} else if (!engine->shutting_down) {
		r = stop_all(engine);
	}
	if (r < 0) {
		if (waiter)
			waiter_free(engine, waiter);
		return r;
	}
	engine->leave = engine->leave || leave;
	if (waiter)
		wait_for_end(engine, waiter);
	return 0;
}

static enum verdict final_verdict(const struct engine *engine)
{
	for (struct service *s = engine->services; s && !engine->leave; s = s->private->next)
		if (s->private->run_open)
			return VERDICT_UNKILLABLE;
	return VERDICT_DONE;
}

void shutdown_check(struct engine *engine)
{
	if (!engine->shutting_down || engine->exited || (engine->n_busy > 0 && !engine->leave))
		return;
	size_t n = 1;
	for (const struct waiter *w = engine->shutdown_waiters; w; w = w->next)
		n++;
	engine->exit_due = effects_reserve(engine->effects, n) < 0;
	if (engine->exit_due)
		return; /* tried again at once: see engine_next_deadline() */
	enum verdict verdict = final_verdict(engine);
	while (engine->shutdown_waiters) {
		struct waiter *waiter = engine->shutdown_waiters;
		engine->shutdown_waiters = waiter->next;
		waiter_answer(engine, NULL, waiter, verdict, 0, NULL);
	}
	engine->exited = true;
	effect_add(engine, EFFECT_EXIT, NULL)->leave = engine->leave;
}
