/*
 * Who waits for what, and what was answered.
 *
 * A request that changes something is remembered with its verdict in the service's record: a client
 * that lost its connection asks again with the same id, and is answered instead of obeyed twice.
 */
#include "core/private.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct waiter *waiter_new(struct engine *engine, const struct request *request)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return NULL;
	waiter->client = request->client;
	waiter->id = request->id;
	waiter->verb = request->verb;
	waiter->settle_us = request->settle_us;
	DL_APPEND2(engine->waiters, waiter, all_prev, all_next);
	engine->n_waiters++;
	return waiter;
}

void waiter_free(struct engine *engine, struct waiter *waiter)
{
	DL_DELETE2(engine->waiters, waiter, all_prev, all_next);
	engine->n_waiters--;
	free(waiter);
}

void waiter_attach(struct service *service, struct waiter *waiter, enum lane lane)
{
	struct waiter **end = &service->private->waiters;

	while (*end)
		end = &(*end)->next;
	*end = waiter;
	waiter->next = NULL;
	waiter->service = service;
	waiter->lane = lane;
	service->private->n_waiters++;
}

void waiter_answer(struct engine *engine, struct service *service, struct waiter *waiter,
	enum verdict verdict, int error, const char *text)
{
	if (service && waiter->verb != VERB_WAIT)
		remembered_add(service, waiter, verdict);
	if (waiter->client > 0)
		effect_reply(engine, service, waiter, verdict, error, text);
	waiter_free(engine, waiter);
}

struct waiter *waiter_find_id(struct waiter *list, struct id128 id)
{
	while (list && (id128_is_null(id) || !id128_equal(list->id, id)))
		list = list->next;
	return list;
}

static void detach(struct service *service, struct waiter *waiter)
{
	struct waiter **place = &service->private->waiters;

	while (*place != waiter)
		place = &(*place)->next;
	*place = waiter->next;
	service->private->n_waiters--;
}

/* Its jobs go on. Who waits for a load or a shutdown stays as nobody: the wish was heard. */
void waiters_client_gone(struct engine *engine, uint64_t client)
{
	struct waiter *waiter, *next;

	for (waiter = engine->waiters; waiter; waiter = next) {
		next = waiter->all_next;
		if (waiter->client != client)
			continue;
		if (!waiter->service) {
			waiter->client = 0;
			continue;
		}
		detach(waiter->service, waiter);
		waiter_free(engine, waiter);
	}
}

void job_finish(struct engine *engine, struct service *service, enum lane lane,
	enum verdict verdict, int error)
{
	struct service_private *p = service->private;

	for (unsigned i = 0; i < p->n_requests; i++)
		if (p->requests[i].lane == lane && p->requests[i].verdict == VERDICT_NONE)
			p->requests[i].verdict = (uint8_t)verdict;
	if (lane == LANE_JOB)
		p->job = JOB_NONE;
	if (lane == LANE_QUEUE)
		p->queued = false;
	for (struct waiter **place = &p->waiters; *place;) {
		struct waiter *waiter = *place;
		if (waiter->lane != lane) {
			place = &waiter->next;
			continue;
		}
		*place = waiter->next;
		p->n_waiters--;
		if (waiter->client > 0)
			effect_reply(engine, service, waiter, verdict, error, NULL);
		waiter_free(engine, waiter);
	}
}

struct remembered *remembered_find(struct service *service, struct id128 id)
{
	struct service_private *p = service->private;

	if (id128_is_null(id))
		return NULL;
	for (unsigned i = 0; i < p->n_requests; i++)
		if (id128_equal(p->requests[i].id, id))
			return &p->requests[i];
	return NULL;
}

/* The place to give up: beyond the last when there is room, else the oldest answered, else the
 * oldest. */
static unsigned victim(const struct service_private *p)
{
	if (p->n_requests < SERVICE_REQUESTS_KEPT)
		return p->n_requests;
	for (unsigned i = SERVICE_REQUESTS_KEPT; i-- > 0;)
		if (p->requests[i].verdict != VERDICT_NONE)
			return i;
	return SERVICE_REQUESTS_KEPT - 1;
}

void remembered_add(struct service *service, const struct waiter *waiter, enum verdict verdict)
{
	struct service_private *p = service->private;

	if (id128_is_null(waiter->id) || remembered_find(service, waiter->id))
		return;
	unsigned i = victim(p);
	memmove(&p->requests[1], &p->requests[0], i * sizeof(p->requests[0]));
	p->requests[0] = (struct remembered){
		.id = waiter->id,
		.verb = (uint8_t)waiter->verb,
		.verdict = (uint8_t)verdict,
		.lane = (uint8_t)waiter->lane,
	};
	if (i == p->n_requests)
		p->n_requests++;
}
