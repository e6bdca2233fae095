/* hob kill: a signal, and nothing is said about what it will do. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/signame.h"
#include "cli/job.h"
#include "cli/verb.h"

const struct option_info kill_options[] = {
	{"signal", 's', "SIGNAL", "which one (default SIGTERM)"},
	{"all", 'a', NULL, "to all processes of the unit, not only the main one"},
	{"quiet", 'q', NULL, "say nothing but errors"},
	{0},
};

static int add_signal(struct cli *cli, json_t *parameters, struct error *error)
{
	const char *name = cli_option(cli, "signal");
	int signo = name ? signame_parse(name) : SIGTERM;

	if (signo <= 0)
		return error_set(
			error, EXIT_USAGE, -EINVAL, "--signal: there is no signal %s", name);
	if (json_object_set_new(parameters, "signal", json_integer(signo)) < 0 ||
		json_object_set_new(parameters, "whole_tree", json_boolean(cli_has(cli, "all"))) <
			0)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	return 0;
}

int verb_kill(struct cli *cli, int argc, char **argv)
{
	const char *name = cli_option(cli, "signal");
	int signo = name ? signame_parse(name) : SIGTERM;
	char text[SIGNAME_TEXT_SIZE], done[SIGNAME_TEXT_SIZE + 8];
	struct job_verb verb = {.method = WIRE_KILL,
		.doing = "sending a signal",
		.done = done,
		.quiet = cli_has(cli, "quiet"),
		.add = add_signal};

	if (signo <= 0)
		return cli_fail_text(EXIT_USAGE, "--signal: there is no signal %s", name);
	snprintf(done, sizeof(done), "%s sent", signame_render(signo, text));
	return job_units(cli, &verb, argc, argv);
}
