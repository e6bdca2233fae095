/*
 * The supervisor's driver, as DESIGN tells it, with a death before any effect. Its order: table,
 * notify and readiness, tree, control, deadlines.
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>

#include "base/checksum.h"

#define KILL_BOUND (5 * SECOND)

static const char *const event_names[N_EVENTS] = {"time", "request", "client-gone", "loaded",
	"save-failed", "started", "execed", "exited", "not-sent", "notify", "ready", "ready-closed",
	"tree", "watched", "late", "restored", "logger", "shutdown"};
/* --- events --- */

/* What all services are, in a number. */
static uint64_t sum_of_all(const struct sim *sim)
{
	uint8_t record[RECORD_SIZE_MAX];
	uint64_t sum = engine_next_token(sim->engine);

	for (struct service *s = engine_next(sim->engine, NULL); s; s = engine_next(sim->engine, s))
		sum = checksum64(sum, record, record_encode(s, record));
	return sum;
}

/* Now and then there is no memory: then nothing may have changed, and the same event goes again. */
static void step(struct sim *sim, const struct event *event)
{
	uint64_t before = 0;

	if (sim_chance(sim, 10)) {
		before = sum_of_all(sim);
		memory_fail_after((int)sim_random(sim, 3));
	}
	int r = engine_step(sim->engine, event, &sim->effects);
	memory_fail_after(-1);
	if (r != -ENOMEM) {
		if (r < 0)
			sim_fail(sim, "engine_step failed");
		return;
	}
	sim->n_refused++;
	if (sum_of_all(sim) != before || sim->effects.n > 0)
		sim_fail(sim, "a step without memory has changed something");
	if (engine_step(sim->engine, event, &sim->effects) < 0)
		sim_fail(sim, "engine_step failed");
}

bool driver_handle(struct sim *sim, struct event *event)
{
	if (sim->failed || sim->exited)
		return true;
	if (sim->faults && sim_random(sim, 400) == 0)
		return false; /* died between receiving and stepping */
	event->now_us = sim->now_us;
	event->wall_us = sim->now_us + 1000 * SECOND;
	event->entropy[0] = sim_random(sim, UINT64_MAX);
	event->entropy[1] = sim_random(sim, UINT64_MAX);
	sim->n_events++;
	sim_log(sim, "%llu.%06llu %s %s token %llu n %u id %llu",
		(unsigned long long)(sim->now_us / SECOND),
		(unsigned long long)(sim->now_us % SECOND), event_names[event->type],
		event->service		   ? event->service
		: event->request.unit_name ? event->request.unit_name
					   : "",
		(unsigned long long)event->token, event->n_processes,
		(unsigned long long)event->id);
	step(sim, event);
	bool lives = effects_carry_out(sim);
	if (lives)
		check_step(sim);
	return lives;
}

static bool tell_row(struct sim *sim, struct row *row)
{
	struct event event = {.token = row->token, .pid = row->pid, .exit = row->exit};

	if (row->state == ROW_EXITED && !row->told_exited) {
		row->told_exited = true;
		event.type = EVENT_PROCESS_EXITED;
		return driver_handle(sim, &event);
	}
	if (row->state != ROW_RUNNING)
		return true;
	if (!row->told_started) {
		row->told_started = true;
		event.type = row->watched ? EVENT_WATCHED : EVENT_PROCESS_STARTED;
		if (!driver_handle(sim, &event))
			return false;
	}
	if (row->execed && !row->told_execed) {
		row->told_execed = true;
		event.type = EVENT_PROCESS_EXECED;
		return driver_handle(sim, &event);
	}
	return true;
}

static bool tell_rows(struct sim *sim)
{
	for (size_t i = 0; i < ROWS_MAX; i++)
		if (sim->rows[i].state != ROW_FREE && !tell_row(sim, &sim->rows[i]))
			return false;
	return true;
}

/* Peeked, applied, recorded, and only then taken out. */
static bool tell_messages(struct sim *sim)
{
	while (sim->n_messages > 0 && !sim->exited && !sim->failed) {
		struct message m = sim->messages[0];
		struct event event = {.type = EVENT_NOTIFY,
			.service = sim->names[m.name],
			.run_id = m.run_id,
			.sender = m.sender,
			.text = m.text};
		if (!driver_handle(sim, &event))
			return false;
		memmove(&sim->messages[0], &sim->messages[1], --sim->n_messages * sizeof(m));
	}
	return true;
}

static bool tell_pipes(struct sim *sim)
{
	for (int i = 0; i < N_NAMES; i++) {
		struct kept *kept = &sim->kept[i];
		if (!kept->pipe_ready && !kept->pipe_closed)
			continue;
		struct event event = {.type = kept->pipe_ready ? EVENT_READY : EVENT_READY_CLOSED,
			.service = sim->names[i],
			.run_id = kept->run_id};
		if (!driver_handle(sim, &event))
			return false;
		if (id128_equal(event.run_id, kept->run_id))
			kept->pipe_ready = kept->pipe_closed = false;
	}
	return true;
}

static void kill_round(struct sim *sim, int name, const struct question *q)
{
	effects_signal_tree(sim, name, q->run_id, false, SIGKILL);
}

/* An answer at once, and one more when it is empty or cannot be emptied. */
static bool answer(struct sim *sim, int name)
{
	struct question *q = &sim->questions[name];

	if (!q->open)
		return true;
	if (q->kill)
		kill_round(sim, name, q);
	uint32_t n = world_count(sim, name, q->run_id);
	bool late = q->kill && n > 0 && sim->now_us - q->since_us > KILL_BOUND;
	if (q->answered && n > 0 && !late)
		return true;
	struct event event = {.type = EVENT_TREE,
		.service = sim->names[name],
		.id = q->id,
		.n_processes = n,
		.unkillable = late,
		.text = late ? "pid 7" : NULL};
	q->answered = true;
	q->kill = q->kill && !late;
	q->open = n > 0;
	return driver_handle(sim, &event);
}

static bool tell_own(struct sim *sim)
{
	while (sim->n_own > 0) {
		struct event event = sim->own[0];
		memmove(&sim->own[0], &sim->own[1], --sim->n_own * sizeof(event));
		if (!driver_handle(sim, &event))
			return false;
	}
	return true;
}

static bool tell_gone(struct sim *sim)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &sim->clients[i];
		if (!c->used || !c->gone)
			continue;
		struct event event = {.type = EVENT_CLIENT_GONE, .client = c->number};
		sim_log(sim, "client %llu goes", (unsigned long long)c->number);
		c->used = false;
		if (!driver_handle(sim, &event))
			return false;
	}
	return true;
}

static bool turn(struct sim *sim)
{
	if (!tell_rows(sim) || !tell_messages(sim) || !tell_pipes(sim))
		return false;
	for (int i = 0; i < N_NAMES; i++)
		if (!answer(sim, i))
			return false;
	if (!tell_own(sim) || !tell_gone(sim))
		return false;
	struct event event = {.type = EVENT_TIME};
	return engine_next_deadline(sim->engine) > sim->now_us || driver_handle(sim, &event);
}

/* The machine was asleep, or we were: seconds have passed without a turn. */
static bool sleep_late(struct sim *sim)
{
	uint64_t late_us = SECOND + sim_random(sim, 3 * SECOND);
	struct event event = {.type = EVENT_LATE, .late_us = late_us};

	sim->now_us += late_us;
	return driver_handle(sim, &event);
}

void driver_sigterm(struct sim *sim)
{
	struct event event = {.type = EVENT_SHUTDOWN};

	sim->shutdown_asked = true;
	if (!driver_handle(sim, &event))
		driver_crash(sim);
}

void driver_turn(struct sim *sim)
{
	if (sim_chance(sim, 1) && !sleep_late(sim))
		driver_crash(sim);
	if (!turn(sim))
		driver_crash(sim);
}

void client_ask(struct sim *sim, struct client *c)
{
	struct event event = {.type = EVENT_REQUEST};
	struct request *r = &event.request;

	*r = (struct request){.client = c->number,
		.id = c->id,
		.verb = c->verb,
		.unit_name = c->verb == VERB_SHUTDOWN ? NULL : sim->names[c->name],
		.unit = c->variant > 0 ? sim->units[c->name][c->variant] : NULL,
		.transient = c->variant > 0,
		.replace = c->replace,
		.whole_tree = c->whole_tree,
		.settle_us = c->settle_us};
	sim_log(sim, "client %llu: %s variant %d replace %d", (unsigned long long)c->number,
		verb_name(c->verb), c->variant, c->replace);
	if (c->verb == VERB_SHUTDOWN)
		sim->shutdown_asked = true;
	if (!driver_handle(sim, &event))
		driver_crash(sim);
}

/* --- a successor --- */

static bool compare(struct sim *sim)
{
	for (size_t i = 0; i < ROWS_MAX; i++) {
		struct row *row = &sim->rows[i];
		row->told_started = row->told_execed = row->told_exited = false;
		if (row->state == ROW_RUNNING && !engine_find_token(sim->engine, row->token) &&
			!check_may_leave(sim, row->name))
			sim_fail(sim, "token %llu runs and no record names it",
				(unsigned long long)row->token);
	}
	if (!tell_rows(sim))
		return false;
	uint64_t last_token = sim->last_token;
	for (struct service *s = engine_next(sim->engine, NULL); s;
		s = engine_next(sim->engine, s)) {
		if (s->token == 0 || world_row(sim, s->token))
			continue;
		/* Not sent, and a later one was: fine. Sent, and its row is gone: a second copy
		 * would come. */
		if (s->token <= last_token && sim->sent[s->token % TOKENS_KEPT])
			sim_fail(sim, "%s: token %llu was used and acknowledged", s->name,
				(unsigned long long)s->token);
		struct event event = {.type = EVENT_PROCESS_NOT_SENT, .token = s->token};
		if (!driver_handle(sim, &event))
			return false;
	}
	struct event event = {
		.type = EVENT_RESTORED, .late_us = 3 * MS, .n_restores = sim->n_restores};
	return driver_handle(sim, &event);
}

/* The text that the record names, when it is on disk. */
static struct unit *pinned_unit(struct sim *sim, int name)
{
	const struct kept *k = &sim->kept[name];
	uint64_t hash = 0;

	if (record_peek(k->record, k->record_size, &hash) < 0)
		return NULL;
	for (int i = 0; i < N_VARIANTS; i++)
		if (k->pinned[i] && unit_text_hash(sim->units[name][i]) == hash)
			return sim->units[name][i];
	return NULL;
}

void driver_start(struct sim *sim)
{
	if (engine_new(&sim->engine) < 0)
		sim_fail(sim, "no memory");
	engine_set_next_token(sim->engine, sim->saved_next_token);
	engine_set_next_token(sim->engine, sim->last_token + 1);
	memset(sim->questions, 0, sizeof(sim->questions));
	sim->n_own = 0;
	for (int i = 0; i < N_NAMES && !sim->failed; i++) {
		struct kept *k = &sim->kept[i];
		if (k->record_size == 0)
			continue;
		struct unit *unit = pinned_unit(sim, i);
		if (!unit || engine_restore(sim->engine, k->record, k->record_size, unit, NULL) < 0)
			sim_fail(sim, "%s cannot be restored", sim->names[i]);
	}
}

void driver_stop(struct sim *sim)
{
	sim->engine = engine_free(sim->engine);
}

void driver_crash(struct sim *sim)
{
	do {
		if (sim->failed)
			return;
		sim->n_crashes++;
		sim->n_restores++;
		sim_log(sim, "--- the supervisor dies ---");
		driver_stop(sim);
		driver_start(sim);
	} while (!sim->failed && !compare(sim));
	clients_reconnect(sim);
}
