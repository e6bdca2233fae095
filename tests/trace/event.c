/* The events of the notation (README.md). */
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void words_split(struct words *words, char *line)
{
	words->n = 0;
	for (char *word = strtok(line, " \t\n"); word && words->n < WORDS_MAX;
		word = strtok(NULL, " \t\n"))
		words->items[words->n++] = word;
}

static const char *option(const struct words *w, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 1; i < w->n; i++) {
		if (strncmp(w->items[i], name, size) == 0 && w->items[i][size] == '=')
			return w->items[i] + size + 1;
		if (strcmp(w->items[i], name) == 0)
			return "";
	}
	return NULL;
}

static long number(const struct words *w, const char *name, long otherwise)
{
	const char *value = option(w, name);

	return value ? strtol(value, NULL, 0) : otherwise;
}

static const char *word(const struct words *w, size_t i)
{
	return i < w->n ? w->items[i] : "";
}

static void set_request(struct trace *t, const struct words *w, enum verb verb, struct event *e)
{
	struct request *r = &e->request;
	const char *id = option(w, "id"), *unit = option(w, "unit");

	e->type = EVENT_REQUEST;
	r->verb = verb;
	r->client = (uint64_t)number(w, "client", 1);
	r->settle_us = (uint64_t)number(w, "settle", 0) * 1000;
	r->signo = (int)number(w, "sig", 0);
	r->whole_tree = option(w, "tree");
	r->replace = option(w, "replace");
	r->leave = option(w, "leave");
	r->remove_logs = option(w, "logs");
	if (id)
		memcpy(r->id.bytes, id, strnlen(id, sizeof(r->id.bytes)));
	if (verb != VERB_SHUTDOWN)
		r->unit_name = trace_find(t, word(w, 1))->full;
	if (strcmp(w->items[0], "run") == 0) {
		r->unit = trace_unit(t, trace_find(t, unit ? unit : word(w, 1)));
		r->transient = true;
	}
}

static bool read_request(struct trace *t, const struct words *w, struct event *e)
{
	static const struct {
		const char *word;
		enum verb verb;
	} verbs[] = {
		{"start", VERB_START},
		{"run", VERB_START},
		{"stop", VERB_STOP},
		{"restart", VERB_RESTART},
		{"reload", VERB_RELOAD},
		{"kill", VERB_KILL},
		{"wait", VERB_WAIT},
		{"forget", VERB_FORGET},
		{"shutdown", VERB_SHUTDOWN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].word, w->items[0]) == 0) {
			set_request(t, w, verbs[i].verb, e);
			return true;
		}
	}
	return false;
}

static void set_exit(const struct words *w, struct event *e)
{
	static const struct {
		const char *word;
		enum exit_kind kind;
	} kinds[] = {
		{"code", EXIT_KIND_EXITED},
		{"signal", EXIT_KIND_KILLED},
		{"core", EXIT_KIND_DUMPED},
		{"step", EXIT_KIND_STEP},
		{"unknown", EXIT_KIND_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (option(w, kinds[i].word)) {
			e->exit.kind = kinds[i].kind;
			e->exit.code = (int)number(w, kinds[i].word, 0);
		}
	}
}

/* A token by its number, or the one that a service has now by its name. */
static uint64_t token_of(struct trace *t, const char *text)
{
	if (isdigit((unsigned char)text[0]))
		return strtoull(text, NULL, 10);
	const struct service *service = engine_find(t->engine, trace_find(t, text)->full);
	return service ? service->token : 0;
}

static bool read_process(struct trace *t, const struct words *w, struct event *e)
{
	static const struct {
		const char *word;
		enum event_type type;
	} types[] = {
		{"started", EVENT_PROCESS_STARTED},
		{"execed", EVENT_PROCESS_EXECED},
		{"exited", EVENT_PROCESS_EXITED},
		{"not-sent", EVENT_PROCESS_NOT_SENT},
		{"watched", EVENT_WATCHED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].word, w->items[0]) != 0)
			continue;
		e->type = types[i].type;
		e->token = token_of(t, word(w, 1));
		e->pid = (int32_t)number(w, "pid", 100 + (long)e->token);
		set_exit(w, e);
		return true;
	}
	return false;
}

static char notify_text[LINE_MAX_SIZE];

static void set_notify(const struct words *w, struct event *e)
{
	static const char *const senders[] = {"unknown", "main", "control", "tree"};

	e->type = EVENT_NOTIFY;
	for (size_t i = 0; i < ARRAY_SIZE(senders); i++)
		if (strcmp(senders[i], word(w, 2)) == 0)
			e->sender = (enum notify_sender)i;
	notify_text[0] = '\0';
	for (size_t i = 3; i < w->n; i++)
		snprintf(notify_text + strlen(notify_text),
			sizeof(notify_text) - strlen(notify_text), "%s\n", w->items[i]);
	e->text = notify_text;
}

static void set_tree(struct named *n, const struct words *w, struct event *e)
{
	e->type = EVENT_TREE;
	e->n_processes = (uint32_t)strtoul(word(w, 2), NULL, 10);
	e->unkillable = option(w, "unkillable");
	e->text = e->unkillable ? "pid 7 (stuck), state D" : NULL;
	e->id = (uint64_t)number(w, "id", (long)n->tree_id);
}

static bool read_service(struct trace *t, const struct words *w, struct event *e)
{
	const char *what = w->items[0];
	bool known = strcmp(what, "loaded") == 0 || strcmp(what, "load-failed") == 0 ||
		     strcmp(what, "notify") == 0 || strcmp(what, "tree") == 0 ||
		     strcmp(what, "ready") == 0 || strcmp(what, "ready-closed") == 0 ||
		     strcmp(what, "save-failed") == 0;

	if (!known)
		return false;
	struct named *n = trace_find(t, word(w, 1));
	e->service = n->full;
	e->run_id = n->run_id;
	if (option(w, "old-run"))
		memset(&e->run_id, 1, sizeof(e->run_id));
	if (strcmp(what, "loaded") == 0) {
		e->type = EVENT_LOADED;
		e->unit = trace_unit(t, n);
	} else if (strcmp(what, "load-failed") == 0) {
		e->type = EVENT_LOADED;
		e->error = strcmp(word(w, 2), "ENOENT") == 0 ? -ENOENT : -EBADMSG;
		e->text = "line 3: bad";
	} else if (strcmp(what, "notify") == 0) {
		set_notify(w, e);
	} else if (strcmp(what, "tree") == 0) {
		set_tree(n, w, e);
	} else if (strcmp(what, "save-failed") == 0) {
		e->type = EVENT_SAVE_FAILED;
		e->error = -ENOSPC;
	} else {
		e->type = strcmp(what, "ready") == 0 ? EVENT_READY : EVENT_READY_CLOSED;
	}
	return true;
}

static bool read_instance(const struct words *w, struct event *e)
{
	const char *what = w->items[0];

	e->late_us = (uint64_t)number(w, "late", 0) * 1000;
	e->n_restores = (uint32_t)number(w, "n", 1);
	e->client = strtoull(word(w, 1), NULL, 10);
	if (strcmp(what, "time") == 0)
		e->type = EVENT_TIME;
	else if (strcmp(what, "late") == 0)
		e->type = EVENT_LATE;
	else if (strcmp(what, "restored") == 0)
		e->type = EVENT_RESTORED;
	else if (strcmp(what, "sigterm") == 0)
		e->type = EVENT_SHUTDOWN;
	else if (strcmp(what, "client-gone") == 0)
		e->type = EVENT_CLIENT_GONE;
	else
		return false;
	if (e->type == EVENT_LATE)
		e->late_us = strtoull(word(w, 1), NULL, 10) * 1000;
	return true;
}

/* --- macros: several events whose effects are not what the trace is about --- */

static void quietly(struct trace *t, struct event *event)
{
	trace_step(t, event);
	t->pending = false;
}

static void answer_tree(struct trace *t, struct named *n)
{
	struct event tree = {.type = EVENT_TREE, .service = n->full, .id = n->tree_id};

	quietly(t, &tree);
}

/* up NAME: a person's start, without settling, until it is ready. */
static void macro_up(struct trace *t, const struct words *w)
{
	struct named *n = trace_find(t, word(w, 1));
	struct event request = {.type = EVENT_REQUEST,
		.request = {.verb = VERB_START, .unit_name = n->full, .settle_us = 0}};

	quietly(t, &request);
	struct event loaded = {.type = EVENT_LOADED, .service = n->full, .unit = trace_unit(t, n)};
	quietly(t, &loaded);
	uint64_t token = token_of(t, n->name);
	struct event started = {
		.type = EVENT_PROCESS_STARTED, .token = token, .pid = 100 + (int32_t)token};
	quietly(t, &started);
	struct event execed = {.type = EVENT_PROCESS_EXECED, .token = token};
	quietly(t, &execed);
	struct event ready = {.type = EVENT_NOTIFY,
		.service = n->full,
		.run_id = n->run_id,
		.sender = SENDER_MAIN,
		.text = "READY=1"};
	quietly(t, &ready);
}

/* ends NAME code=1: the main process exits and nothing is left. */
static void macro_ends(struct trace *t, const struct words *w)
{
	struct named *n = trace_find(t, word(w, 1));
	struct event exited = {.type = EVENT_PROCESS_EXITED, .token = token_of(t, n->name)};

	set_exit(w, &exited);
	quietly(t, &exited);
	answer_tree(t, n);
}

static bool run_macro(struct trace *t, const struct words *w)
{
	if (strcmp(w->items[0], "crash") == 0)
		trace_crash(t);
	else if (strcmp(w->items[0], "up") == 0)
		macro_up(t, w);
	else if (strcmp(w->items[0], "ends") == 0)
		macro_ends(t, w);
	else
		return false;
	return true;
}

void trace_event(struct trace *t, struct words *w)
{
	struct event e = {0};

	if (w->n > 0 && w->items[0][0] == '+') {
		t->now_us += strtoull(w->items[0] + 1, NULL, 10) * 1000;
		memmove(w->items, w->items + 1, (w->n - 1) * sizeof(w->items[0]));
		w->n--;
	}
	if (w->n == 0 || run_macro(t, w))
		return;
	if (read_request(t, w, &e) || read_process(t, w, &e) || read_service(t, w, &e) ||
		read_instance(w, &e))
		trace_step(t, &e);
	else
		trace_fail(t, "an event of the trace", "a known one", w->items[0]);
}
