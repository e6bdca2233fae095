/* The inside of struct unit, for unit/ only. */
#pragma once

#include <stdint.h>
#include "unit/unit.h"
#include "unit/value.h"

/* What is set of one key. Everything it points at lies in the unit's own allocation. */
struct unit_entry {
	uint16_t key;
	uint32_t n; /* items or commands */
	union {
		uint64_t number;
		const char *text;
		const char *const *items; /* NULL-terminated */
		const struct exec_command *commands;
		const struct unit_limit *limit; /* those of all keys lie one after the other */
		const uint64_t *exit_set;	/* EXIT_SET_WORDS */
	};
};

struct unit {
	uint32_t n_refs;
	uint32_t n_entries;
	uint64_t text_hash;
	const char *name;
	struct unit_entry entries[]; /* by key, ascending */
};

/* A unit with one reference. 0 or -ENOMEM. values has a value a key. */
int unit_pack(const char *name, uint64_t text_hash, const struct value values[static N_UNIT_KEYS],
	struct unit **ret_unit);
/* The entry of a key, or NULL. */
const struct unit_entry *unit_find_entry(const struct unit *unit, enum unit_key key);
