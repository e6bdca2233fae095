/*
 * Effects become system calls: one function each, in a table.
 *
 * Barriers: where PIN or SAVE of a service fails, its later effects of the same step are skipped,
 * and EVENT_SAVE_FAILED tells the engine. (Room for a record is allocated once, before the first
 * save of a service, so that only a new service can be refused.)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "core/record.h"
#include "os/spec.h"
#include "supervisor/adopt.h"
#include "supervisor/control.h"
#include "supervisor/driver.h"
#include "supervisor/launch.h"
#include "supervisor/link.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "supervisor/pins.h"
#include "supervisor/remove.h"
#include "supervisor/sentence.h"
#include "supervisor/tree.h"
#include "supervisor/watch.h"

_Static_assert(RECORD_SIZE_MAX <= STORE_RECORD_MAX, "a record fits into a slot's half");

static void queue(struct driver *driver, const struct event *event)
{
	if (driver_queue(driver, event) < 0)
		driver_warn("out of memory: an outcome is told late");
}

/* --- barriers --- */

static void save_failed(struct driver *driver, const struct effect *effect, int error)
{
	struct attachment *attachment = effect->service->slot;
	struct event event = {
		.type = EVENT_SAVE_FAILED, .service = effect->service->name, .error = error};

	if (attachment)
		attachment->cancelled = true;
	queue(driver, &event);
}

static int pin(struct driver *driver, const struct effect *effect)
{
	return pins_write(driver, effect->service);
}

static int save(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;
	uint64_t hash = unit_text_hash(effect->service->unit);
	uint8_t record[RECORD_SIZE_MAX];

	if (attachment->store_slot < 0) {
		int slot = store_slot_new(driver->store);
		if (slot < 0)
			return slot;
		attachment->store_slot = slot;
	}
	size_t size = record_encode(effect->service, record);
	/* The counter first: a record never names a token that a successor might give again. */
	store_set_word(driver->store, STORE_NEXT_TOKEN, engine_next_token(driver->engine));
	store_save(driver->store, attachment->store_slot, record, size);
	pins_remove_old(driver, effect->service, attachment->pinned_hash);
	attachment->pinned_hash = hash;
	return 0;
}

static void apply_barrier(struct driver *driver, const struct effect *effect)
{
	int r = effect->type == EFFECT_PIN ? pin(driver, effect) : save(driver, effect);

	if (r < 0)
		save_failed(driver, effect, r);
}

/* --- the rest --- */

static void apply_load(struct driver *driver, const struct effect *effect)
{
	struct error error = {0};
	struct event event = {.type = EVENT_LOADED, .service = effect->name};

	event.error = pins_load(driver, effect->name, &event.unit, &error);
	event.text = event.error < 0 ? error.text : NULL;
	queue(driver, &event);
	unit_unref(event.unit);
}

static void refuse_spawn(
	struct driver *driver, const struct effect *effect, enum child_step step, int error)
{
	struct event event = {.type = EVENT_PROCESS_EXITED,
		.token = effect->token,
		.exit = {.kind = EXIT_KIND_STEP,
			.step = (int)step,
			.error = -error,
			.code = child_step_exit_status(step)}};

	queue(driver, &event);
}

static void apply_spawn(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;
	enum child_step step = STEP_STDOUT;
	int r = attachment->begin_error;

	if (r == 0)
		r = launch(driver, effect, &step);
	if (r < 0)
		refuse_spawn(driver, effect, step, r);
}

static void apply_ack(struct driver *driver, const struct effect *effect)
{
	link_token(driver, CHANNEL_ACK, effect->token, 0);
}

static void apply_signal(struct driver *driver, const struct effect *effect)
{
	if (!effect->service || !adopt_signal(effect->service->slot, effect->token, effect->signo))
		link_token(driver, CHANNEL_SIGNAL, effect->token, (uint64_t)effect->signo);
}

/* Without its FIFO a run is not begun: the spawn that follows is refused with the same error. */
static void apply_run_begin(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;

	attachment->begin_error = logger_run_begin(driver, effect->service);
}

static void apply_run_end(struct driver *driver, const struct effect *effect)
{
	struct tree_id tree = attachment_tree_id(effect->service);

	tree.run_id = effect->run_id;
	tree_forget(driver, effect->service->slot);
	watch_ready_end(driver, effect->service->slot);
	tree_release(driver->trees, &tree);
	logger_run_end(driver, effect->service->name, effect->run_id);
}

static void apply_pid_file(struct driver *driver, const struct effect *effect)
{
	launch_pid_file(driver, effect->service, effect->pid);
}

static void apply_log(struct driver *driver, const struct effect *effect)
{
	_cleanup_(buf_done) struct buf text = {0};

	sentence_append(&text, effect);
	eventlog_write(driver, effect->service ? effect->service->name : NULL,
		log_type_name(effect->log), text.size > 0 ? text.data : NULL);
}

static void apply_remove(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;

	if (attachment && attachment->store_slot >= 0)
		store_slot_free(driver->store, attachment->store_slot);
	pins_remove(driver, effect->service);
	logger_forget(driver, effect->service->name);
	if (effect->remove_logs)
		remove_logs(driver, effect->service->name);
	attachment_free(driver, effect->service);
}

/* The logger has moved what was left: nothing is to be done any more but to be ended by init. */
static void say_exit(struct driver *driver, void *data)
{
	driver->said_exit = true;
	driver->trees = trees_free(driver->trees);
	control_close(driver);
	notify_close(driver);
	link_token(driver, CHANNEL_EXIT, 0, driver->exit_leave);
}

static void apply_exit(struct driver *driver, const struct effect *effect)
{
	driver->exit_leave = effect->leave;
	if (logger_flush(driver, "", say_exit, driver) < 0)
		say_exit(driver, NULL);
}

typedef void (*apply_function)(struct driver *driver, const struct effect *effect);

static const apply_function functions[N_EFFECTS] = {
	[EFFECT_PIN] = apply_barrier,
	[EFFECT_SAVE] = apply_barrier,
	[EFFECT_LOAD] = apply_load,
	[EFFECT_SPAWN] = apply_spawn,
	[EFFECT_ACK] = apply_ack,
	[EFFECT_SIGNAL] = apply_signal,
	[EFFECT_WATCH] = adopt_ask,
	[EFFECT_TREE_CHECK] = tree_check,
	[EFFECT_TREE_SIGNAL] = tree_send,
	[EFFECT_TREE_KILL] = tree_kill,
	[EFFECT_RUN_BEGIN] = apply_run_begin,
	[EFFECT_RUN_END] = apply_run_end,
	[EFFECT_PID_FILE] = apply_pid_file,
	[EFFECT_REPLY] = control_reply,
	[EFFECT_PROGRESS] = control_progress,
	[EFFECT_LOG] = apply_log,
	[EFFECT_REMOVE] = apply_remove,
	[EFFECT_EXIT] = apply_exit,
};

static bool is_cancelled(struct driver *driver, const struct effect *effect)
{
	if (!effect->service || effect->type == EFFECT_REPLY || effect->type == EFFECT_PROGRESS ||
		effect->type == EFFECT_LOG)
		return false;
	const struct attachment *attachment = attachment_get(driver, effect->service);
	if (!attachment) {
		/* The effects would be lost; a successor goes on from the record before this step.
		 */
		driver_warn("out of memory: starting anew from the records");
		_exit(1);
	}
	return attachment->cancelled;
}

void effects_apply(struct driver *driver)
{
	struct effects *effects = &driver->effects;

	for (size_t i = 0; i < effects->n; i++) {
		const struct effect *effect = &effects->items[i];
		if (!is_cancelled(driver, effect))
			functions[effect->type](driver, effect);
	}
	/* The marks are for this step only; a removed service's attachment is gone. */
	for (size_t i = 0; i < effects->n; i++) {
		struct service *service = effects->items[i].service;
		if (service && service->slot)
			((struct attachment *)service->slot)->cancelled = false;
	}
}
