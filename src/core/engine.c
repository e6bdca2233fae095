/*
 * The engine's frame: which service an event is about, is it stale, and the handler for it. What
 * the events do is in state.c, stop.c, run.c (a service), job.c and request.c (what people want).
 */
#include "core/private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "core/record.h"

int engine_new(struct engine **ret_engine)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	if (index_reserve(&engine->by_name, 1) < 0 || index_reserve(&engine->by_token, 1) < 0) {
		engine_free(engine);
		return -ENOMEM;
	}
	engine->next_token = 1;
	*ret_engine = engine;
	return 0;
}

static void empty_graveyard(struct engine *engine)
{
	while (engine->graveyard) {
		struct service *service = engine->graveyard;
		engine->graveyard = service->private->next;
		service_free(service);
	}
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine)
		return NULL;
	while (engine->services)
		service_unlink(engine, engine->services);
	empty_graveyard(engine);
	while (engine->waiters)
		waiter_free(engine, engine->waiters);
	while (engine->loads) {
		struct load *load = engine->loads;
		engine->loads = load->next;
		free(load);
	}
	free(engine->by_name.buckets);
	free(engine->by_token.buckets);
	heap_done(&engine->deadlines);
	free(engine);
	return NULL;
}

struct service *engine_find(const struct engine *engine, const char *unit_name)
{
	if (!unit_name)
		return NULL;
	struct index_link *link = index_find(&engine->by_name, service_name_key(unit_name));
	while (link && strcmp(link->service->name, unit_name) != 0)
		link = index_find_next(link);
	return link ? link->service : NULL;
}

struct service *engine_find_token(const struct engine *engine, uint64_t token)
{
	struct index_link *link = token > 0 ? index_find(&engine->by_token, token) : NULL;

	return link ? link->service : NULL;
}

struct service *engine_next(const struct engine *engine, const struct service *service)
{
	return service ? service->private->next : engine->services;
}

uint64_t engine_next_deadline(const struct engine *engine)
{
	const struct heap_node *first = heap_first(&engine->deadlines);

	if (engine->exit_due)
		return 0;
	return first ? first->key : ENGINE_NO_DEADLINE;
}

uint64_t engine_next_token(const struct engine *engine)
{
	return engine->next_token;
}

void engine_set_next_token(struct engine *engine, uint64_t next_token)
{
	if (next_token > engine->next_token)
		engine->next_token = next_token;
}

/* --- events about one service --- */

static int step_service(struct engine *engine, struct service *service, enum state_event event)
{
	struct change change;

	/* Only the tree's answer ends a run; its place in the history is there before anything
	 * changes. */
	if (event == SE_TREE && !service_is_up(service) && run_reserve_history(service) < 0)
		return -ENOMEM;
	int r = change_begin(engine, service, 0, &change);
	if (r < 0)
		return r;
	state_step(engine, service, event);
	change_end(engine, &change);
	return 0;
}

static const enum state_event process_events[N_EVENTS] = {
	[EVENT_PROCESS_STARTED] = SE_STARTED,
	[EVENT_PROCESS_EXECED] = SE_EXECED,
	[EVENT_PROCESS_EXITED] = SE_EXITED,
	[EVENT_PROCESS_NOT_SENT] = SE_NOT_SENT,
};

/* A token that a service has beside its main one, or that may become its main one. */
static int step_takeover(struct engine *engine, struct service *service)
{
	const struct event *event = engine->event;
	struct change change;

	int r = change_begin(engine, service, 0, &change);
	if (r < 0)
		return r;
	if (event->type == EVENT_PROCESS_EXITED)
		takeover_exited(engine, service, event->token);
	else if (event->type == EVENT_PROCESS_STARTED || event->type == EVENT_WATCHED)
		takeover_watched(engine, service, event->token);
	change_end(engine, &change);
	return 0;
}

static int step_inherit(struct engine *engine, struct service *service)
{
	struct change change;

	int r = change_begin(engine, service, 0, &change);
	if (r < 0)
		return r;
	takeover_inherit(engine, service);
	change_end(engine, &change);
	return 0;
}

static int on_process(struct engine *engine)
{
	const struct event *event = engine->event;
	struct service *service = engine_find_token(engine, event->token);

	if (!service) {
		/* Nobody's any more: its row must not stay for ever. */
		if (event->type != EVENT_PROCESS_EXITED)
			return 0;
		int r = effects_reserve(engine->effects, 1);
		if (r == 0)
			effect_add(engine, EFFECT_ACK, NULL)->token = event->token;
		return r;
	}
	if (service->token != event->token)
		return step_takeover(engine, service);
	const struct takeover *t = service->private->takeover;
	if (event->type == EVENT_PROCESS_EXITED && t && t->watch_token > 0)
		return step_inherit(engine, service);
	return step_service(engine, service, process_events[event->type]);
}

static int on_watched(struct engine *engine)
{
	struct service *service = engine_find_token(engine, engine->event->token);

	return service && service->token != engine->event->token ? step_takeover(engine, service)
								 : 0;
}

static int on_notify(struct engine *engine)
{
	struct service *service = engine_find(engine, engine->event->service);

	return service ? notify_step(engine, service) : 0;
}

static int on_ready(struct engine *engine)
{
	const struct event *event = engine->event;
	struct service *service = engine_find(engine, event->service);

	if (!service || !service->private->run_open ||
		!id128_equal(event->run_id, service->run.id) ||
		ready_by(service->unit) != READY_BY_DESCRIPTOR)
		return 0;
	return step_service(engine, service, event->type == EVENT_READY ? SE_READY : SE_READY_LOST);
}

static int on_tree(struct engine *engine)
{
	const struct event *event = engine->event;
	struct service *service = engine_find(engine, event->service);

	if (!service || !service->private->run_open || event->id != service->private->tree_id)
		return 0;
	return step_service(engine, service, SE_TREE);
}

static int on_save_failed(struct engine *engine)
{
	struct service *service = engine_find(engine, engine->event->service);
	struct change change;

	if (!service)
		return 0;
	int r = change_begin(engine, service, 0, &change);
	if (r < 0)
		return r;
	job_save_failed(engine, service, engine->event->error);
	change_end(engine, &change);
	return 0;
}

/* --- events about all --- */

/*
 * Every service whose time has come, once: what is due again at once waits for the next event, so
 * that a step has an end whatever a unit says.
 */
static int on_time(struct engine *engine)
{
	for (bool first = true;; first = false) {
		struct heap_node *node = heap_first(&engine->deadlines);
		if (!node || node->key > engine->now_us)
			return 0;
		struct service_private *p =
			(struct service_private *)((char *)node -
						   offsetof(struct service_private, deadline));
		struct service *service = p->name_link.service; /* its way back to the other half */
		if (p->stepped == engine->n_steps)
			return 0;
		int r = step_service(engine, service, SE_TIME);
		if (r < 0)
			return first ? r : 0; /* the rest stays due */
	}
}

static int on_client_gone(struct engine *engine)
{
	waiters_client_gone(engine, engine->event->client);
	return 0;
}

/* We were away for late_us: nobody who is healthy may pay for it. */
static void stretch(struct engine *engine, struct service *service, uint64_t late_us)
{
	struct service_private *p = service->private;

	if (p->timeout_us > 0 && late_us < UINT64_MAX / 2)
		p->timeout_us += late_us;
	if (p->watchdog_us > 0 && service_is_up(service) && service->sub != SUB_EXITED)
		p->watchdog_at_us = deadline_after(engine->now_us, p->watchdog_us);
}

static int on_late(struct engine *engine)
{
	int r = effects_reserve(engine->effects, 1 + 64 * engine->n_busy + 2 * engine->n_waiters);
	if (r < 0)
		return r;
	effect_log(engine, LOG_LATE, NULL);
	for (struct service *s = engine->services; s; s = s->private->next) {
		struct change change;
		if (!s->private->busy || change_begin(engine, s, 0, &change) < 0)
			continue;
		stretch(engine, s, engine->event->late_us);
		change_end(engine, &change);
	}
	return 0;
}

/* Its last writing, or removal, may be what the predecessor did not come to. */
static void restore_pid_file(struct engine *engine, struct service *service)
{
	if (unit_has(service_run_unit(service), UNIT_X_PID_FILE) && !id128_is_null(service->run.id))
		effect_add(engine, EFFECT_PID_FILE, service)->pid = service->main_pid;
}

static int on_restored(struct engine *engine)
{
	const struct event *event = engine->event;
	bool shutdown = false;

	int r = effects_reserve(
		engine->effects, 2 + 128 * (engine->n_services + 1) + 2 * engine->n_waiters);
	if (r < 0)
		return r;
	if (engine->n_services > 0)
		effect_log(engine, LOG_RESTORED, NULL);
	for (struct service *s = engine->services; s; s = s->private->next) {
		struct change change;
		if (change_begin(engine, s, 0, &change) < 0)
			continue;
		shutdown = shutdown || (s->private->shutdown && event->n_restores > 0);
		if (event->n_restores == 0)
			s->private->shutdown = false;
		stretch(engine, s, event->late_us);
		takeover_restored(engine, s);
		restore_pid_file(engine, s);
		state_step(engine, s, SE_RESTORED);
		change_end(engine, &change);
	}
	return shutdown ? shutdown_begin(engine, NULL, false) : 0;
}

static int on_logger(struct engine *engine)
{
	int r = effects_reserve(engine->effects, 1);
	if (r == 0)
		effect_log(engine, LOG_LOGGER, NULL)->text =
			effect_text(engine, engine->event->text);
	return r;
}

static int on_shutdown(struct engine *engine)
{
	return shutdown_begin(engine, NULL, false);
}

static int (*const handlers[N_EVENTS])(struct engine *engine) = {
	[EVENT_TIME] = on_time,
	[EVENT_REQUEST] = request_step,
	[EVENT_CLIENT_GONE] = on_client_gone,
	[EVENT_LOADED] = request_loaded,
	[EVENT_SAVE_FAILED] = on_save_failed,
	[EVENT_PROCESS_STARTED] = on_process,
	[EVENT_PROCESS_EXECED] = on_process,
	[EVENT_PROCESS_EXITED] = on_process,
	[EVENT_PROCESS_NOT_SENT] = on_process,
	[EVENT_NOTIFY] = on_notify,
	[EVENT_READY] = on_ready,
	[EVENT_READY_CLOSED] = on_ready,
	[EVENT_TREE] = on_tree,
	[EVENT_WATCHED] = on_watched,
	[EVENT_LATE] = on_late,
	[EVENT_RESTORED] = on_restored,
	[EVENT_LOGGER] = on_logger,
	[EVENT_SHUTDOWN] = on_shutdown,
};

/* Time never goes back for us, whatever order events are handed over in. */
static void take_time(struct engine *engine, const struct event *event)
{
	if (event->now_us > engine->now_us)
		engine->now_us = event->now_us;
	engine->wall_us = event->wall_us;
	/* never all zero, and never the same twice even where a caller has no entropy to give */
	engine->random[0] = event->entropy[0] ^ UINT64_C(0x9e3779b97f4a7c15);
	engine->random[1] =
		event->entropy[1] ^ (engine->next_token << 1 | 1) * UINT64_C(0xd1342543de82ef95);
}

int engine_step(struct engine *engine, const struct event *event, struct effects *effects)
{
	effects->n = 0;
	if ((unsigned)event->type >= N_EVENTS)
		return -EINVAL;
	empty_graveyard(engine);
	engine->event = event;
	engine->effects = effects;
	engine->n_steps++;
	take_time(engine, event);
	int r = handlers[event->type](engine);
	if (r == 0)
		shutdown_check(engine);
	else
		effects->n = 0;
	engine->event = NULL;
	engine->effects = NULL;
	return r;
}

/* --- going on after a crash --- */

static int adopt_tokens(struct engine *engine, struct service *service)
{
	uint64_t token = service->token;
	int32_t pid = service->main_pid;
	const struct takeover *t = service->private->takeover;

	service->token = 0;
	if (token > 0 && engine_find_token(engine, token))
		return -EBADMSG;
	service_set_token(engine, service, token);
	service->main_pid = pid;
	engine_set_next_token(engine, token + 1);
	if (t) {
		engine_set_next_token(engine, t->watch_token + 1);
		engine_set_next_token(engine, t->former_token + 1);
	}
	return takeover_restore(engine, service);
}

/* What a service that came without EVENT_REQUEST needs to be one of the engine's. */
static void enter(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	p->pinned = true;
	p->busy = !service_is_at_rest(service);
	engine->n_busy += p->busy;
	service->deadline_us = service_deadline(service);
	heap_set(&engine->deadlines, &p->deadline, service->deadline_us);
}

int engine_restore(struct engine *engine, const void *record, size_t size, struct unit *unit,
	struct service **ret_service)
{
	uint64_t hash;

	int r = record_peek(record, size, &hash);
	if (r < 0)
		return r;
	if (hash != unit_text_hash(unit) || engine_find(engine, unit_name(unit)) ||
		engine->n_services >= SERVICES_MAX)
		return -EBADMSG;
	struct service *service = service_new(engine, unit);
	if (!service)
		return -ENOMEM;
	r = record_decode(service, record, size);
	if (r == 0)
		r = adopt_tokens(engine, service);
	if (r < 0) {
		service_unlink(engine, service);
		return r;
	}
	struct service_private *p = service->private;
	p->saved = true;
	p->saved_sum = checksum64(0, record, size);
	enter(engine, service);
	if (ret_service)
		*ret_service = service;
	return 0;
}

int engine_adopt(struct engine *engine, struct unit *unit, const struct adoption *adoption,
	struct service **ret_service)
{
	if (engine_find(engine, unit_name(unit)) || engine_find_token(engine, adoption->token) ||
		engine->n_services >= SERVICES_MAX)
		return -EEXIST;
	struct service *service = service_new(engine, unit);
	if (!service)
		return -ENOMEM;
	service->transient = adoption->transient;
	service->wanted_up = true;
	service->wanted_by = "start";
	service->sub = SUB_RUNNING;
	service->sub_since_us = adoption->started_us;
	service->sub_since_wall_us = adoption->started_wall_us;
	service->run = (struct run){.id = adoption->run_id,
		.started_us = adoption->started_us,
		.ready_us = adoption->started_us,
		.started_wall_us = adoption->started_wall_us,
		.main_pid = adoption->pid};
	service->private->run_open = true;
	service_set_token(engine, service, adoption->token);
	service->main_pid = adoption->pid;
	engine_set_next_token(engine, adoption->token + 1);
	enter(engine, service);
	*ret_service = service;
	return 0;
}
