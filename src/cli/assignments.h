/*
 * Assignments of a unit being made: KEY=VALUE, each checked as it is added, so that the error can
 * name the option it came from; then rendered as the text of a unit file.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/strv.h"
#include "unit/unit.h"

struct assignments {
	struct unit_builder *builder; /* checks single ones; its unit is never finished */
	struct strv items;
	struct error *error; /* where every failure is told */
};

/* unit_name must be valid. 0 or a negative errno with the error set, as all of these. */
int assignments_init(struct assignments *assignments, const char *unit_name, struct error *error);
void assignments_done(struct assignments *assignments);

/* option: the one it came from, without dashes. -EINVAL (EXIT_USAGE): no such key, a bad value. */
int assignments_add(struct assignments *assignments, const char *option, const char *assignment);
int assignments_add_key(
	struct assignments *assignments, const char *option, const char *key, const char *value);
/* A value that is prefix and a literal text: specifiers in it are none. */
int assignments_add_literal(struct assignments *assignments, const char *option, const char *key,
	const char *prefix, const char *value);
/* Those whose keys are not assigned yet. */
int assignments_add_defaults(struct assignments *assignments, const char *const *items, size_t n);

/* The unit file, malloc'd: by section, in the order they were added. */
int assignments_render(const struct assignments *assignments, char **ret_text);
