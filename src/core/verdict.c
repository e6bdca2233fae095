/* Names of verbs, verdicts and log lines: stable, they are on the wire and in events.jsonl. */
#include "core/engine.h"

#include <string.h>

#include "base/cleanup.h"

static const char *const verb_names[N_VERBS] = {
	[VERB_START] = "start",
	[VERB_STOP] = "stop",
	[VERB_RESTART] = "restart",
	[VERB_RELOAD] = "reload",
	[VERB_KILL] = "kill",
	[VERB_WAIT] = "wait",
	[VERB_FORGET] = "forget",
	[VERB_SHUTDOWN] = "shutdown",
};

static const char *const verdict_names[N_VERDICTS] = {
	[VERDICT_NONE] = "none",
	[VERDICT_DONE] = "done",
	[VERDICT_ENDED] = "ended",
	[VERDICT_LEFT_CHILDREN] = "left-children",
	[VERDICT_FAILED] = "failed",
	[VERDICT_TIMED_OUT] = "timed-out",
	[VERDICT_CANCELLED] = "cancelled",
	[VERDICT_UNKILLABLE] = "unkillable",
	[VERDICT_NOT_ACTIVE] = "not-active",
	[VERDICT_ALREADY_RUNNING] = "already-running",
	[VERDICT_NO_SUCH_UNIT] = "no-such-unit",
	[VERDICT_BAD_UNIT] = "bad-unit",
	[VERDICT_BUSY] = "busy",
	[VERDICT_SHUTTING_DOWN] = "shutting-down",
	[VERDICT_NO_RESOURCES] = "no-resources",
};

static const char *const log_type_names[N_LOG_TYPES] = {
	[LOG_STARTING] = "starting",
	[LOG_STARTED] = "started",
	[LOG_READY] = "ready",
	[LOG_EXITED] = "exited",
	[LOG_FAILED] = "failed",
	[LOG_STOPPING] = "stopping",
	[LOG_STOPPED] = "stopped",
	[LOG_RESTART_SCHEDULED] = "restart-scheduled",
	[LOG_GAVE_UP] = "gave-up",
	[LOG_RELOADED] = "reloaded",
	[LOG_KILLED_REST] = "killed-rest",
	[LOG_UNKILLABLE] = "unkillable",
	[LOG_REQUEST] = "request",
	[LOG_FORGOTTEN] = "forgotten",
	[LOG_STATUS] = "status",
	[LOG_WATCHDOG] = "watchdog",
	[LOG_TIMEOUT] = "timeout",
	[LOG_RESTORED] = "restored",
	[LOG_LATE] = "late",
	[LOG_LOGGER] = "logger",
	[LOG_SHUTDOWN] = "shutdown",
	[LOG_NOTIFY_REFUSED] = "notify-refused",
};

const char *verb_name(enum verb verb)
{
	return (unsigned)verb < N_VERBS ? verb_names[verb] : "unknown";
}

const char *verdict_name(enum verdict verdict)
{
	return (unsigned)verdict < N_VERDICTS ? verdict_names[verdict] : "unknown";
}

enum verdict verdict_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdict_names); i++)
		if (strcmp(verdict_names[i], name) == 0)
			return (enum verdict)i;
	return VERDICT_NONE;
}

const char *log_type_name(enum log_type type)
{
	return (unsigned)type < N_LOG_TYPES ? log_type_names[type] : "unknown";
}
