/*
 * hob run: everything is checked, then the instance is asked, which is started where there is none.
 * With --wait a second request follows, and the program's own exit status is hob's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/failure.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/rununit.h"
#include "cli/verb.h"

#define SIGNAL_STATUS 128 /* of a program that a signal ended, as shells have it */

static int set_string(json_t *object, const char *name, const char *text)
{
	return json_object_set_new(object, name, json_string(text)) < 0 ? -ENOMEM : 0;
}

/* As text where it is UTF-8, else as base64: JSON has no other bytes. */
static int add_environment(json_t *parameters, const struct buf *environment)
{
	_cleanup_(buf_done) struct buf encoded = {0};

	if (environment->size == 0)
		return 0;
	if (text_is_utf8(environment->data, environment->size))
		return set_string(parameters, "environment", environment->data);
	int r = wire_base64_append(&encoded, environment->data, environment->size);
	return r < 0 ? r : set_string(parameters, "environment_base64", encoded.data);
}

static json_t *make_parameters(const struct cli *cli, const struct rununit *run)
{
	json_t *parameters = json_pack("{s:s, s:b, s:I}", "text", run->text, "replace",
		cli_has(cli, "replace"), "settle_usec", (json_int_t)run->settle_us);

	if (!parameters || add_environment(parameters, &run->environment) == 0)
		return parameters;
	json_decref(parameters);
	return NULL;
}

/* The status of a program that has ended, as a shell would give it; -1: it did not end by itself.
 */
static int program_status(const json_t *run)
{
	const char *kind = print_string(run, "exit");

	if (strcmp(kind, "exited") == 0)
		return (int)print_int(run, "exit_code");
	if (strcmp(kind, "killed") == 0 || strcmp(kind, "dumped") == 0)
		return SIGNAL_STATUS + (int)print_int(run, "exit_signal");
	return -1;
}

/* --wait: until it is at rest. */
static int wait_for_end(struct client *client, const char *unit, bool quiet)
{
	struct job_verb verb = {.method = WIRE_WAIT, .doing = "running", .quiet = quiet};
	struct wire_reply reply;
	struct error error = {0};

	int r = job_call(client, &verb, unit, json_object(), &reply, &error);
	if (r < 0)
		return job_refused(client->cli, unit, r, &error);
	const json_t *run = json_object_get(reply.parameters, "run");
	int status = program_status(run);
	if (status != 0)
		failure_print(client, unit, json_object_get(reply.parameters, "service"), run, "");
	if (status < 0)
		status = failure_status(run);
	wire_reply_done(&reply);
	return status;
}

static int start(struct client *client, const struct rununit *run)
{
	struct cli *cli = client->cli;
	bool quiet = cli_has(cli, "quiet"), wait = cli_has(cli, "wait");
	struct job_verb verb = {.method = WIRE_RUN, .doing = "starting", .quiet = quiet};
	struct wire_reply reply;
	struct error error = {0};

	json_t *parameters = make_parameters(cli, run);
	if (!parameters)
		return cli_fail_text(EXIT_JOB_FAILED, "out of memory");
	int r = job_call(client, &verb, run->name, parameters, &reply, &error);
	if (r < 0)
		return job_refused(cli, run->name, r, &error);
	int status = job_report(client, &verb, run->name, reply.parameters);
	const char *verdict = print_string(reply.parameters, "verdict");
	bool runs = strcmp(verdict, "done") == 0;
	bool ended_early = strcmp(verdict, "failed") == 0 || strcmp(verdict, "ended") == 0;
	int ended = program_status(json_object_get(reply.parameters, "run"));
	wire_reply_done(&reply);
	if (wait && runs)
		return wait_for_end(client, run->name, quiet);
	return wait && ended_early && ended > 0 ? ended : status;
}

int verb_run(struct cli *cli, int argc, char **argv)
{
	struct rununit run = {0};
	struct client client;
	struct error error = {0};

	if (rununit_make(cli, argc, argv, environ, &run, &error) < 0)
		return cli_fail(&error);
	int r = client_open(&client, cli, true, &error);
	int status = r < 0 ? cli_fail(&error) : start(&client, &run);
	client_done(&client);
	rununit_done(&run);
	return status;
}
