/*
 * A service's making and the small questions about it. Service and hidden half are one allocation:
 * an idle service costs that, its unit, and a slot in the heap and the two indexes.
 */
#include "core/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/span.h"

static const struct {
	const char *name;
	enum service_state state;
} subs[N_SUBS] = {
	[SUB_DEAD] = {"dead", STATE_INACTIVE},
	[SUB_START] = {"start", STATE_ACTIVATING},
	[SUB_RUNNING] = {"running", STATE_ACTIVE},
	[SUB_EXITED] = {"exited", STATE_ACTIVE},
	[SUB_RELOAD] = {"reload", STATE_RELOADING},
	[SUB_STOP_WATCHDOG] = {"stop-watchdog", STATE_DEACTIVATING},
	[SUB_STOP_SIGTERM] = {"stop-sigterm", STATE_DEACTIVATING},
	[SUB_STOP_SIGKILL] = {"stop-sigkill", STATE_DEACTIVATING},
	[SUB_AUTO_RESTART] = {"auto-restart", STATE_ACTIVATING},
	[SUB_FAILED] = {"failed", STATE_FAILED},
};

static const char *const state_names[] = {
	[STATE_INACTIVE] = "inactive",
	[STATE_ACTIVATING] = "activating",
	[STATE_ACTIVE] = "active",
	[STATE_RELOADING] = "reloading",
	[STATE_DEACTIVATING] = "deactivating",
	[STATE_FAILED] = "failed",
};

static const char *const result_names[N_RESULTS] = {
	[RESULT_SUCCESS] = "success",
	[RESULT_PROTOCOL] = "protocol",
	[RESULT_TIMEOUT] = "timeout",
	[RESULT_EXIT_CODE] = "exit-code",
	[RESULT_SIGNAL] = "signal",
	[RESULT_CORE_DUMP] = "core-dump",
	[RESULT_WATCHDOG] = "watchdog",
	[RESULT_START_LIMIT] = "start-limit-hit",
	[RESULT_RESOURCES] = "resources",
	[RESULT_OOM_KILL] = "oom-kill",
	[RESULT_UNKILLABLE] = "unkillable",
};

enum service_state service_state(const struct service *service)
{
	return subs[service->sub].state;
}

const char *service_state_name(enum service_state state)
{
	return (unsigned)state <= STATE_FAILED ? state_names[state] : "unknown";
}

const char *service_sub_name(enum service_sub sub)
{
	return (unsigned)sub < N_SUBS ? subs[sub].name : "unknown";
}

const char *service_result_name(enum service_result result)
{
	return (unsigned)result < N_RESULTS ? result_names[result] : "unknown";
}

bool service_is_up(const struct service *service)
{
	return service_state(service) == STATE_ACTIVE || service_state(service) == STATE_RELOADING;
}

bool service_is_stopping(const struct service *service)
{
	return service_state(service) == STATE_DEACTIVATING;
}

bool service_is_at_rest(const struct service *service)
{
	return (service->sub == SUB_DEAD || service->sub == SUB_FAILED) &&
	       !service->private->queued;
}

const struct unit *service_run_unit(const struct service *service)
{
	return service->private->unit_run ? service->private->unit_run : service->unit;
}

struct block {
	struct service service;
	struct service_private private;
};

uint64_t service_name_key(const char *name)
{
	return checksum64(0, name, strlen(name));
}

/* Room first, then the links, which cannot fail; the heap takes its node for good. */
static int make_room(struct engine *engine, struct service *service)
{
	int r = index_reserve(&engine->by_name, engine->n_services + 1);
	if (r == 0)
		r = index_reserve(&engine->by_token, engine->n_services + 1);
	if (r == 0)
		r = heap_set(&engine->deadlines, &service->private->deadline, ENGINE_NO_DEADLINE);
	return r;
}

static void link_service(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	index_add(&engine->by_name, &p->name_link, service_name_key(service->name), service);
	p->prev = engine->last_service;
	if (p->prev)
		p->prev->private->next = service;
	else
		engine->services = service;
	engine->last_service = service;
	engine->n_services++;
}

struct service *service_new(struct engine *engine, struct unit *unit)
{
	struct block *block = calloc(1, sizeof(*block));
	if (!block)
		return NULL;
	struct service *service = &block->service;
	service->private = &block->private;
	if (make_room(engine, service) < 0) {
		free(block);
		return NULL;
	}
	service->unit = unit_ref(unit);
	service->name = unit_name(unit);
	service->wanted_by = "";
	service->deadline_us = ENGINE_NO_DEADLINE;
	service->sub_since_us = engine->now_us;
	service->sub_since_wall_us = engine->wall_us;
	link_service(engine, service);
	return service;
}

/* Takes it out of the engine; it is freed at the next step, since effects may point at it. */
void service_unlink(struct engine *engine, struct service *service)
{
	struct service_private *p = service->private;

	service_set_token(engine, service, 0);
	takeover_drop(engine, service);
	index_remove(&engine->by_name, &p->name_link);
	heap_remove(&engine->deadlines, &p->deadline);
	if (p->prev)
		p->prev->private->next = p->next;
	else
		engine->services = p->next;
	if (p->next)
		p->next->private->prev = p->prev;
	else
		engine->last_service = p->prev;
	engine->n_services--;
	while (p->waiters) {
		struct waiter *waiter = p->waiters;
		p->waiters = waiter->next;
		waiter_free(engine, waiter);
	}
	p->next = engine->graveyard;
	engine->graveyard = service;
}

void service_free(struct service *service)
{
	unit_unref(service->private->unit_run);
	unit_unref(service->private->unit_rollback);
	unit_unref(service->unit);
	free(service->history);
	free((struct block *)service);
}

void service_enter(struct engine *engine, struct service *service, enum service_sub sub)
{
	struct service_private *p = service->private;

	service->sub = sub;
	service->sub_since_us = engine->now_us;
	service->sub_since_wall_us = engine->wall_us;
	service->restart_at_us = 0;
	p->timeout_us = 0;
	if (!service_is_up(service)) {
		service->settle_until_us = 0;
		p->runtime_at_us = 0;
		p->watchdog_at_us = 0;
	}
}

void service_set_token(struct engine *engine, struct service *service, uint64_t token)
{
	struct index_link *link = &service->private->token_link;

	index_remove(&engine->by_token, link);
	service->token = token;
	service->main_pid = 0;
	if (token > 0)
		index_add(&engine->by_token, link, token, service);
}

uint64_t service_deadline(const struct service *service)
{
	const struct service_private *p = service->private;
	const uint64_t candidates[] = {p->timeout_us, p->runtime_at_us, p->watchdog_at_us,
		service->settle_until_us, service->restart_at_us};
	uint64_t first = ENGINE_NO_DEADLINE;

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (candidates[i] > 0 && candidates[i] < first)
			first = candidates[i];
	return first;
}

uint64_t deadline_after(uint64_t now_us, uint64_t span_us)
{
	if (span_us == SPAN_INFINITY || span_us > UINT64_MAX - 1 - now_us)
		return 0;
	/* 0 is "never": a deadline at the very first microsecond is the next one. */
	return now_us + span_us > 0 ? now_us + span_us : 1;
}
