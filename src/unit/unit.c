/*
 * Reading a unit. Entries are few (some 20), sorted, 16 bytes each: a walk over them is as fast as
 * anything. Defaults are kept as text only, in the key table, and are read each time one is asked
 * for; those that depend on other keys are computed here, so that nothing is stored for them.
 */
#include "unit/unit.h"

#include <assert.h>
#include <stdlib.h>
#include "base/span.h"
#include "unit/pack.h"

struct unit *unit_ref(struct unit *unit)
{
	assert(unit->n_refs > 0);
	unit->n_refs++;
	return unit;
}

struct unit *unit_unref(struct unit *unit)
{
	if (!unit)
		return NULL;
	assert(unit->n_refs > 0);
	if (--unit->n_refs == 0)
		free(unit);
	return NULL;
}

void unit_unrefp(struct unit **unit)
{
	*unit = unit_unref(*unit);
}

bool unit_is_shared(const struct unit *unit)
{
	return unit->n_refs > 1;
}

const char *unit_name(const struct unit *unit)
{
	return unit->name;
}

uint64_t unit_text_hash(const struct unit *unit)
{
	return unit->text_hash;
}

const struct unit_entry *unit_find_entry(const struct unit *unit, enum unit_key key)
{
	for (uint32_t i = 0; i < unit->n_entries && unit->entries[i].key <= key; i++)
		if (unit->entries[i].key == key)
			return &unit->entries[i];
	return NULL;
}

bool unit_has(const struct unit *unit, enum unit_key key)
{
	return unit_find_entry(unit, key) != NULL;
}

/* systemd.service(5): Type= and NotifyAccess=; TimeoutStartSec= of Type=oneshot. */
static bool computed_default(const struct unit *unit, enum unit_key key, uint64_t *ret_value)
{
	uint64_t type, watchdog_us;

	switch (key) {
	case UNIT_TYPE:
		*ret_value = unit_has(unit, UNIT_EXEC_START) ? SERVICE_SIMPLE : SERVICE_ONESHOT;
		return true;
	case UNIT_TIMEOUT_START_SEC:
		*ret_value = SPAN_INFINITY;
		return unit_u64(unit, UNIT_TYPE) == SERVICE_ONESHOT;
	case UNIT_NOTIFY_ACCESS:
		type = unit_u64(unit, UNIT_TYPE);
		watchdog_us = unit_u64(unit, UNIT_WATCHDOG_SEC);
		*ret_value = type == SERVICE_NOTIFY || type == SERVICE_NOTIFY_RELOAD ||
					     (watchdog_us > 0 && watchdog_us != SPAN_INFINITY)
				     ? NOTIFY_MAIN
				     : NOTIFY_NONE;
		return true;
	default:
		return false;
	}
}

uint64_t unit_u64(const struct unit *unit, enum unit_key key)
{
	const struct unit_entry *entry = unit_find_entry(unit, key);
	uint64_t value = 0;

	assert(value_shape(unit_keys[key].type) == SHAPE_NUMBER);
	if (entry)
		return entry->number;
	if (computed_default(unit, key, &value) || !unit_keys[key].default_text)
		return value;
	int r = value_parse_number(key, unit_keys[key].default_text, &value);
	assert(r == 0);
	return value;
}

const char *unit_string(const struct unit *unit, enum unit_key key)
{
	const struct unit_entry *entry = unit_find_entry(unit, key);

	assert(value_shape(unit_keys[key].type) == SHAPE_STRING);
	return entry ? entry->text : unit_keys[key].default_text;
}

size_t unit_list(const struct unit *unit, enum unit_key key, const char *const **ret_items)
{
	static const char *const none[] = {NULL};
	const struct unit_entry *entry = unit_find_entry(unit, key);

	assert(value_shape(unit_keys[key].type) == SHAPE_LIST);
	*ret_items = entry ? entry->items : none;
	return entry ? entry->n : 0;
}

size_t unit_commands(
	const struct unit *unit, enum unit_key key, const struct exec_command **ret_commands)
{
	const struct unit_entry *entry = unit_find_entry(unit, key);

	assert(value_shape(unit_keys[key].type) == SHAPE_COMMANDS);
	*ret_commands = entry ? entry->commands : NULL;
	return entry ? entry->n : 0;
}

size_t unit_limits(const struct unit *unit, const struct unit_limit **ret_limits)
{
	size_t n = 0;

	*ret_limits = NULL;
	for (uint32_t i = 0; i < unit->n_entries; i++) {
		if (value_shape(unit_keys[unit->entries[i].key].type) != SHAPE_LIMIT)
			continue;
		if (n++ == 0)
			*ret_limits = unit->entries[i].limit;
	}
	return n;
}

bool unit_exit_set_has(const struct unit *unit, enum unit_key key, bool is_signal, int number)
{
	const struct unit_entry *entry = unit_find_entry(unit, key);

	assert(value_shape(unit_keys[key].type) == SHAPE_EXIT_SET);
	if (!entry || number < 0 || (is_signal ? number < 1 || number > 64 : number > 255))
		return false;
	unsigned bit = is_signal ? 256u + (unsigned)number - 1 : (unsigned)number;
	return entry->exit_set[bit / 64] >> (bit % 64) & 1;
}
