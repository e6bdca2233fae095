/* hob forget */
#include <errno.h>

#include "cli/job.h"
#include "cli/verb.h"

const struct option_info forget_options[] = {
	{"logs", 0, NULL, "its logs, too"},
	{"quiet", 'q', NULL, "say nothing but errors"},
	{0},
};

static int add_logs(struct cli *cli, json_t *parameters, struct error *error)
{
	if (json_object_set_new(parameters, "logs", json_boolean(cli_has(cli, "logs"))) < 0)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	return 0;
}

int verb_forget(struct cli *cli, int argc, char **argv)
{
	struct job_verb verb = {.method = WIRE_FORGET,
		.doing = "forgetting",
		.done = "forgotten",
		.quiet = cli_has(cli, "quiet"),
		.add = add_logs};

	return job_units(cli, &verb, argc, argv);
}
