/* hob why: one screen that answers "why is it so, and what now?". */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/failure.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/verb.h"

#define TAIL_LINES 8

static const char *const headings[] = {"STARTED", "LASTED", "PID", "ENDED"};

static void print_state(const struct cli *cli, const json_t *service)
{
	const char *state = print_string(service, "state");
	_cleanup_(buf_done) struct buf text = {0};

	if (print_int(service, "since_usec") > 0) {
		buf_append_string(&text, " since ");
		print_since(&text, print_int(service, "since_usec"));
	}
	if (print_int(service, "main_pid") > 0)
		buf_printf(&text, ", pid %d", (int)print_int(service, "main_pid"));
	printf("%s: %s%s%s (%s)%s\n", print_string(service, "name"),
		print_state_colour(cli->colour, state), state, print_colour_end(cli->colour),
		print_string(service, "sub"), text.size > 0 ? text.data : "");
}

static void print_last_run(
	struct client *client, const char *unit, const json_t *service, const json_t *run)
{
	_cleanup_(buf_done) struct buf text = {0};

	failure_describe(&text, client, unit, service, run);
	if (text.size > 0 && print_has(run, "duration_usec")) {
		buf_append_string(&text, ", after ");
		print_span(&text, print_int(run, "duration_usec"));
	}
	if (print_bool(run, "stopped"))
		buf_append_string(&text, " (it was told to end)");
	if (print_int(run, "n_left") > 0)
		buf_printf(&text,
			"; it left %d behind, which hob ended: if it goes into the background by "
			"itself, use its foreground option",
			(int)print_int(run, "n_left"));
	print_field(stdout, "last run", text.size > 0 ? text.data : "");
	print_field(stdout, "command", print_string(service, "command"));
}

static void add_row(struct table_print *table, const json_t *run)
{
	_cleanup_(buf_done) struct buf text = {0};

	print_since(&text, print_int(run, "started_usec"));
	table_cell(table, text.size > 0 ? text.data : "-");
	buf_clear(&text);
	if (print_has(run, "duration_usec"))
		print_span(&text, print_int(run, "duration_usec"));
	table_cell(table, text.size > 0 ? text.data : "-");
	buf_clear(&text);
	if (print_int(run, "main_pid") > 0)
		buf_printf(&text, "%d", (int)print_int(run, "main_pid"));
	table_cell(table, text.size > 0 ? text.data : "-");
	buf_clear(&text);
	print_exit(&text, run);
	if (print_bool(run, "stopped"))
		buf_append_string(&text, " (stopped)");
	table_cell(table, text.size > 0 ? text.data : "-");
}

static void print_history(const json_t *history)
{
	struct table_print table = {.n_columns = ARRAY_SIZE(headings)};
	const json_t *run;
	size_t i;

	if (json_array_size(history) == 0)
		return;
	printf("\nlast runs:\n");
	for (i = 0; i < ARRAY_SIZE(headings); i++)
		table_cell(&table, headings[i]);
	json_array_foreach(history, i, run) add_row(&table, run);
	table_print(&table, stdout);
	table_done(&table);
}

/* Who wanted it down, and when: appended. */
static void append_wanted_by(struct buf *out, const json_t *service)
{
	if (print_has(service, "wanted_by"))
		buf_printf(out, " by \"%s\"", print_string(service, "wanted_by"));
	if (print_int(service, "wanted_since_usec") > 0) {
		buf_append_string(out, " at ");
		print_since(out, print_int(service, "wanted_since_usec"));
	}
}

/* What is going on in a sub-state, and what its deadline brings. */
static const struct {
	const char *sub, *doing, *then;
} going_on[] = {
	{"start", "it waits to be ready", "it is given up"},
	{"reload", "it waits until it has reloaded", "it is taken for reloaded"},
	{"stop-sigterm", "it was sent the stop signal", "what is left gets SIGKILL"},
	{"stop-sigkill", "what is left was sent SIGKILL", "it is called unkillable"},
	{"stop-watchdog", "it was silent for too long and was sent SIGABRT", "it gets SIGKILL"},
};

static bool describe_going_on(struct buf *out, const json_t *service)
{
	for (size_t i = 0; i < ARRAY_SIZE(going_on); i++) {
		if (strcmp(going_on[i].sub, print_string(service, "sub")) != 0)
			continue;
		buf_append_string(out, going_on[i].doing);
		if (print_has(service, "deadline_in_usec")) {
			buf_append_string(out, "; in ");
			print_span(out, print_int(service, "deadline_in_usec"));
			buf_printf(out, " %s", going_on[i].then);
		}
		return true;
	}
	return false;
}

static void describe_next(struct buf *out, const json_t *service)
{
	const char *state = print_string(service, "state"), *name = print_string(service, "name");

	if (describe_going_on(out, service))
		return;
	if (print_has(service, "restart_in_usec")) {
		buf_append_string(out, "restart in ");
		print_span(out, print_int(service, "restart_in_usec"));
		buf_printf(
			out, " (restarted %d times so far)", (int)print_int(service, "n_restarts"));
	} else if (print_bool(service, "gave_up")) {
		buf_printf(out, "nothing: given up after %d restarts; hob start %s tries again",
			(int)print_int(service, "n_restarts"), name);
	} else if (strcmp(print_string(service, "wanted"), "down") == 0) {
		buf_append_string(out, "nothing: wanted down");
		append_wanted_by(out, service);
	} else if (strcmp(state, "failed") == 0) {
		buf_printf(out, "nothing: it stays failed; hob start %s tries again", name);
	} else if (strcmp(state, "inactive") == 0) {
		buf_printf(out, "nothing: it has ended; hob start %s starts it again", name);
	} else if (print_bool(service, "settling")) {
		buf_append_string(out, "it is watched for a moment, to see whether it stays up");
	} else if (strcmp(state, "active") == 0) {
		buf_printf(out, "nothing: it runs; restarts since it was last started by hand: %d",
			(int)print_int(service, "n_restarts"));
	} else {
		buf_printf(out, "it is being taken care of: %s", print_string(service, "sub"));
	}
}

static void print_why(struct client *client, const char *unit, const json_t *parameters)
{
	const json_t *service = json_object_get(parameters, "service");
	const json_t *run = json_object_get(parameters, "run");
	const json_t *history = json_object_get(parameters, "history");
	_cleanup_(buf_done) struct buf next = {0};
	/* While it runs, the question is how the run before ended. */
	const json_t *ended = print_int(service, "main_pid") > 0 && json_array_size(history) > 0
				      ? json_array_get(history, 0)
				      : run;

	print_state(client->cli, service);
	print_last_run(client, unit, service, ended);
	print_field(stdout, "says", print_string(service, "status_text"));
	describe_next(&next, service);
	print_field(stdout, "next", next.data);
	failure_print_tail(stdout, client, unit, service, run, TAIL_LINES);
	print_history(history);
}

int verb_why(struct cli *cli, int argc, char **argv)
{
	_cleanup_(freep) char *unit = NULL;
	struct client client;
	struct wire_reply reply;
	struct error error = {0};
	int status = EXIT_DONE;

	if (job_unit_name(argv[0], &unit, &error) < 0)
		return cli_fail(&error);
	int r = client_open(&client, cli, false, &error);
	if (r == 0)
		r = client_call(&client, WIRE_GET_SERVICE, json_pack("{s:s}", "unit", unit), NULL,
			NULL, &reply, &error);
	if (r < 0) {
		status = job_refused(cli, unit, r, &error);
	} else {
		if (cli->json)
			status = print_json(reply.parameters);
		else
			print_why(&client, unit, reply.parameters);
		wire_reply_done(&reply);
	}
	client_done(&client);
	return status;
}
