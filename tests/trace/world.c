/* The engine of a trace and its surroundings. */
#include "trace.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/signame.h"

#define WALL_OFFSET_US UINT64_C(1000000000000000)

void trace_fail(struct trace *t, const char *what, const char *expected, const char *got)
{
	if (t->failed_line > 0)
		return;
	t->failed_line = t->line;
	buf_printf(&t->diagnosis, "# line %d: %s\n#   expected: %s\n#   got:      %s\n", t->line,
		what, expected, got);
}

struct named *trace_find(struct trace *t, const char *name)
{
	for (size_t i = 0; i < t->n_named; i++)
		if (strcmp(t->named[i].name, name) == 0 || strcmp(t->named[i].full, name) == 0)
			return &t->named[i];
	if (t->n_named == NAMED_MAX)
		return NULL;
	struct named *n = &t->named[t->n_named++];
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->full, sizeof(n->full), "%s.service", name);
	return n;
}

/* A block `unit web/2` is another text for web: it is kept under "web/2", its unit is named web. */
struct unit *trace_unit(struct trace *t, struct named *n)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_messages_done) struct unit_messages messages = {0};
	struct error error = {0};
	char full[80];

	if (n->unit)
		return n->unit;
	snprintf(full, sizeof(full), "%.*s.service", (int)strcspn(n->name, "/"), n->name);
	if (unit_builder_new(full, &builder, &error) < 0 ||
		unit_builder_add(builder, "trace", n->text.data, n->text.size, &messages, &error) <
			0 ||
		unit_builder_finish(builder, &n->unit, &messages, &error) < 0)
		trace_fail(t, "the unit block", "a unit", error.text);
	return n->unit;
}

void trace_new_engine(struct trace *t)
{
	engine_free(t->engine);
	t->engine = NULL;
	if (engine_new(&t->engine) < 0)
		abort();
}

void trace_clear(struct trace *t)
{
	for (size_t i = 0; i < t->n_named; i++) {
		buf_done(&t->named[i].text);
		unit_unref(t->named[i].unit);
		unit_unref(t->named[i].pinned);
	}
	engine_free(t->engine);
	effects_done(&t->effects);
	buf_done(&t->got);
	buf_done(&t->diagnosis);
	*t = (struct trace){.print = t->print};
}

/* --- rendering effects --- */

static const char *const effect_names[N_EFFECTS] = {
	[EFFECT_PIN] = "pin",
	[EFFECT_SAVE] = "save",
	[EFFECT_LOAD] = "load",
	[EFFECT_SPAWN] = "spawn",
	[EFFECT_ACK] = "ack",
	[EFFECT_SIGNAL] = "signal",
	[EFFECT_WATCH] = "watch",
	[EFFECT_TREE_CHECK] = "tree-check",
	[EFFECT_TREE_SIGNAL] = "tree-signal",
	[EFFECT_TREE_KILL] = "tree-kill",
	[EFFECT_RUN_BEGIN] = "run-begin",
	[EFFECT_RUN_END] = "run-end",
	[EFFECT_PID_FILE] = "pid-file",
	[EFFECT_REPLY] = "reply",
	[EFFECT_PROGRESS] = "progress",
	[EFFECT_LOG] = "log",
	[EFFECT_REMOVE] = "remove",
	[EFFECT_EXIT] = "exit",
};

static void render_effect(struct trace *t, const struct effect *e, struct buf *out)
{
	char sig[SIGNAME_TEXT_SIZE];

	if (out->size > 0)
		buf_append_string(out, ", ");
	if (e->service && trace_find(t, e->service->name) != &t->named[0])
		buf_printf(out, "%.*s: ", (int)strcspn(e->service->name, "."), e->service->name);
	buf_append_string(out, effect_names[e->type]);
	if (e->type == EFFECT_LOAD)
		buf_printf(out, " %.*s", (int)strcspn(e->name, "."), e->name);
	if (e->token > 0 && e->type != EFFECT_LOG)
		buf_printf(out, " %llu", (unsigned long long)e->token);
	if (e->command > 0)
		buf_printf(out, ".%u", e->command);
	if (e->pid > 0 && e->type != EFFECT_LOG)
		buf_printf(out, " %d", e->pid);
	if (e->signo > 0 && e->type != EFFECT_TREE_KILL)
		buf_printf(out, " %s", signame_render(e->signo, sig) + 3);
	if (e->without_main)
		buf_append_string(out, " without-main");
	if (e->type == EFFECT_REPLY)
		buf_printf(
			out, " %llu %s", (unsigned long long)e->client, verdict_name(e->verdict));
	if (e->type == EFFECT_PROGRESS)
		buf_printf(out, " %llu", (unsigned long long)e->client);
	if (e->type == EFFECT_LOG)
		buf_printf(out, " %s", log_type_name(e->log));
	if (e->remove_logs)
		buf_append_string(out, " logs");
	if (e->leave)
		buf_append_string(out, " leave");
}

/* What a driver would do that later events depend on. */
static void carry_out(struct trace *t, const struct effect *e)
{
	struct named *n = e->service ? trace_find(t, e->service->name) : NULL;

	switch (e->type) {
	case EFFECT_PIN:
		unit_unref(n->pinned);
		n->pinned = unit_ref(e->service->unit);
		break;
	case EFFECT_SAVE:
		n->record_size = record_encode(e->service, n->record);
		t->saved_next_token = engine_next_token(t->engine);
		break;
	case EFFECT_REMOVE:
		n->record_size = 0;
		break;
	case EFFECT_RUN_BEGIN:
		n->run_id = e->run_id;
		break;
	case EFFECT_TREE_CHECK:
	case EFFECT_TREE_SIGNAL:
	case EFFECT_TREE_KILL:
		n->tree_id = e->id;
		break;
	default:
		break;
	}
}

static void check_order(struct trace *t)
{
	const struct effect *items = t->effects.items;

	for (size_t i = 0; i < t->effects.n; i++)
		for (size_t j = 0; j < i; j++)
			if (items[i].service && items[i].service == items[j].service &&
				(items[i].type == EFFECT_PIN ||
					(items[i].type == EFFECT_SAVE &&
						items[j].type != EFFECT_PIN)))
				trace_fail(t, "order", "PIN, SAVE, then the rest", t->got.data);
}

void trace_step(struct trace *t, struct event *event)
{
	event->now_us = t->now_us;
	event->wall_us = WALL_OFFSET_US + t->now_us;
	event->entropy[0] = 0x1234567 + t->n_events++;
	event->entropy[1] = t->now_us;
	if (engine_step(t->engine, event, &t->effects) < 0)
		trace_fail(t, "engine_step", "0", "an error");
	buf_clear(&t->got);
	for (size_t i = 0; i < t->effects.n; i++) {
		const struct effect *e = &t->effects.items[i];
		carry_out(t, e);
		if ((e->type == EFFECT_LOG && !t->show_log) ||
			(e->type == EFFECT_PROGRESS && !t->show_progress))
			continue;
		render_effect(t, e, &t->got);
	}
	check_order(t);
	t->pending = true;
}

/* Only the record's bytes and the pinned text outlive the engine. */
void trace_crash(struct trace *t)
{
	uint64_t next_token = t->saved_next_token;

	trace_new_engine(t);
	engine_set_next_token(t->engine, next_token);
	for (size_t i = 0; i < t->n_named; i++) {
		struct named *n = &t->named[i];
		if (n->record_size > 0 &&
			engine_restore(t->engine, n->record, n->record_size, n->pinned, NULL) < 0)
			trace_fail(t, "engine_restore", "0", "an error");
	}
}
