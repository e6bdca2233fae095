/*
 * Values while a unit is being built: one growing struct a key, filled by the parse function of the
 * key's type. unit/pack makes the compact form of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"
#include "unit/command.h"
#include "unit/unit.h"

/* What a type's values are, seen as data. */
enum value_shape {
	SHAPE_NUMBER,	/* number */
	SHAPE_STRING,	/* strings, one */
	SHAPE_LIST,	/* strings */
	SHAPE_COMMANDS, /* commands */
	SHAPE_LIMIT,	/* limit */
	SHAPE_EXIT_SET, /* exit_set */
};

#define EXIT_SET_WORDS 5 /* 256 exit codes, then signals from 0 to 63 at bit SIGNAL - 1 */

/* Zero-initialised is unset. */
struct value {
	bool is_set;
	uint64_t number;
	struct strv strings;
	struct command_list commands;
	struct unit_limit limit;
	uint64_t exit_set[EXIT_SET_WORDS];
};

/* Where a value stands, and where to say what is wrong with it. */
struct value_input {
	enum unit_key key;
	const char *unit_name;
	const char *path; /* of the file; NULL: typed by a person */
	unsigned line;
	/* Warnings go here. NULL: whoever typed it is there, so what would be a warning is an
	 * error. */
	struct unit_messages *messages;
	struct error *error;
};

enum value_shape value_shape(enum unit_value_type type);

/*
 * Reads text into *value, after what is there for lists. 0; -EINVAL: not a value of that type,
 * *value is as it was (a list may have grown by the words before), error says why; -EBADMSG: the
 * unit must not be loaded; -ENOMEM. Empty text unsets.
 */
int value_parse(const struct value_input *in, const char *text, struct value *value);
/* For SHAPE_NUMBER types only: the number that text means to that key. 0, -EINVAL. */
int value_parse_number(enum unit_key key, const char *text, uint64_t *ret_number);
/* Appends a number as it would be written. */
int value_render_number(enum unit_value_type type, uint64_t number, struct buf *buf);
void value_reset(struct value *value);

/*
 * Says what is wrong but can be gone on from: a warning where there is a list for it, and 0; else
 * an error and -EINVAL. -ENOMEM.
 */
int value_warn(const struct value_input *in, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same as a note, which is never an error. */
int value_note(const struct value_input *in, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Replaces specifiers; *ret_text is malloc'd. 0, -EINVAL (see value_warn), -ENOMEM. */
int value_expand(const struct value_input *in, const char *text, char **ret_text);

/*
 * Appends a message, with "path:line: " before it (line 0: none). messages NULL: nobody wants to
 * know. 0 or -ENOMEM.
 */
int unit_messages_add(struct unit_messages *messages, enum unit_severity severity, const char *path,
	unsigned line, const char *text);

/* --- parse functions of unit/valuelist.c, unit/limit.c and unit/exitset.c, for the table in
 * unit/value.c --- */

int value_parse_list(const struct value_input *in, const char *text, struct value *value);
int value_parse_environment(const struct value_input *in, const char *text, struct value *value);
int value_parse_environment_file(
	const struct value_input *in, const char *text, struct value *value);
int value_parse_path(const struct value_input *in, const char *text, struct value *value);
int value_parse_working_directory(
	const struct value_input *in, const char *text, struct value *value);
int value_parse_string(const struct value_input *in, const char *text, struct value *value);
int value_parse_user(const struct value_input *in, const char *text, struct value *value);
int value_parse_stdio_input(const struct value_input *in, const char *text, struct value *value);
int value_parse_stdio_output(const struct value_input *in, const char *text, struct value *value);
int value_parse_ready(const struct value_input *in, const char *text, struct value *value);
int value_parse_commands(const struct value_input *in, const char *text, struct value *value);
int value_parse_limit(const struct value_input *in, const char *text, struct value *value);
int value_parse_exit_set(const struct value_input *in, const char *text, struct value *value);
/* Appends "soft:hard" or one number where they are the same. */
int value_render_limit(const struct unit_limit *limit, struct buf *buf);
int value_render_exit_set(const uint64_t exit_set[static EXIT_SET_WORDS], struct buf *buf);
/* Is "NAME=..." an assignment whose name a shell would take? */
bool value_is_assignment(const char *text);
