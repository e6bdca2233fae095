/*
 * Effects, and the frame around every change of a service.
 *
 * change_begin() reserves room for all the effects one event can have for one service, so that
 * nothing fails in between, and leaves two places in front for PIN and SAVE. Whether the record has
 * changed is not noted by hand in fifty places: change_end() encodes it and compares checksums.
 */
#include "core/private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "core/record.h"

/* What one event can have for one service at most, without replies and progress. */
#define EFFECTS_PER_CHANGE 40
#define EFFECTS_MIN 64
#define N_BARRIERS 2 /* PIN, SAVE */

int effects_reserve(struct effects *effects, size_t n)
{
	if (effects->capacity - effects->n >= n)
		return 0;
	size_t capacity = effects->capacity > 0 ? effects->capacity : EFFECTS_MIN;
	while (capacity - effects->n < n)
		capacity *= 2;
	struct effect *items = realloc(effects->items, capacity * sizeof(*items));
	if (!items)
		return -ENOMEM;
	effects->items = items;
	effects->capacity = capacity;
	return 0;
}

void effects_done(struct effects *effects)
{
	free(effects->items);
	*effects = (struct effects){0};
}

struct effect *effect_add(struct engine *engine, enum effect_type type, struct service *service)
{
	struct effects *effects = engine->effects;

	assert(effects->n < effects->capacity);
	struct effect *effect = &effects->items[effects->n++];
	*effect = (struct effect){.type = type, .service = service};
	return effect;
}

struct effect *effect_log(struct engine *engine, enum log_type log, struct service *service)
{
	struct effect *effect = effect_add(engine, EFFECT_LOG, service);

	effect->log = log;
	return effect;
}

void effect_reply(struct engine *engine, struct service *service, const struct waiter *waiter,
	enum verdict verdict, int error, const char *text)
{
	struct effect *effect = effect_add(engine, EFFECT_REPLY, service);

	effect->client = waiter->client;
	effect->request_id = waiter->id;
	effect->verb = waiter->verb;
	effect->verdict = verdict;
	effect->error = error;
	effect->text = text;
}

const char *effect_text(struct engine *engine, const char *text)
{
	if (!text)
		return NULL;
	size_t size = strnlen(text, TEXT_MAX - 1);
	memcpy(engine->text, text, size);
	engine->text[size] = '\0';
	return engine->text;
}

int change_begin(struct engine *engine, struct service *service, size_t extra, struct change *ret)
{
	struct service_private *p = service->private;
	size_t n = N_BARRIERS + EFFECTS_PER_CHANGE + 2 * p->n_waiters + extra;

	int r = effects_reserve(engine->effects, n);
	if (r < 0)
		return r;
	*ret = (struct change){
		.service = service,
		.first = engine->effects->n,
		.sub = service->sub,
		.main_pid = service->main_pid,
	};
	engine->effects->n += N_BARRIERS;
	/* The barrier of the step before has held, else its failure would have come first. */
	if (p->unconfirmed && engine->event->type != EVENT_SAVE_FAILED) {
		p->unconfirmed = false;
		p->saved = true;
		p->unit_rollback = unit_unref(p->unit_rollback);
	}
	p->stepped = engine->n_steps;
	return 0;
}

static bool record_changed(struct service *service)
{
	uint8_t data[RECORD_SIZE_MAX];
	size_t size = record_encode(service, data);
	uint64_t sum = checksum64(0, data, size);
	struct service_private *p = service->private;

	if (sum == p->saved_sum)
		return false;
	p->saved_sum = sum;
	return true;
}

/* Fills the places in front, or closes the gap they leave. */
static void place_barriers(struct engine *engine, const struct change *change, bool pin, bool save)
{
	struct effects *effects = engine->effects;
	size_t n = (size_t)pin + (size_t)save;
	struct effect *first = &effects->items[change->first];

	memmove(first + n, first + N_BARRIERS,
		(effects->n - change->first - N_BARRIERS) * sizeof(*first));
	effects->n -= N_BARRIERS - n;
	if (pin)
		*first++ = (struct effect){.type = EFFECT_PIN, .service = change->service};
	if (save)
		*first = (struct effect){.type = EFFECT_SAVE, .service = change->service};
}

static void tell_progress(struct engine *engine, struct service *service)
{
	for (const struct waiter *w = service->private->waiters; w; w = w->next)
		if (w->client > 0)
			effect_add(engine, EFFECT_PROGRESS, service)->client = w->client;
}

static void count_busy(struct engine *engine, struct service *service)
{
	bool busy = !service->private->removed && !service_is_at_rest(service);

	if (busy == service->private->busy)
		return;
	service->private->busy = busy;
	engine->n_busy += busy ? 1 : (size_t)-1;
}

void change_end(struct engine *engine, struct change *change)
{
	struct service *service = change->service;
	struct service_private *p = service->private;

	if (service_is_at_rest(service))
		job_finish(engine, service, LANE_REST, VERDICT_DONE, 0);
	if (service->sub != change->sub || service->main_pid != change->main_pid)
		tell_progress(engine, service);
	count_busy(engine, service);
	if (p->removed) {
		place_barriers(engine, change, false, false);
		service_unlink(engine, service);
		return;
	}
	service->deadline_us = service_deadline(service);
	heap_set(&engine->deadlines, &p->deadline, service->deadline_us);
	bool save = record_changed(service);
	p->unconfirmed = p->unconfirmed || p->pin_due || (save && !p->saved);
	place_barriers(engine, change, p->pin_due, save);
	p->pin_due = false;
}
