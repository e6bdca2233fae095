/* The table of verbs, in the order that help shows them. */
#include "cli/verb.h"

#include <string.h>

const struct option_info common_options[] = {
	{"home", 0, "DIR", "the instance under DIR (default: $HOB_HOME, else yours)"},
	{"help", 'h', NULL, "say this"},
	{0},
};

const struct option_info quiet_options[] = {
	{"quiet", 'q', NULL, "say nothing but errors"},
	{0},
};

const struct option_info output_options[] = {
	OPTION_OUTPUT,
	{0},
};

const struct verb_info verbs[] = {
	{"run", "[--] CMD ARG...", 1, VERB_ANY, VERB_OPTIONS_FIRST,
		"start any program as a supervised daemon, now",
		"The program must stay in the foreground; hob does the rest. It is restarted when "
		"it fails;\n"
		"a first start that fails before it is ready, or within the settle time, is left "
		"failed.\n"
		"Your environment is kept in a private file for it, without what is of your "
		"terminal.",
		run_options, verb_run},
	{"start", "UNIT...", 1, VERB_ANY, 0, "start units, and wait until they are ready",
		"What you start is always tried at once, whatever the limits on restarts say.",
		start_options, verb_start},
	{"stop", "UNIT...", 1, VERB_ANY, 0, "stop units, with all their processes",
		"The stop signal, the time-out, then SIGKILL, until no process is left.",
		quiet_options, verb_stop},
	{"restart", "UNIT...", 1, VERB_ANY, 0, "stop units, and start them again", NULL,
		start_options, verb_restart},
	{"reload", "UNIT...", 1, VERB_ANY, 0, "have units read their configuration again",
		"Sends SIGHUP to what hob run started.", quiet_options, verb_reload},
	{"kill", "UNIT...", 1, VERB_ANY, 0, "send a signal to units",
		"To the main process, unless --all is given. What follows is the unit's own "
		"matter: it may\n"
		"be restarted.",
		kill_options, verb_kill},
	{"status", "[UNIT...]", 0, VERB_ANY, 0, "how units are; without a name, how hob is", NULL,
		output_options, verb_status},
	{"list", "", 0, 0, 0, "all services", NULL, list_options, verb_list},
	{"why", "UNIT", 1, 1, 0, "why a unit is as it is, and what happens next", NULL,
		output_options, verb_why},
	{"show", "UNIT [KEY...]", 1, VERB_ANY, 0, "a unit's settings, as they are in force", NULL,
		output_options, verb_show},
	{"cat", "UNIT...", 1, VERB_ANY, 0, "a unit's file", NULL, NULL, verb_cat},
	{"logs", "[UNIT...]", 0, VERB_ANY, 0,
		"what units wrote, with times, and what hob did to them", NULL, logs_options,
		verb_logs},
	{"wait", "UNIT...", 1, VERB_ANY, 0, "wait until units have come to rest",
		"At rest: it does not run, and no restart is to come.", quiet_options, verb_wait},
	{"forget", "UNIT...", 1, VERB_ANY, 0, "remove stopped units that hob run made", NULL,
		forget_options, verb_forget},
	{"shutdown", "", 0, 0, 0, "stop all services, then hob itself", NULL, shutdown_options,
		verb_shutdown},
	{"version", "", 0, 0, 0, "the version", NULL, NULL, verb_version},
	{"help", "[VERB]", 0, 1, 0, "how to use hob", NULL, help_options, verb_help},
	{0},
};

const struct verb_info *verb_find(const char *name)
{
	for (const struct verb_info *verb = verbs; verb->name; verb++) {
		if (strcmp(verb->name, name) == 0)
			return verb;
	}
	return NULL;
}
