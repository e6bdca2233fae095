/* hob status: one call for each unit, and no other. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "cli/failure.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/unitfile.h"
#include "cli/verb.h"

#define TAIL_LINES 3

/* --- the instance --- */

static void print_instance(const json_t *instance)
{
	_cleanup_(buf_done) struct buf text = {0};

	printf("hob %s", print_string(instance, "version"));
	if (print_int(instance, "started_usec") > 0) {
		print_since(&text, print_int(instance, "started_usec"));
		printf(", running since %s", text.data);
	}
	printf("\n");
	buf_clear(&text);
	buf_printf(&text, "%d, by %s; the supervisor was replaced %d times",
		(int)print_int(instance, "n_services"), print_string(instance, "tree"),
		(int)print_int(instance, "n_restores"));
	print_field(stdout, "services", text.data);
	buf_clear(&text);
	buf_printf(&text, "init %d, supervisor %d, logger %d", (int)print_int(instance, "init_pid"),
		(int)print_int(instance, "supervisor_pid"), (int)print_int(instance, "logger_pid"));
	print_field(stdout, "processes", text.data);
	print_field(stdout, "runtime", print_string(instance, "runtime_dir"));
	print_field(stdout, "logs", print_string(instance, "log_dir"));
}

static int status_of_instance(struct client *client)
{
	struct wire_reply reply;
	struct error error = {0};
	int status = EXIT_DONE;

	if (client_call(client, WIRE_GET_INSTANCE, json_object(), NULL, NULL, &reply, &error) < 0)
		return cli_fail(&error);
	const json_t *instance = json_object_get(reply.parameters, "instance");
	if (client->cli->json)
		status = print_json(instance);
	else
		print_instance(instance);
	wire_reply_done(&reply);
	return status;
}

/* --- a service --- */

static void print_headline(const struct cli *cli, const json_t *service)
{
	const char *state = print_string(service, "state");
	_cleanup_(buf_done) struct buf since = {0};

	printf("%s: %s%s%s (%s)", print_string(service, "name"),
		print_state_colour(cli->colour, state), state, print_colour_end(cli->colour),
		print_string(service, "sub"));
	if (print_int(service, "since_usec") > 0) {
		print_since(&since, print_int(service, "since_usec"));
		printf(" since %s", since.data);
	}
	if (print_int(service, "main_pid") > 0)
		printf(", pid %d", (int)print_int(service, "main_pid"));
	printf("\n");
}

static void print_numbers(const json_t *service)
{
	_cleanup_(buf_done) struct buf text = {0};
	int n = (int)print_int(service, "n_processes");

	if (n > 0 && print_has(service, "memory_bytes")) {
		size_render(&text, (uint64_t)print_int(service, "memory_bytes"));
		buf_printf(&text, " in %d process%s", n, n == 1 ? "" : "es");
		print_field(stdout, "memory", text.data);
	}
	buf_clear(&text);
	if (print_int(service, "main_pid") > 0 && print_has(service, "ready_usec")) {
		print_span(&text, print_int(service, "ready_usec"));
		print_field(stdout, "ready in", text.data);
	}
	buf_clear(&text);
	if (print_int(service, "n_restarts") > 0) {
		buf_printf(&text, "%d", (int)print_int(service, "n_restarts"));
		print_field(stdout, "restarts", text.data);
	}
}

static void print_service(struct client *client, const char *unit, const json_t *parameters)
{
	const json_t *service = json_object_get(parameters, "service");
	const json_t *run = json_object_get(parameters, "run");
	_cleanup_(buf_done) struct buf text = {0};

	print_headline(client->cli, service);
	print_field(stdout, "description", print_string(service, "description"));
	print_field(stdout, "command", print_string(service, "command"));
	print_numbers(service);
	print_field(stdout, "says", print_string(service, "status_text"));
	if (print_int(service, "main_pid") == 0)
		print_exit(&text, run);
	print_field(stdout, "last run", text.size > 0 ? text.data : "");
	buf_clear(&text);
	if (print_has(service, "restart_in_usec")) {
		buf_append_string(&text, "restart in ");
		print_span(&text, print_int(service, "restart_in_usec"));
		print_field(stdout, "next", text.data);
	}
	print_field(stdout, "log", print_string(service, "log_dir"));
	/* Without asking the logger to hurry: what is in the files is at most 100 ms old. */
	failure_print_tail(stdout, NULL, unit, service, run, TAIL_LINES);
}

/* A unit that is on disk only, or NULL. */
static json_t *absent_service(struct cli *cli, const char *unit)
{
	_cleanup_(freep) char *path = NULL;

	if (unitfile_find(&cli->place, unit, &path) < 0)
		return NULL;
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:n, s:n, s:s, s:i, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:s, "
		"s:s++}",
		"name", cli_short_name(unit), "unit", unit, "state", "inactive", "sub", "dead",
		"main_pid", "run_id", "wanted", "down", "n_restarts", 0, "result", "success",
		"exit_code", "exit_signal", "since_usec", "ready_usec", "memory_bytes",
		"n_processes", "command", "", "log_dir", cli->place.log, "/", cli_short_name(unit));
}

/* The reply's parameters for one unit, to be freed; NULL: said why, *ret_status is set. */
static json_t *get_service(struct client *client, const char *unit, int *ret_status)
{
	struct wire_reply reply;
	struct error error = {0};
	int r = -ENOENT;

	if (client->fd < 0)
		error_set(&error, EXIT_NO_SUCH_UNIT, r,
			"there is no unit %s: no instance of hob runs here (%s)", unit,
			client->cli->place.runtime);
	else
		r = client_call(client, WIRE_GET_SERVICE, json_pack("{s:s}", "unit", unit), NULL,
			NULL, &reply, &error);
	if (r == 0) {
		json_t *parameters = json_incref(reply.parameters);
		wire_reply_done(&reply);
		return parameters;
	}
	/* On disk, but not loaded: nobody has started it. */
	json_t *service = r == -ENOENT ? absent_service(client->cli, unit) : NULL;
	if (service)
		return json_pack("{s:o}", "service", service);
	*ret_status = job_refused(client->cli, unit, r, &error);
	return NULL;
}

static int status_of_unit(struct client *client, const char *typed, bool many, json_t *all)
{
	_cleanup_(freep) char *unit = NULL;
	struct error error = {0};
	int status = EXIT_DONE;

	if (job_unit_name(typed, &unit, &error) < 0)
		return cli_fail(&error);
	json_t *parameters = get_service(client, unit, &status);
	if (!parameters)
		return status;
	json_t *service = json_object_get(parameters, "service");
	const char *state = print_string(service, "state");
	if (strcmp(state, "active") != 0 && strcmp(state, "reloading") != 0)
		status = EXIT_NOT_ACTIVE;
	if (client->cli->json && many)
		json_array_append(all, service);
	else if (client->cli->json)
		print_json(service);
	else
		print_service(client, unit, parameters);
	json_decref(parameters);
	return status;
}

/* The first status that is not 0 is the whole's. */
static int status_of_units(struct client *client, int argc, char **argv)
{
	json_t *all = json_array();
	int result = EXIT_DONE;

	for (int i = 0; i < argc && all; i++) {
		int status = status_of_unit(client, argv[i], argc > 1, all);
		if (result == EXIT_DONE)
			result = status;
	}
	if (client->cli->json && argc > 1)
		print_json(all);
	json_decref(all);
	return result;
}

int verb_status(struct cli *cli, int argc, char **argv)
{
	struct client client;
	struct error error = {0};
	int status;

	int r = client_open(&client, cli, false, &error);
	if (r < 0 && (r != -ENOENT || argc == 0))
		status = cli_fail(&error);
	else
		status = argc == 0 ? status_of_instance(&client)
				   : status_of_units(&client, argc, argv);
	client_done(&client);
	return status;
}
