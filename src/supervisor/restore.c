/*
 * Records say what the predecessor had decided, rows what init has done. Compared:
 *
 *	record and row, running     STARTED (and EXECED, asked from /proc)
 *	record and row, exited      EXITED, as if just now, with its true status
 *	record without a row        NOT_SENT: the wish never reached init; in token order
 *	row without a record        running: adopted by its name; exited: acknowledged (link.c)
 *
 * Records of an older epoch belong to an init that is gone: their tokens mean nothing to this one.
 * A process that still lives is adopted (adopt.c), of one that does not the end is unknown.
 */
#include "supervisor/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "core/record.h"
#include "os/clock.h"
#include "supervisor/adopt.h"
#include "supervisor/link.h"
#include "supervisor/logger.h"
#include "supervisor/pins.h"
#include "supervisor/tree.h"
#include "supervisor/watch.h"

static int restore_slot(struct driver *driver, int slot, const void *record, size_t size)
{
	struct unit *unit __attribute__((cleanup(unit_unrefp))) = NULL;
	struct service *service = NULL;
	uint64_t hash;

	int r = record_peek(record, size, &hash);
	if (r == 0)
		r = pins_restore(driver, hash, &unit);
	if (r == 0)
		r = engine_restore(driver->engine, record, size, unit, &service);
	struct attachment *attachment = r == 0 ? attachment_get(driver, service) : NULL;
	if (r == 0 && !attachment)
		r = -ENOMEM;
	if (r < 0)
		return r;
	attachment->store_slot = slot;
	attachment->pinned_hash = hash;
	return 0;
}

/*
 * A record that cannot be understood is dropped: its service is found again by its row. For want of
 * memory or descriptors nothing is dropped: the next supervisor tries again.
 */
static int restore_records(struct driver *driver)
{
	for (int slot = 0; slot < store_n_slots(driver->store); slot++) {
		const void *record;
		int size = store_load(driver->store, slot, &record);
		if (size == 0)
			continue;
		int r = size < 0 ? size : restore_slot(driver, slot, record, (size_t)size);
		if (r == 0)
			continue;
		if (r != -EBADMSG && r != -ENOENT)
			return r;
		driver_warn("record %d cannot be read (%s) and is dropped", slot, strerror(-r));
		store_slot_free(driver->store, slot);
	}
	return 0;
}

/* A running row that no record names: its service is made from the pinned text and the row. */
static void adopt_row(struct driver *driver, const struct table_row *row)
{
	struct unit *unit __attribute__((cleanup(unit_unrefp))) = NULL;
	struct service *service = NULL;
	struct adoption adoption = {.token = row->token,
		.pid = row->pid,
		.run_id = row->run_id,
		.started_us = row->started_us,
		.started_wall_us = clock_wall_us() - clock_monotonic_us() + row->started_us};

	if (engine_find_token(driver->engine, row->token) ||
		engine_find(driver->engine, row->unit_name))
		return;
	int r = pins_restore_name(driver, row->unit_name, &unit, &adoption.transient);
	if (r == 0)
		r = engine_adopt(driver->engine, unit, &adoption, &service);
	if (r == 0 && !attachment_get(driver, service))
		r = -ENOMEM;
	if (r < 0) {
		driver_warn("pid %d runs as %s, of which nothing else is known: %s", (int)row->pid,
			row->unit_name, strerror(-r));
		return;
	}
	driver_warn(
		"%s was found running, pid %d, without a record", row->unit_name, (int)row->pid);
}

static void adopt_rows(struct driver *driver)
{
	uint32_t n = atomic_load_explicit(&driver->table.header->rows_used, memory_order_acquire);

	for (uint32_t i = 0; i < n; i++) {
		const struct table_row *row = &driver->table.rows[i];
		uint32_t state = atomic_load_explicit(&row->state, memory_order_acquire);
		if (state == ROW_RUNNING || state == ROW_STARTING)
			adopt_row(driver, row);
	}
}

static uint64_t highest_token(struct driver *driver)
{
	uint64_t next = store_word(driver->store, STORE_NEXT_TOKEN);
	uint64_t last = atomic_load(&driver->table.header->last_token);

	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		if (s->token >= next)
			next = s->token + 1;
	}
	return next > last ? next : last + 1;
}

/* --- comparing --- */

static int compare_token(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The tokens that records name, sorted: spawns are sent again in that order. */
static int recorded_tokens(struct driver *driver, uint64_t **ret_tokens, size_t *ret_n)
{
	size_t n = 0;

	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s))
		n += s->token != 0;
	uint64_t *tokens = calloc(n + 1, sizeof(*tokens));
	if (!tokens)
		return -ENOMEM;
	n = 0;
	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		if (s->token != 0)
			tokens[n++] = s->token;
	}
	qsort(tokens, n, sizeof(*tokens), compare_token);
	*ret_tokens = tokens;
	*ret_n = n;
	return 0;
}

static void watch_again(struct driver *driver, uint64_t token)
{
	struct service *service = engine_find_token(driver->engine, token);
	int ready_fd = service ? table_find_kept(&driver->table, KEPT_READY, service->run.id) : -1;

	if (!service || !service->slot)
		return;
	if (service->sub == SUB_START) /* nobody else waits for an exec */
		watch_exec(driver, service->slot, token, -1);
	if (ready_fd >= 0)
		watch_ready(driver, service->slot, ready_fd);
}

/* Tokens from this one on were given since the present init runs. */
static bool is_of_this_epoch(const struct driver *driver, uint64_t token)
{
	return token >= store_word(driver->store, STORE_EPOCH_FIRST_TOKEN);
}

static void compare(struct driver *driver, uint64_t token)
{
	/* Tokens are never used twice, so a row is of this one whatever the epoch. */
	const struct table_row *row = table_find(&driver->table, token);
	struct event event = {
		.type = EVENT_PROCESS_EXITED, .token = token, .exit.kind = EXIT_KIND_UNKNOWN};

	if (row) {
		watch_again(driver, token);
		link_look(driver, token);
		return;
	}
	struct service *service = engine_find_token(driver->engine, token);
	bool had_pid = service && service->token == token && service->main_pid > 0;
	/* It had a pid, so it was sent: its init is gone, or it was watched from here. */
	if (had_pid && adopt(driver, service))
		return;
	if (!had_pid && is_of_this_epoch(driver, token))
		event.type = EVENT_PROCESS_NOT_SENT;
	driver_feed(driver, &event);
}

/*
 * Is this another init than the records know? Then nothing of the old epoch counts. The words that
 * say so come last: killed before, the next supervisor comes to the same end.
 */
static void take_epoch(struct driver *driver)
{
	uint64_t present[2];

	memcpy(present, driver->table.header->epoch.bytes, sizeof(present));
	if (store_word(driver->store, STORE_EPOCH_HIGH) == present[0] &&
		store_word(driver->store, STORE_EPOCH_LOW) == present[1])
		return;
	store_set_word(driver->store, STORE_N_RESTORES, 0);
	store_set_word(driver->store, STORE_SHUTDOWN, 0);
	store_set_word(driver->store, STORE_EPOCH_FIRST_TOKEN, engine_next_token(driver->engine));
	store_set_word(driver->store, STORE_NEXT_TOKEN, engine_next_token(driver->engine));
	store_set_word(driver->store, STORE_EPOCH_HIGH, present[0]);
	store_set_word(driver->store, STORE_EPOCH_LOW, present[1]);
}

static void tell_restored(struct driver *driver)
{
	uint64_t heartbeat_us = store_word(driver->store, STORE_HEARTBEAT_US);
	uint64_t now_us = clock_monotonic_us();
	uint64_t n = store_word(driver->store, STORE_N_RESTORES);
	struct event event = {.type = EVENT_RESTORED, .n_restores = (uint32_t)n};

	if (heartbeat_us > 0 && heartbeat_us < now_us)
		event.late_us = now_us - heartbeat_us;
	driver_feed(driver, &event);
	store_set_word(driver->store, STORE_N_RESTORES, n + 1);
}

/* What the predecessor had begun, or init has noted meanwhile. */
static void go_on_ending(struct driver *driver)
{
	uint64_t how = store_word(driver->store, STORE_SHUTDOWN);
	struct event event = {
		.type = EVENT_REQUEST, .request = {.verb = VERB_SHUTDOWN, .leave = how == 2}};

	if (how != 0)
		driver_feed(driver, &event);
	link_shutdown_wanted(driver);
}

/* --- what the end of a run did not reach --- */

static bool is_open_run(const struct driver *driver, struct id128 run_id)
{
	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		if (id128_equal(s->run.id, run_id) && s->run.ended_us == 0)
			return true;
	}
	return false;
}

static void drop_kept(struct driver *driver)
{
	uint32_t n = atomic_load_explicit(&driver->table.header->kept_used, memory_order_acquire);

	for (uint32_t i = 0; i < n; i++) {
		const struct table_kept *kept = &driver->table.kept[i];
		uint32_t kind = atomic_load_explicit(&kept->kind, memory_order_acquire);
		bool over = (kind == KEPT_READY && !is_open_run(driver, kept->id)) ||
			    (kind == KEPT_FIFO && !logger_needs(driver, kept->id));
		if (!over)
			continue;
		if (kind == KEPT_READY)
			close(kept->fd);
		link_drop(driver, (enum kept_kind)kind, kept->id);
	}
}

int restore(struct driver *driver)
{
	_cleanup_(freep) uint64_t *tokens = NULL;
	size_t n_tokens = 0;

	int r = pins_restore_begin(driver);
	if (r < 0)
		return r;
	r = restore_records(driver);
	if (r < 0)
		return r;
	adopt_rows(driver);
	pins_restore_end(driver);
	engine_set_next_token(driver->engine, highest_token(driver));
	take_epoch(driver);
	r = recorded_tokens(driver, &tokens, &n_tokens);
	if (r < 0)
		return r;
	/* Before anything is started: init has carried out all that was sent, so what is empty is
	 * over. */
	trees_sweep(driver->trees);
	logger_end_strangers(driver);
	for (size_t i = 0; i < n_tokens; i++)
		compare(driver, tokens[i]);
	link_look_at_all(driver);
	logger_is_new(driver);
	tell_restored(driver);
	drop_kept(driver);
	go_on_ending(driver);
	return 0;
}
