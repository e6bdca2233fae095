/* The last lines are read from the log's files; the logger is asked to move what waits before. */
#include "cli/failure.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/print.h"
#include "os/logread.h"

#define TAIL_LINES 10
#define TAIL_SIZE_MAX 16384 /* bytes, whatever the number of lines */

/* Set-up steps whose object stands in the unit. */
static const struct {
	const char *step, *key;
} step_keys[] = {
	{"chdir", "WorkingDirectory"},
	{"user", "User"},
	{"group", "Group"},
	{"stdin", "StandardInput"},
	{"stdout", "StandardOutput"},
	{"stderr", "StandardError"},
	{"nice", "Nice"},
	{"oom-adjust", "OOMScoreAdjust"},
};

/* What a run ended by, where the exit alone does not tell. */
static const struct {
	const char *result, *text;
} result_texts[] = {
	{"watchdog", "it was silent for longer than WatchdogSec="},
	{"protocol",
		"it ended, or closed its readiness descriptor, before it said that it was ready"},
	{"start-limit-hit", "it was started too often in too short a time"},
	{"resources", "hob could not set it up"},
	{"oom-kill", "memory ran out"},
	{"unkillable", "processes are left that SIGKILL does not end"},
};

/* Appends "VALUE: " of a unit's key, without the "KEY=" that Show answers with. */
static void append_key(struct buf *out, struct client *client, const char *unit, const char *key)
{
	struct wire_reply reply;
	struct error error;

	if (client_call(client, WIRE_SHOW, json_pack("{s:s, s:s}", "unit", unit, "key", key), NULL,
		    NULL, &reply, &error) < 0)
		return;
	const char *text = print_string(reply.parameters, "text");
	const char *value = strchr(text, '=');
	size_t size = value ? strcspn(value + 1, "\n") : 0;
	if (size > 0)
		buf_printf(out, "%.*s: ", (int)size, value + 1);
	wire_reply_done(&reply);
}

/* "step chdir failed: /nowhere: No such file or directory" */
static void describe_step(struct buf *out, struct client *client, const char *unit,
	const json_t *service, const json_t *run)
{
	const char *step = print_string(run, "step");
	const char *command = print_string(service, "command");
	int code = (int)print_int(run, "errno");

	buf_printf(out, "step %s failed: ", step);
	if (strcmp(step, "exec") == 0 && *command)
		buf_printf(out, "%.*s: ", (int)strcspn(command, " "), command);
	for (size_t i = 0; i < ARRAY_SIZE(step_keys); i++) {
		if (strcmp(step_keys[i].step, step) == 0)
			append_key(out, client, unit, step_keys[i].key);
	}
	buf_append_string(out, strerror(code));
	if (strcmp(step, "exec") == 0 && code == ENOENT)
		buf_append_string(out, " (it, or the interpreter or loader that it names)");
	if (strcmp(step, "exec") == 0 && code == ENOEXEC)
		buf_append_string(out, " (a script needs a first line like #!/bin/sh)");
}

void failure_describe(struct buf *out, struct client *client, const char *unit,
	const json_t *service, const json_t *run)
{
	const char *result = print_string(run, "result");

	if (strcmp(print_string(run, "exit"), "step") == 0)
		describe_step(out, client, unit, service, run);
	else
		print_exit(out, run);
	if (strcmp(result, "timeout") == 0)
		buf_printf(out, "%sit %s in time", out->size > 0 ? ": " : "",
			print_has(run, "ready_usec") ? "did not stop" : "was not ready");
	for (size_t i = 0; i < ARRAY_SIZE(result_texts); i++) {
		if (strcmp(result_texts[i].result, result) == 0)
			buf_printf(out, "%s%s", out->size > 0 ? ": " : "", result_texts[i].text);
	}
	/* ERRNO= of the notify protocol: the program's own reason (sd_notify(3)). */
	if (print_int(service, "status_errno") > 0)
		buf_printf(
			out, ": it reports: %s", strerror((int)print_int(service, "status_errno")));
}

void failure_print_tail(FILE *file, struct client *client, const char *unit, const json_t *service,
	const json_t *run, unsigned n_max)
{
	_cleanup_(buf_done) struct buf lines = {0};
	struct wire_reply reply;
	struct error error;

	/* Where the logger does not answer, what is in the files is still good. */
	if (client && client_call(client, WIRE_FLUSH, json_pack("{s:s}", "unit", unit), NULL, NULL,
			      &reply, &error) == 0)
		wire_reply_done(&reply);
	if (logread_tail_run(print_string(service, "log_dir"),
		    (uint64_t)print_int(run, "started_usec"), n_max, TAIL_SIZE_MAX, &lines) < 0 ||
		lines.size == 0)
		return;
	fputs("  last lines:\n", file);
	for (size_t at = 0; at < lines.size;) {
		const char *end = memchr(lines.data + at, '\n', lines.size - at);
		size_t size = end ? (size_t)(end - lines.data) - at : lines.size - at;
		_cleanup_(buf_done) struct buf line = {0};
		if (text_append_harmless(&line, lines.data + at, size) == 0)
			fprintf(file, "    %s\n", line.data ? line.data : "");
		at += size + 1;
	}
}

void failure_print(struct client *client, const char *unit, const json_t *service,
	const json_t *run, const char *text)
{
	_cleanup_(buf_done) struct buf line = {0};
	const char *name = cli_short_name(unit);

	buf_printf(&line, "%s: failed", name);
	_cleanup_(buf_done) struct buf how = {0};
	failure_describe(&how, client, unit, service, run);
	if (how.size > 0)
		buf_printf(&line, ": %s", how.data);
	if (print_has(run, "duration_usec")) {
		buf_append_string(&line, ", after ");
		print_span(&line, print_int(run, "duration_usec"));
	}
	if (*text)
		buf_printf(&line, ": %s", text);
	if (buf_status(&line) == 0)
		print_error_line(line.data);
	print_field(stderr, "command", print_string(service, "command"));
	failure_print_tail(stderr, client, unit, service, run, TAIL_LINES);
	if (strcmp(print_string(run, "step"), "chdir") == 0 && print_int(run, "errno") == EACCES)
		fputs("  It may not enter that directory: --chdir DIR names another, such as /.\n",
			stderr);
	name = cli_short_name(unit);
	fprintf(stderr, "  next: hob why %s; hob logs %s\n", name, name);
}

int failure_status(const json_t *run)
{
	if (strcmp(print_string(run, "exit"), "step") != 0 ||
		strcmp(print_string(run, "step"), "exec") != 0)
		return EXIT_JOB_FAILED;
	return print_int(run, "errno") == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}
