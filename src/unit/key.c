/*
 * The table is unit/key.def, expanded once more. Looking a key up is a walk over some seventy
 * rows; a unit has some twenty lines and is read once.
 */
#include "unit/key.h"

#include <string.h>
#include "base/cleanup.h"
#include "base/suggest.h"
#include "unit/unit.h"

const struct unit_key_info unit_keys[N_UNIT_KEYS] = {
#define X(id, key_section, key_name, key_type, def, help_text)                                     \
	[id] = {.section = (key_section),                                                          \
		.name = (key_name),                                                                \
		.type = (key_type),                                                                \
		.default_text = (def),                                                             \
		.help = (help_text)},
#include "unit/key.def"
#undef X
};

/* Names that systemd reads too: combined ones, and those of older versions in their old places. */
static const struct {
	const char *section, *name;
	size_t n_keys;
	enum unit_key keys[UNIT_KEY_TARGETS_MAX];
} aliases[] = {
	{"Service", "TimeoutSec", 2, {UNIT_TIMEOUT_START_SEC, UNIT_TIMEOUT_STOP_SEC}},
	{"Unit", "StartLimitInterval", 1, {UNIT_START_LIMIT_INTERVAL}},
	{"Service", "StartLimitInterval", 1, {UNIT_START_LIMIT_INTERVAL}},
	{"Service", "StartLimitBurst", 1, {UNIT_START_LIMIT_BURST}},
};

enum unit_key unit_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < N_UNIT_KEYS; i++)
		if (strcmp(unit_keys[i].name, name) == 0 &&
			(!section || strcmp(unit_keys[i].section, section) == 0))
			return (enum unit_key)i;
	return N_UNIT_KEYS;
}

size_t unit_key_targets(
	const char *section, const char *name, enum unit_key ret_keys[static UNIT_KEY_TARGETS_MAX])
{
	enum unit_key key = unit_key_find(section, name);

	if (key != N_UNIT_KEYS) {
		ret_keys[0] = key;
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].name, name) == 0 &&
			(!section || strcmp(aliases[i].section, section) == 0)) {
			memcpy(ret_keys, aliases[i].keys, sizeof(aliases[i].keys));
			return aliases[i].n_keys;
		}
	return 0;
}

const char *unit_key_nearest(const char *section, const char *name)
{
	const char *names[N_UNIT_KEYS];
	size_t n = 0;

	for (size_t i = 0; i < N_UNIT_KEYS; i++)
		if (!section || strcmp(unit_keys[i].section, section) == 0)
			names[n++] = unit_keys[i].name;
	return suggest_nearest(name, names, n);
}

/* --- words --- */

static const char *const service_types[] = {
	[SERVICE_SIMPLE] = "simple",
	[SERVICE_EXEC] = "exec",
	[SERVICE_FORKING] = "forking",
	[SERVICE_ONESHOT] = "oneshot",
	[SERVICE_NOTIFY] = "notify",
	[SERVICE_NOTIFY_RELOAD] = "notify-reload",
	[SERVICE_DBUS] = "dbus",
	[SERVICE_IDLE] = "idle",
	NULL,
};

static const char *const restart_policies[] = {
	[RESTART_NO] = "no",
	[RESTART_ON_SUCCESS] = "on-success",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_ON_ABNORMAL] = "on-abnormal",
	[RESTART_ON_ABORT] = "on-abort",
	[RESTART_ON_WATCHDOG] = "on-watchdog",
	[RESTART_ALWAYS] = "always",
	NULL,
};

static const char *const kill_modes[] = {
	[KILL_CONTROL_GROUP] = "control-group",
	[KILL_MIXED] = "mixed",
	[KILL_PROCESS] = "process",
	[KILL_NONE] = "none",
	NULL,
};

static const char *const notify_accesses[] = {
	[NOTIFY_NONE] = "none",
	[NOTIFY_MAIN] = "main",
	[NOTIFY_EXEC] = "exec",
	[NOTIFY_ALL] = "all",
	NULL,
};

static const char *const backoffs[] = {
	[BACKOFF_CONSTANT] = "constant",
	[BACKOFF_DOUBLE] = "double",
	NULL,
};

const char *const *unit_value_words(enum unit_value_type type)
{
	switch (type) {
	case VALUE_SERVICE_TYPE:
		return service_types;
	case VALUE_RESTART:
		return restart_policies;
	case VALUE_KILL_MODE:
		return kill_modes;
	case VALUE_NOTIFY_ACCESS:
		return notify_accesses;
	case VALUE_BACKOFF:
		return backoffs;
	default:
		return NULL;
	}
}

const char *unit_value_word(enum unit_value_type type, uint64_t value)
{
	const char *const *words = unit_value_words(type);

	for (uint64_t i = 0; words && words[i]; i++)
		if (i == value)
			return words[i];
	return NULL;
}
