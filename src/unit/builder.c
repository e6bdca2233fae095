/*
 * One value a key, filled line by line; at the end the checks of systemd.service(5) that make a
 * unit unusable, then packing. Nothing is remembered of where a value came from: messages are made
 * while the line is at hand.
 */
#include "unit/unit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/checksum.h"
#include "base/cleanup.h"
#include "unit/foreign.h"
#include "unit/lex.h"
#include "unit/name.h"
#include "unit/pack.h"
#include "unit/value.h"

/* Sections by what is done with the lines in them. */
enum section_kind { SECTION_NONE, SECTION_READ, SECTION_SKIPPED };

struct unit_builder {
	char *name;
	uint64_t text_hash;
	bool has_bus_name; /* BusName= makes Type=dbus the default, which cannot be run */
	struct value values[N_UNIT_KEYS];

	/* while a file is read */
	const char *path;
	enum section_kind section_kind;
	char section[64];
	struct unit_messages *messages;
	struct error *error;
};

/* --- messages --- */

static int say(struct unit_builder *builder, enum unit_severity severity, unsigned line,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

static int say(struct unit_builder *builder, enum unit_severity severity, unsigned line,
	const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	struct error clean;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	error_set(&clean, EXIT_USAGE, -EINVAL, "%s", text); /* one line, no controls */
	return unit_messages_add(builder->messages, severity, builder->path, line, clean.text);
}

static int no_memory(struct error *error)
{
	return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
}

/* --- one line --- */

/* A line of a key that is not in the table. */
static int say_unknown(struct unit_builder *builder, unsigned line, const char *name)
{
	if (foreign_key_is_known(builder->section, name)) {
		bool is_command = strncmp(name, "Exec", 4) == 0 && strstr(name, "Path") == NULL;
		builder->has_bus_name |= strcmp(name, "BusName") == 0;
		return say(builder, UNIT_WARNING, line, "hob does not %s %s=%s",
			is_command ? "run" : "act on", name, is_command ? " yet" : "");
	}
	enum unit_key elsewhere = unit_key_find(NULL, name);
	if (elsewhere != N_UNIT_KEYS)
		return say(builder, UNIT_WARNING, line,
			"%s= is a key of [%s], in [%s] it is ignored", name,
			unit_keys[elsewhere].section, builder->section);
	const char *nearest = unit_key_nearest(builder->section, name);
	if (!nearest)
		nearest = unit_key_nearest(NULL, name);
	if (!nearest)
		return say(builder, UNIT_WARNING, line, "unknown key %.100s= in [%s], ignored",
			name, builder->section);
	return say(builder, UNIT_WARNING, line,
		"unknown key %.100s= in [%s], ignored; did you mean %s= of [%s]?", name,
		builder->section, nearest, unit_keys[unit_key_find(NULL, nearest)].section);
}

/* What is repeated of a value in a message; values of variables never are. */
static const char *shown(enum unit_key key, const char *text)
{
	return unit_keys[key].type == VALUE_ENVIRONMENT ? "..." : text;
}

static int assign_key(struct unit_builder *builder, unsigned line, enum unit_key key,
	const char *name, const char *text)
{
	struct error why = {0};
	struct value_input in = {
		.key = key,
		.unit_name = builder->name,
		.path = builder->path,
		.line = line,
		.messages = builder->messages,
		.error = &why,
	};

	int r = value_parse(&in, text, &builder->values[key]);
	if (r == -EINVAL)
		return say(builder, UNIT_WARNING, line, "%s=%.200s: %s; ignored", name,
			shown(key, text), why.text);
	if (r == -EBADMSG)
		return error_set(builder->error, EXIT_USAGE, r, "%s:%u: %s=%.200s: %s",
			builder->path, line, name, shown(key, text), why.text);
	return r;
}

static int assign(struct unit_builder *builder, const struct lex_token *token)
{
	enum unit_key keys[UNIT_KEY_TARGETS_MAX];

	if (builder->section_kind == SECTION_NONE)
		return say(builder, UNIT_WARNING, token->line,
			"%s= stands before any [Section], ignored", token->name);
	if (builder->section_kind == SECTION_SKIPPED || strncmp(token->name, "X-", 2) == 0)
		return 0;
	size_t n = unit_key_targets(builder->section, token->name, keys);
	if (n == 0)
		return say_unknown(builder, token->line, token->name);
	for (size_t i = 0; i < n; i++) {
		int r = assign_key(builder, token->line, keys[i], token->name, token->value);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_read(const char *section)
{
	for (size_t i = 0; i < N_UNIT_KEYS; i++)
		if (strcmp(unit_keys[i].section, section) == 0)
			return true;
	return false;
}

static int enter_section(struct unit_builder *builder, const struct lex_token *token)
{
	builder->section_kind = SECTION_SKIPPED;
	if (is_read(token->name)) {
		builder->section_kind = SECTION_READ;
		snprintf(builder->section, sizeof(builder->section), "%s", token->name);
		return 0;
	}
	if (strncmp(token->name, "X-", 2) == 0 || foreign_section_is_known(token->name))
		return 0;
	return say(builder, UNIT_WARNING, token->line, "unknown section [%.100s], skipped",
		token->name);
}

static int take_line(struct unit_builder *builder, const struct lex_token *token)
{
	switch (token->kind) {
	case LEX_SECTION:
		return enter_section(builder, token);
	case LEX_ASSIGNMENT:
		return assign(builder, token);
	case LEX_NO_EQUALS:
		return say(builder, UNIT_WARNING, token->line,
			"neither [Section] nor Key=Value, ignored: %.100s", token->name);
	case LEX_NO_KEY:
		return say(builder, UNIT_WARNING, token->line, "nothing before the '=', ignored");
	case LEX_NOT_UTF8:
		return say(builder, UNIT_WARNING, token->line, "the line is not UTF-8, ignored");
	case LEX_BAD_SECTION:
		return error_set(builder->error, EXIT_USAGE, -EBADMSG,
			"%s:%u: a section's line does not end in ']': %.100s", builder->path,
			token->line, token->name);
	case LEX_TOO_LONG:
		return error_set(builder->error, EXIT_USAGE, -EBADMSG,
			"%s:%u: a line of more than %d bytes", builder->path, token->line,
			UNIT_LINE_MAX);
	case LEX_END:
		break;
	}
	return 0;
}

/* --- public --- */

int unit_builder_new(const char *name, struct unit_builder **ret_builder, struct error *error)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	struct unit_name_parts parts;

	if (unit_name_split(name, &parts) < 0)
		return error_set(error, EXIT_USAGE, -EINVAL, "bad unit name \"%.300s\"", name);
	if (strcmp(parts.type, "service") != 0)
		return error_set(error, EXIT_USAGE, -EINVAL,
			"%s: hob loads services only, not units of type .%s", name, parts.type);
	if (parts.instance && parts.instance_size == 0)
		return error_set(error, EXIT_USAGE, -EINVAL,
			"%s is a template; name an instance of it, as in %.*s@one.service", name,
			(int)parts.prefix_size, parts.prefix);
	builder = calloc(1, sizeof(*builder));
	if (!builder)
		return no_memory(error);
	builder->name = strdup(name);
	if (!builder->name)
		return no_memory(error);
	/* With its NUL: "a" + "bc" is not "ab" + "c". */
	builder->text_hash = checksum64(0, name, strlen(name) + 1);
	*ret_builder = take(builder);
	return 0;
}

void unit_builder_freep(struct unit_builder **builder)
{
	if (!*builder)
		return;
	for (size_t i = 0; i < N_UNIT_KEYS; i++)
		value_reset(&(*builder)->values[i]);
	free((*builder)->name);
	free(*builder);
	*builder = NULL;
}

int unit_builder_add(struct unit_builder *builder, const char *path, const char *text, size_t size,
	struct unit_messages *messages, struct error *error)
{
	_cleanup_(lexer_done) struct lexer lexer = {.data = text, .size = size};
	struct lex_token token = {0};
	int r;

	if (size > UNIT_TEXT_MAX)
		return error_set(
			error, EXIT_USAGE, -EBADMSG, "%s: more than %d bytes", path, UNIT_TEXT_MAX);
	builder->text_hash = checksum64(builder->text_hash, text, size);
	builder->text_hash = checksum64(builder->text_hash, "", 1);
	builder->path = path;
	builder->section_kind = SECTION_NONE;
	builder->messages = messages;
	builder->error = error;
	do {
		r = lexer_next(&lexer, &token);
		if (r == 0)
			r = take_line(builder, &token);
	} while (r == 0 && token.kind != LEX_END);
	return r == -ENOMEM ? no_memory(error) : r;
}

int unit_builder_set(struct unit_builder *builder, const char *assignment, struct error *error)
{
	enum unit_key keys[UNIT_KEY_TARGETS_MAX];
	struct error why = {0};
	const char *equals = strchr(assignment, '=');

	if (!equals || equals == assignment)
		return error_set(
			error, EXIT_USAGE, -EINVAL, "\"%.200s\" is not KEY=VALUE", assignment);
	_cleanup_(freep) char *name = strndup(assignment, (size_t)(equals - assignment));
	if (!name)
		return no_memory(error);
	size_t n = unit_key_targets(NULL, name, keys);
	const char *nearest = n > 0 ? NULL : unit_key_nearest(NULL, name);
	if (n == 0 && (foreign_key_is_known("Service", name) || foreign_key_is_known("Unit", name)))
		return error_set(error, EXIT_USAGE, -EINVAL, "hob does not act on %s=", name);
	if (n == 0)
		return error_set(error, EXIT_USAGE, -EINVAL, "unknown unit key \"%.100s\"%s%s%s",
			name, nearest ? "; did you mean " : "", nearest ? nearest : "",
			nearest ? "?" : "");
	for (size_t i = 0; i < n; i++) {
		struct value_input in = {.key = keys[i], .unit_name = builder->name, .error = &why};
		const char *value = equals + 1 + strspn(equals + 1, " \t\n\r");
		int r = value_parse(&in, value, &builder->values[keys[i]]);
		if (r == -ENOMEM)
			return no_memory(error);
		if (r < 0)
			return error_set(error, EXIT_USAGE, -EINVAL, "%s=%.200s: %s", name,
				shown(keys[i], value), why.text);
	}
	builder->text_hash = checksum64(builder->text_hash, assignment, strlen(assignment) + 1);
	return 0;
}

/* --- load checks --- */

static uint64_t type_of(const struct unit_builder *builder)
{
	if (builder->values[UNIT_TYPE].is_set)
		return builder->values[UNIT_TYPE].number;
	if (builder->has_bus_name)
		return SERVICE_DBUS;
	return builder->values[UNIT_EXEC_START].is_set ? SERVICE_SIMPLE : SERVICE_ONESHOT;
}

static int set_type(struct unit_builder *builder, enum service_type type)
{
	builder->values[UNIT_TYPE].is_set = true;
	builder->values[UNIT_TYPE].number = type;
	return 0;
}

static int check_type(struct unit_builder *builder)
{
	switch (type_of(builder)) {
	case SERVICE_FORKING:
		return error_set(builder->error, EXIT_USAGE, -EBADMSG,
			"%s: Type=forking is not supported by this version of hob; start the "
			"program "
			"in the foreground and use Type=exec",
			builder->name);
	case SERVICE_DBUS:
		return error_set(builder->error, EXIT_USAGE, -EBADMSG,
			"%s: Type=dbus%s is not supported by this version of hob; use Type=exec or "
			"Type=notify",
			builder->name,
			builder->values[UNIT_TYPE].is_set ? "" : " (because of BusName=)");
	case SERVICE_IDLE:
		set_type(builder, SERVICE_SIMPLE);
		return say(builder, UNIT_WARNING, 0, "Type=idle is treated as Type=simple");
	case SERVICE_NOTIFY_RELOAD:
		set_type(builder, SERVICE_NOTIFY);
		return say(
			builder, UNIT_WARNING, 0, "Type=notify-reload is treated as Type=notify");
	default:
		return 0;
	}
}

/* Ready=exec and Ready=notify are other words for a Type=. Only fd:N stays. */
static int check_ready(struct unit_builder *builder)
{
	struct value *ready = &builder->values[UNIT_X_READY];

	if (!ready->is_set)
		return 0;
	const char *word = ready->strings.items[0];
	uint64_t type = type_of(builder);
	if (strncmp(word, "fd:", 3) == 0) {
		if (type == SERVICE_SIMPLE || type == SERVICE_EXEC)
			return 0;
		value_reset(ready);
		return say(builder, UNIT_WARNING, 0,
			"Ready=fd:N is ignored, since Type=%s has its own readiness",
			unit_value_word(VALUE_SERVICE_TYPE, type));
	}
	enum service_type wanted = strcmp(word, "notify") == 0 ? SERVICE_NOTIFY : SERVICE_EXEC;
	if (!builder->values[UNIT_TYPE].is_set)
		set_type(builder, wanted);
	else if (type != wanted) {
		int r = say(builder, UNIT_WARNING, 0, "Ready=%s is ignored, since Type=%s is set",
			word, unit_value_word(VALUE_SERVICE_TYPE, type));
		if (r < 0)
			return r;
	}
	value_reset(ready);
	return 0;
}

/* What makes a oneshot meaningless (systemd.service(5), Restart= and RestartForceExitStatus=). */
static const char *what_is_wrong_with_oneshot(const struct unit_builder *builder)
{
	const struct value *restart = &builder->values[UNIT_RESTART];

	if (restart->is_set &&
		(restart->number == RESTART_ALWAYS || restart->number == RESTART_ON_SUCCESS))
		return "Restart=always and Restart=on-success cannot be had with Type=oneshot";
	if (builder->values[UNIT_RESTART_FORCE_EXIT_STATUS].is_set)
		return "RestartForceExitStatus= cannot be had with Type=oneshot";
	return NULL;
}

static int check_commands(struct unit_builder *builder)
{
	const struct value *start = &builder->values[UNIT_EXEC_START];
	bool is_oneshot = type_of(builder) == SERVICE_ONESHOT;
	const char *wrong = NULL;

	if (!start->is_set)
		wrong = "there is no ExecStart=, so there is nothing to run";
	else if (start->commands.n > 1 && !is_oneshot)
		wrong = "more than one ExecStart= needs Type=oneshot";
	else if (is_oneshot)
		wrong = what_is_wrong_with_oneshot(builder);
	if (wrong)
		return error_set(
			builder->error, EXIT_USAGE, -EBADMSG, "%s: %s", builder->name, wrong);
	return 0;
}

int unit_builder_finish(struct unit_builder *builder, struct unit **ret_unit,
	struct unit_messages *messages, struct error *error)
{
	builder->messages = messages;
	builder->error = error;
	builder->path = builder->name;
	int r = check_type(builder);
	if (r == 0)
		r = check_ready(builder);
	if (r == 0)
		r = check_commands(builder);
	if (r == 0)
		r = unit_pack(builder->name, builder->text_hash, builder->values, ret_unit);
	return r == -ENOMEM ? no_memory(error) : r;
}
