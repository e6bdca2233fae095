/* By what a service is known to be ready: its type's row, or the descriptor of X-Hob's Ready=. */
#include "core/private.h"

#include <string.h>

#include "base/cleanup.h"

static const enum ready_by by_type[] = {
	[SERVICE_SIMPLE] = READY_BY_START,
	[SERVICE_EXEC] = READY_BY_EXEC,
	/* refused when units are loaded; should one come from elsewhere, it is known by its exec */
	[SERVICE_FORKING] = READY_BY_EXEC,
	[SERVICE_ONESHOT] = READY_BY_EXIT,
	[SERVICE_NOTIFY] = READY_BY_MESSAGE,
	[SERVICE_NOTIFY_RELOAD] = READY_BY_MESSAGE,
	[SERVICE_DBUS] = READY_BY_EXEC,
	[SERVICE_IDLE] = READY_BY_START,
};

enum ready_by ready_by(const struct unit *unit)
{
	uint64_t type = unit_u64(unit, UNIT_TYPE);

	const char *ready = type != SERVICE_ONESHOT ? unit_string(unit, UNIT_X_READY) : NULL;

	if (ready && strncmp(ready, "fd:", strlen("fd:")) == 0)
		return READY_BY_DESCRIPTOR;
	if (ready && strcmp(ready, "notify") == 0)
		return READY_BY_MESSAGE;
	if (ready && strcmp(ready, "exec") == 0)
		return READY_BY_EXEC;
	return type < ARRAY_SIZE(by_type) ? by_type[type] : READY_BY_EXEC;
}
