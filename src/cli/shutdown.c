/*
 * hob shutdown. It ends when the instance's last process is gone (its lock is free), so that what
 * is typed next finds either none or a new one. An instance that breaks off instead of answering
 * has ended.
 */
#include <errno.h>
#include <stdio.h>

#include "cli/job.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "os/instance.h"

#define END_TIMEOUT_US 10000000 /* from the answer to the last process's end */

const struct option_info shutdown_options[] = {
	{"leave", 0, NULL, "leave the services running"},
	{"quiet", 'q', NULL, "say nothing but errors"},
	{0},
};

/* The exit status; the services that could not be ended are in the answer's text. */
static int report(struct client *client, const struct job_verb *verb, int r,
	struct wire_reply *reply, struct error *error)
{
	if (r < 0 && r != -ENOENT)
		return job_refused(client->cli, NULL, r, error);
	int status = r == 0 ? job_report(client, verb, NULL, reply->parameters) : EXIT_DONE;
	if (r == 0)
		wire_reply_done(reply);
	client_done(client);
	if (instance_wait_end(&client->cli->place, END_TIMEOUT_US) == -ETIMEDOUT)
		return cli_fail_text(EXIT_NO_ANSWER,
			"the instance has answered, but its processes are still there");
	return status;
}

int verb_shutdown(struct cli *cli, int argc, char **argv)
{
	bool leave = cli_has(cli, "leave");
	struct job_verb verb = {.method = WIRE_SHUTDOWN,
		.doing = "shutting down",
		.done = leave ? "ended; the services go on" : "ended",
		.quiet = cli_has(cli, "quiet")};
	struct wire_reply reply = {0};
	struct error error = {0};
	struct client client;

	int r = client_open(&client, cli, false, &error);
	if (r == -ENOENT) {
		client_done(&client);
		if (!verb.quiet)
			printf("hob: %s\n", error.text);
		return EXIT_DONE;
	}
	if (r < 0) {
		client_done(&client);
		return cli_fail(&error);
	}
	r = job_call(&client, &verb, NULL, json_pack("{s:b}", "leave", leave), &reply, &error);
	int status = report(&client, &verb, r, &reply, &error);
	client_done(&client);
	return status;
}
