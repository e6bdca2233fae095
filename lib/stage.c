/* The names of the stages. The array's size is checked, so that a new stage cannot be forgotten. */
#include "hob.h"

static const char *const stage_names[] = {
	[HOB_STAGE_NONE] = "none",
	[HOB_STAGE_OPTIONS] = "options",
	[HOB_STAGE_THREADS] = "threads",
	[HOB_STAGE_USER] = "user",
	[HOB_STAGE_GROUP] = "group",
	[HOB_STAGE_STDIN] = "stdin",
	[HOB_STAGE_STDOUT] = "stdout",
	[HOB_STAGE_STDERR] = "stderr",
	[HOB_STAGE_PIPE] = "pipe",
	[HOB_STAGE_FORK] = "fork",
	[HOB_STAGE_SETSID] = "setsid",
	[HOB_STAGE_SIGNALS] = "signals",
	[HOB_STAGE_CLOSE] = "close",
	[HOB_STAGE_CHDIR] = "chdir",
	[HOB_STAGE_PRIVILEGED] = "privileged",
	[HOB_STAGE_SETGROUPS] = "setgroups",
	[HOB_STAGE_SETGID] = "setgid",
	[HOB_STAGE_SETUID] = "setuid",
	[HOB_STAGE_EXEC] = "exec",
	[HOB_STAGE_DAEMON] = "daemon",
	[HOB_STAGE_TIMEOUT] = "timeout",
};

_Static_assert(sizeof(stage_names) / sizeof(stage_names[0]) == HOB_N_STAGES, "a stage has no name");

const char *hob_stage_name(int stage)
{
	if (stage < 0 || stage >= HOB_N_STAGES || !stage_names[stage])
		return "unknown";
	return stage_names[stage];
}
