/*
 * Jobs: what is wanted of a service, one at a time, and how a new wish meets what is going on.
 *
 * There is a job in progress (a start until it has settled, or a stop until nothing is left) and at
 * most one start queued behind it. A restart is a stop with a start behind it; those who asked for
 * it wait for the start. What a new request does is looked up in one table by the situation.
 *
 * `run --replace` of what is running is done in two steps: the new text is pinned and recorded
 * while the old run goes on, and a question about the tree goes out with it. Its answer tells that
 * the barrier has held; only then is the old run ended (up_tree() -> job_replace()).
 */
#include "core/private.h"

#include <assert.h>

/* clang-format off */
static const uint8_t actions[N_ASKS][N_SITUATIONS] = {
	[ASK_START] = {
		[AT_REST] = ACT_BEGIN, [WAITING] = ACT_BEGIN, [STARTING] = ACT_JOIN,
		[UP] = ACT_DONE, [ENDING] = ACT_QUEUE, [STOPPING] = ACT_QUEUE,
		[CHANGING] = ACT_QUEUE,
	},
	[ASK_RUN] = {
		[AT_REST] = ACT_BEGIN, [WAITING] = ACT_REFUSE, [STARTING] = ACT_REFUSE,
		[UP] = ACT_REFUSE, [ENDING] = ACT_REFUSE, [STOPPING] = ACT_QUEUE,
		[CHANGING] = ACT_REFUSE,
	},
	[ASK_REPLACE] = {
		[AT_REST] = ACT_BEGIN, [WAITING] = ACT_BEGIN, [STARTING] = ACT_REPLACE,
		[UP] = ACT_REPLACE, [ENDING] = ACT_QUEUE, [STOPPING] = ACT_QUEUE,
		[CHANGING] = ACT_BUSY,
	},
	[ASK_STOP] = {
		[AT_REST] = ACT_STOP, [WAITING] = ACT_STOP, [STARTING] = ACT_STOP,
		[UP] = ACT_STOP, [ENDING] = ACT_STOP, [STOPPING] = ACT_JOIN,
		[CHANGING] = ACT_STOP,
	},
	[ASK_RESTART] = {
		[AT_REST] = ACT_BEGIN, [WAITING] = ACT_BEGIN, [STARTING] = ACT_RESTART,
		[UP] = ACT_RESTART, [ENDING] = ACT_QUEUE, [STOPPING] = ACT_QUEUE,
		[CHANGING] = ACT_QUEUE,
	},
};
/* clang-format on */

enum action job_action(enum ask ask, enum situation situation)
{
	return (enum action)actions[ask][situation];
}

enum situation job_situation(const struct service *service)
{
	const struct service_private *p = service->private;

	if (p->queued)
		return CHANGING;
	switch (service->sub) {
	case SUB_DEAD:
	case SUB_FAILED:
		return AT_REST;
	case SUB_AUTO_RESTART:
		return WAITING;
	case SUB_START:
		return STARTING;
	case SUB_RUNNING:
	case SUB_RELOAD:
	case SUB_EXITED:
		return p->job == JOB_START ? STARTING : UP;
	default:
		return p->job == JOB_STOP ? STOPPING : ENDING;
	}
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void take_waiter(struct service *service, struct waiter *waiter, enum lane lane)
{
	struct service_private *p = service->private;

	if (lane == LANE_JOB)
		p->settle_us = longer(p->settle_us, waiter->settle_us);
	else
		p->queued_settle_us = longer(p->queued_settle_us, waiter->settle_us);
	waiter_attach(service, waiter, lane);
	remembered_add(service, waiter, VERDICT_NONE);
}

static void queue(struct service *service, struct waiter *waiter)
{
	struct service_private *p = service->private;

	if (!p->queued)
		p->queued_settle_us = 0;
	p->queued = true;
	take_waiter(service, waiter, LANE_QUEUE);
}

static void move_lane(struct service *service, enum lane from, enum lane to)
{
	struct service_private *p = service->private;

	for (struct waiter *waiter = p->waiters; waiter; waiter = waiter->next)
		if (waiter->lane == from)
			waiter->lane = to;
	for (unsigned i = 0; i < p->n_requests; i++)
		if (p->requests[i].verdict == VERDICT_NONE && p->requests[i].lane == from)
			p->requests[i].lane = (uint8_t)to;
}

void job_promote(struct service *service)
{
	struct service_private *p = service->private;

	move_lane(service, LANE_QUEUE, LANE_JOB);
	p->queued = false;
	p->job = JOB_START;
	p->settle_us = p->queued_settle_us;
}

void job_demote(struct service *service)
{
	struct service_private *p = service->private;

	p->queued_settle_us = p->job == JOB_START ? p->settle_us : 0;
	if (p->job == JOB_START)
		move_lane(service, LANE_JOB, LANE_QUEUE);
	p->job = JOB_NONE;
	p->queued = true;
}

void job_pin(struct service *service)
{
	struct service_private *p = service->private;

	p->pin_due = p->pin_due || !p->pinned;
	p->pinned = true;
}

static void install_unit(struct service *service, struct unit *unit, bool transient)
{
	struct service_private *p = service->private;

	if (service->unit == unit)
		return; /* the service was made for it */
	if (p->run_open && !p->unit_run)
		p->unit_run = unit_ref(service->unit);
	assert(!p->unit_rollback);
	p->unit_rollback = service->unit;
	p->transient_rollback = service->transient;
	service->unit = unit_ref(unit);
	service->name = unit_name(unit);
	service->transient = transient;
	p->pinned = false;
	job_pin(service);
}

static void want(struct engine *engine, struct service *service, bool up, const char *by)
{
	if (service->wanted_up == up && service->wanted_by[0] != '\0')
		return; /* who set it first, and when, is what `why` tells */
	service->wanted_up = up;
	service->wanted_by = by;
	service->wanted_wall_us = engine->wall_us;
}

/* The run that is there ends because somebody asked for it. */
static void begin_stop(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	p->job = JOB_STOP;
	service->run.stopped = p->run_open;
	state_step(engine, service, SE_STOP);
}

static void act_begin(struct engine *engine, struct service *service, struct waiter *waiter)
{
	struct service_private *p = service->private;

	p->job = JOB_START;
	p->settle_us = 0;
	take_waiter(service, waiter, LANE_JOB);
	state_step(engine, service, SE_START);
}

static void act_join(struct engine *engine, struct service *service, struct waiter *waiter)
{
	struct service_private *p = service->private;

	if (p->job == JOB_NONE) {
		p->job = JOB_START; /* an automatic start becomes a person's */
		p->settle_us = 0;
	}
	take_waiter(service, waiter, LANE_JOB);
}

static void cancel_starts(struct engine *engine, struct service *service)
{
	job_finish(engine, service, LANE_QUEUE, VERDICT_CANCELLED, 0);
	if (service->private->job == JOB_START)
		job_finish(engine, service, LANE_JOB, VERDICT_CANCELLED, 0);
}

static void act_stop(struct engine *engine, struct service *service, struct waiter *waiter)
{
	cancel_starts(engine, service);
	take_waiter(service, waiter, LANE_JOB);
	begin_stop(engine, service);
}

void job_wish_stop(struct engine *engine, struct service *service, const char *by)
{
	want(engine, service, false, by);
	cancel_starts(engine, service);
	begin_stop(engine, service);
}

static void act_restart(struct engine *engine, struct service *service, struct waiter *waiter)
{
	job_demote(service);
	queue(service, waiter);
	begin_stop(engine, service);
}

static void act_replace(struct engine *engine, struct service *service, struct waiter *waiter)
{
	queue(service, waiter);
	stop_ask_tree(engine, service, EFFECT_TREE_CHECK, 0);
}

void job_replace(struct engine *engine, struct service *service)
{
	if (service->private->job == JOB_START)
		job_finish(engine, service, LANE_JOB, VERDICT_CANCELLED, 0);
	begin_stop(engine, service);
}

void job_ask(struct engine *engine, struct service *service, enum ask ask, struct waiter *waiter,
	const char *by, struct unit *unit, bool transient)
{
	enum action action = job_action(ask, job_situation(service));

	if (action == ACT_REFUSE || action == ACT_BUSY) {
		waiter_answer(engine, service, waiter,
			action == ACT_REFUSE ? VERDICT_ALREADY_RUNNING : VERDICT_BUSY, 0, NULL);
		return;
	}
	want(engine, service, ask != ASK_STOP, by);
	if (unit)
		install_unit(service, unit, transient);
	switch (action) {
	case ACT_BEGIN:
		act_begin(engine, service, waiter);
		break;
	case ACT_JOIN:
		act_join(engine, service, waiter);
		break;
	case ACT_QUEUE:
		queue(service, waiter);
		break;
	case ACT_REPLACE:
		act_replace(engine, service, waiter);
		break;
	case ACT_STOP:
		act_stop(engine, service, waiter);
		break;
	case ACT_RESTART:
		act_restart(engine, service, waiter);
		break;
	default:
		waiter_answer(engine, service, waiter, VERDICT_DONE, 0, NULL);
		break;
	}
}

/* The unit that could not be pinned makes way for the one before. */
static void roll_back_unit(struct service *service)
{
	struct service_private *p = service->private;

	unit_unref(service->unit);
	service->unit = p->unit_rollback;
	p->unit_rollback = NULL;
	service->name = unit_name(service->unit);
	service->transient = p->transient_rollback;
	if (p->unit_run == service->unit)
		p->unit_run = unit_unref(p->unit_run);
}

/*
 * PIN or the first SAVE has failed: what followed them in that step never happened. Without a
 * record nothing of the service may remain; with one, it is what it was, but for the wish.
 */
void job_save_failed(struct engine *engine, struct service *service, int error)
{
	struct service_private *p = service->private;

	if (!p->unconfirmed)
		return;
	p->unconfirmed = false;
	if (!p->saved) {
		effect_add(engine, EFFECT_REMOVE, service);
		p->removed = true;
		job_finish(engine, service, LANE_JOB, VERDICT_NO_RESOURCES, error);
		job_finish(engine, service, LANE_QUEUE, VERDICT_NO_RESOURCES, error);
		job_finish(engine, service, LANE_REST, VERDICT_NO_RESOURCES, error);
		return;
	}
	if (p->unit_rollback)
		roll_back_unit(service);
	p->saved_sum = 0;
	if (p->queued || service->sub != SUB_START) {
		/* the new text was for a start behind the run there is, which goes on */
		job_finish(engine, service, LANE_QUEUE, VERDICT_NO_RESOURCES, error);
		return;
	}
	service_set_token(engine, service, 0);
	p->run_open = false;
	service->result = RESULT_RESOURCES;
	service_enter(engine, service, SUB_FAILED);
	effect_log(engine, LOG_FAILED, service)->error = error;
	job_finish(engine, service, LANE_JOB, VERDICT_NO_RESOURCES, error);
}
