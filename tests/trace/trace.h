/* A trace while it runs: the engine, and what a driver would have on disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "core/engine.h"
#include "core/record.h"
#include "core/service.h"
#include "unit/unit.h"

#define NAMED_MAX 8
#define TITLE_MAX 200
#define LINE_MAX_SIZE 1024

/* A name with its unit's text and what the driver would have on disk for it. */
struct named {
	char name[64]; /* "web" */
	char full[80]; /* "web.service" */
	struct buf text;
	struct unit *unit;   /* made from text when first used */
	struct unit *pinned; /* as of the last PIN */
	uint8_t record[RECORD_SIZE_MAX];
	size_t record_size;  /* 0 = none */
	uint64_t tree_id;    /* of the last question */
	struct id128 run_id; /* of the last RUN_BEGIN */
};

struct trace {
	struct engine *engine;
	struct effects effects;
	struct named named[NAMED_MAX];
	size_t n_named;
	uint64_t now_us, saved_next_token;
	bool show_log, show_progress, print, in_unit;
	struct buf got; /* of the last event, rendered */
	bool pending;	/* an event's effects were not compared yet */
	char title[TITLE_MAX + 1];
	int line, failed_line;
	struct buf diagnosis;
	size_t n_events;
};

/* --- world.c --- */
/* Notes what was expected and what came; the first one of a trace is shown. */
void trace_fail(struct trace *t, const char *what, const char *expected, const char *got);
/* Makes it when it is not there; NULL: too many. */
struct named *trace_find(struct trace *t, const char *name);
/* NULL: its block is no unit, and the trace has failed. */
struct unit *trace_unit(struct trace *t, struct named *named);
void trace_new_engine(struct trace *t);
void trace_clear(struct trace *t);
/* Steps the engine, carries the effects out as far as a trace needs, and renders them into t->got.
 */
void trace_step(struct trace *t, struct event *event);
/* Only the records' bytes and the pinned texts outlive the engine. */
void trace_crash(struct trace *t);

/* --- event.c --- */
#define WORDS_MAX 32
struct words {
	char *items[WORDS_MAX];
	size_t n;
};
/* Cuts line into words, in place. */
void words_split(struct words *words, char *line);
/* One event, or several, as a trace's ">" line says it. */
void trace_event(struct trace *t, struct words *words);
