/*
 * Runs trace files against the engine, in virtual time. TAP on stdout; README.md tells the
 *notation.
 *
 *	run_trace FILE...            each trace is a test
 *	run_trace --print FILE       the file again, with the effects that were got
 */
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static int n_tests, n_failed;

/* --- expectations --- */

static void trim(char *text)
{
	size_t size = strlen(text);

	while (size > 0 && isspace((unsigned char)text[size - 1]))
		text[--size] = '\0';
}

static void expect_effects(struct trace *t, char *line)
{
	while (isspace((unsigned char)*line))
		line++;
	trim(line);
	t->pending = false;
	const char *got = t->got.size > 0 ? t->got.data : "";
	if (t->print)
		printf("< %s\n", got);
	else if (strcmp(line, got) != 0)
		trace_fail(t, "effects", line, got);
}

/* An event that nothing was said about has no effects (but those not shown). */
static void flush(struct trace *t)
{
	if (!t->pending)
		return;
	t->pending = false;
	if (t->print && t->got.size > 0)
		printf("< %s\n", t->got.data);
	else if (t->got.size > 0)
		trace_fail(t, "the event before has effects", "none", t->got.data);
}

static void read_event(struct trace *t, char *line)
{
	struct words words;

	flush(t);
	words_split(&words, line);
	trace_event(t, &words);
}

static void render_state(struct trace *t, const struct service *s, struct buf *out)
{
	buf_printf(out, " %s %s %s pid=%d n_restarts=%u history=%u ", service_sub_name(s->sub),
		service_result_name(s->result), s->wanted_up ? "up" : "down", s->main_pid,
		s->n_restarts, s->n_history);
	buf_printf(out, "left=%u errno=%d status=%s wanted_by=%s ", s->run.n_left, s->status_errno,
		s->status_text, s->wanted_by);
	buf_append_string(out, s->gave_up ? "gave-up " : "");
	buf_append_string(out, s->run.stopped ? "stopped " : "");
	if (s->deadline_us == ENGINE_NO_DEADLINE)
		buf_append_string(out, "deadline=none ");
	else
		buf_printf(
			out, "deadline=%.6g ", ((double)s->deadline_us - (double)t->now_us) / 1000);
	if (s->restart_at_us > 0)
		buf_printf(out, "restart_in=%.6g ",
			((double)s->restart_at_us - (double)t->now_us) / 1000);
}

static void expect_state(struct trace *t, char *line)
{
	_cleanup_(buf_done) struct buf got = {0};
	struct words w;
	size_t first = 0;
	struct named *n = &t->named[0];

	if (!t->print)
		flush(t);
	words_split(&w, line);
	if (w.n > 0 && w.items[0][strlen(w.items[0]) - 1] == ':') {
		w.items[0][strlen(w.items[0]) - 1] = '\0';
		n = trace_find(t, w.items[0]);
		first = 1;
	}
	const struct service *service = engine_find(t->engine, n->full);
	if (service)
		render_state(t, service, &got);
	else
		buf_append_string(&got, " unknown ");
	for (size_t i = first; i < w.n; i++) {
		char padded[128];
		snprintf(padded, sizeof(padded), " %s ", w.items[i]);
		if (!strstr(got.data, padded))
			trace_fail(t, "state", w.items[i], got.data);
	}
}

/* --- files --- */

static void end_trace(struct trace *t)
{
	if (t->title[0] == '\0')
		return;
	flush(t);
	n_tests++;
	n_failed += t->failed_line > 0;
	if (!t->print || t->failed_line > 0) {
		printf("%s %d - %s\n", t->failed_line > 0 ? "not ok" : "ok", n_tests, t->title);
		fputs(t->diagnosis.size > 0 ? t->diagnosis.data : "", stdout);
	}
	trace_clear(t);
}

static void begin_trace(struct trace *t, const char *title, int line)
{
	end_trace(t);
	trace_new_engine(t);
	t->line = line;
	t->now_us = 1000000; /* one second, so that spans of before are not before time */
	snprintf(t->title, sizeof(t->title), "%.*s", TITLE_MAX, title);
	trim(t->title);
}

static struct named *unit_block;

static void read_line(struct trace *t, char *line)
{
	if (isspace((unsigned char)line[0]) && line[strspn(line, " \t\n")] != '\0' && unit_block) {
		buf_append_string(&unit_block->text, line + strspn(line, " \t"));
		return;
	}
	if (strncmp(line, "trace ", 6) == 0) {
		begin_trace(t, line + 6, t->line);
	} else if (strncmp(line, "unit ", 5) == 0) {
		trim(line);
		unit_block = trace_find(t, line + 5);
		buf_append_string(&unit_block->text, "[Service]\n");
	} else if (strncmp(line, "show log", 8) == 0) {
		t->show_log = true;
	} else if (strncmp(line, "show progress", 13) == 0) {
		t->show_progress = true;
	} else if (line[0] == '>') {
		read_event(t, line + 1);
	} else if (line[0] == '<') {
		expect_effects(t, line + 1);
	} else if (line[0] == '=') {
		expect_state(t, line + 1);
	} else if (line[0] != '#' && line[strspn(line, " \t\n")] != '\0') {
		trace_fail(t, "a line of the trace", "one that begins with > < = trace unit show #",
			line);
	}
}

static int run_file(const char *path, bool print)
{
	struct trace trace = {.print = print};
	char line[LINE_MAX_SIZE], copy[LINE_MAX_SIZE];
	FILE *file = fopen(path, "re");

	if (!file) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		return -1;
	}
	for (int i = 1; fgets(line, sizeof(line), file); i++) {
		memcpy(copy, line, sizeof(copy));
		if (print && line[0] != '<') {
			flush(&trace);
			fputs(copy, stdout);
		}
		trace.line = i;
		read_line(&trace, line);
	}
	fclose(file);
	end_trace(&trace);
	return 0;
}

int main(int argc, char **argv)
{
	bool print = argc > 1 && strcmp(argv[1], "--print") == 0;

	for (int i = print ? 2 : 1; i < argc; i++)
		if (run_file(argv[i], print) < 0)
			return 1;
	if (!print)
		printf("1..%d\n", n_tests);
	return n_failed > 0;
}
