/*
 * A unit file cannot hold every string: a line's end ends a value, and a backslash there joins two
 * lines. Such values are refused, never written: they could bring lines of their own.
 */
#include "cli/assignments.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define KEY_SIZE_MAX 64

/* Sections in the order they are written. */
static const char *const sections[] = {"Unit", "Service", "X-Hob"};

static int no_memory(const struct assignments *assignments)
{
	return error_set(assignments->error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
}

int assignments_init(struct assignments *assignments, const char *unit_name, struct error *error)
{
	*assignments = (struct assignments){.error = error};
	return unit_builder_new(unit_name, &assignments->builder, error);
}

void assignments_done(struct assignments *assignments)
{
	unit_builder_freep(&assignments->builder);
	strv_done(&assignments->items);
	*assignments = (struct assignments){0};
}

static int check_representable(
	const struct assignments *assignments, const char *option, const char *assignment)
{
	size_t size = strlen(assignment);

	for (size_t i = 0; i < size; i++) {
		if (iscntrl((unsigned char)assignment[i]) && assignment[i] != '\t')
			return error_set(assignments->error, EXIT_USAGE, -EINVAL,
				"--%s: the value holds a control character", option);
	}
	if (size > 0 && assignment[size - 1] == '\\')
		return error_set(assignments->error, EXIT_USAGE, -EINVAL,
			"--%s: the value ends in a backslash, which a unit file cannot hold",
			option);
	return 0;
}

int assignments_add(struct assignments *assignments, const char *option, const char *assignment)
{
	int r = check_representable(assignments, option, assignment);

	if (r < 0)
		return r;
	r = unit_builder_set(assignments->builder, assignment, assignments->error);
	if (r == -ENOMEM)
		return no_memory(assignments);
	if (r < 0) {
		error_prefix(assignments->error, "--%s", option);
		assignments->error->status = EXIT_USAGE;
		return r;
	}
	return strv_append(&assignments->items, assignment) < 0 ? no_memory(assignments) : 0;
}

int assignments_add_key(
	struct assignments *assignments, const char *option, const char *key, const char *value)
{
	_cleanup_(freep) char *assignment = NULL;

	if (asprintf(&assignment, "%s=%s", key, value) < 0) {
		assignment = NULL;
		return no_memory(assignments);
	}
	return assignments_add(assignments, option, assignment);
}

int assignments_add_literal(struct assignments *assignments, const char *option, const char *key,
	const char *prefix, const char *value)
{
	_cleanup_(buf_done) struct buf text = {0};

	buf_append_string(&text, prefix);
	for (; *value; value++) {
		buf_append_char(&text, *value);
		if (*value == '%')
			buf_append_char(&text, '%');
	}
	if (buf_status(&text) < 0)
		return no_memory(assignments);
	return assignments_add_key(assignments, option, key, text.data ? text.data : "");
}

static bool is_assigned(const struct assignments *assignments, const char *key, size_t size)
{
	for (size_t i = 0; i < assignments->items.n; i++) {
		const char *assignment = assignments->items.items[i];
		if (strncmp(assignment, key, size) == 0 && assignment[size] == '=')
			return true;
	}
	return false;
}

int assignments_add_defaults(struct assignments *assignments, const char *const *items, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (!is_assigned(assignments, items[i], strcspn(items[i], "=")))
			r = assignments_add(assignments, "property", items[i]);
	}
	return r;
}

static const char *section_of(const char *assignment)
{
	char name[KEY_SIZE_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(assignment, "= \t"), assignment);
	enum unit_key key = unit_key_find(NULL, name);
	return key == N_UNIT_KEYS ? "" : unit_keys[key].section;
}

int assignments_render(const struct assignments *assignments, char **ret_text)
{
	_cleanup_(buf_done) struct buf text = {0};

	buf_append_string(&text, "# Made by hob run.\n");
	for (size_t s = 0; s < ARRAY_SIZE(sections); s++) {
		buf_printf(&text, "%s[%s]\n", s == 0 ? "" : "\n", sections[s]);
		for (size_t i = 0; i < assignments->items.n; i++) {
			const char *assignment = assignments->items.items[i];
			if (strcmp(section_of(assignment), sections[s]) != 0)
				continue;
			buf_append_string(&text, assignment);
			buf_append_char(&text, '\n');
		}
	}
	*ret_text = buf_take_string(&text);
	return *ret_text ? 0 : no_memory(assignments);
}
