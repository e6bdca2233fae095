/*
 * The one table of unit-file keys: section, key, type, default, help. It feeds the parser,
 * `hob run -p`, `hob show`, the man page and completion. A row is an X(...) line in unit/key.def.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unit_key {
#define X(id, section, name, type, def, help) id,
#include "unit/key.def"
#undef X
	N_UNIT_KEYS
};

enum unit_value_type {
	VALUE_BOOL,
	VALUE_U64,
	VALUE_I64,     /* stored as two's complement in u64 */
	VALUE_SPAN,    /* us; bare number = seconds */
	VALUE_TIMEOUT, /* span where 0 means infinity */
	VALUE_SIZE,
	VALUE_MODE,
	VALUE_SIGNAL,
	VALUE_PERCENT, /* "10%", stored as 0..100 */
	VALUE_STRING,
	VALUE_PATH, /* absolute; WorkingDirectory= and such have their own type where more is
		       allowed */
	VALUE_WORKING_DIRECTORY, /* [-]PATH or ~ */
	VALUE_LIST,		 /* words, appended; reset by empty */
	VALUE_ENVIRONMENT,
	VALUE_ENVIRONMENT_FILE, /* [-]PATH list */
	VALUE_COMMANDS,
	VALUE_LIMIT, /* Limit*=: all go into one list */
	VALUE_EXIT_SET,
	VALUE_USER,
	VALUE_STDIO_INPUT,  /* null, file:PATH */
	VALUE_STDIO_OUTPUT, /* inherit, null, journal, file:, append:, truncate: */
	VALUE_SERVICE_TYPE,
	VALUE_RESTART,
	VALUE_KILL_MODE,
	VALUE_NOTIFY_ACCESS,
	VALUE_READY,   /* exec, notify, fd:N */
	VALUE_BACKOFF, /* constant, double */
};

struct unit_key_info {
	const char *section, *name;
	enum unit_value_type type;
	const char *default_text; /* as it would be written; NULL = unset */
	const char *help;
};

extern const struct unit_key_info unit_keys[N_UNIT_KEYS];

/* By section and name ("Service", "Restart"); section NULL: any. Returns N_UNIT_KEYS when there is
 * none. */
enum unit_key unit_key_find(const char *section, const char *name);

#define UNIT_KEY_TARGETS_MAX 2
/*
 * The keys that an assignment to this name sets: the key of that name, or those that an old or
 * combined name stands for (TimeoutSec=). Returns their number, 0 when there is no such name.
 */
size_t unit_key_targets(
	const char *section, const char *name, enum unit_key ret_keys[static UNIT_KEY_TARGETS_MAX]);
/* The key's name nearest to what was typed, or NULL. section NULL: any. */
const char *unit_key_nearest(const char *section, const char *name);

/* The words of a type whose values are words (VALUE_RESTART ...), NULL-terminated; else NULL. */
const char *const *unit_value_words(enum unit_value_type type);
/* The word of a value ("on-failure"), NULL when the value has none. */
const char *unit_value_word(enum unit_value_type type, uint64_t value);
