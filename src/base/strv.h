/*
 * A growing vector of strings, always NULL-terminated once something was added (an argv, an envp).
 * Invariant: zero-initialised is empty and valid; the vector owns its strings.
 */
#pragma once

#include <stddef.h>

struct strv {
	char **items;
	size_t n, capacity;
};

int strv_append(struct strv *strv, const char *text); /* copies; 0 or -ENOMEM */
int strv_append_n(struct strv *strv, const char *text, size_t size);
/* For "NAME=value" items: replaces the one of that name, else appends. 0, -EINVAL (no '='),
 * -ENOMEM. */
int strv_set_env(struct strv *strv, const char *assignment);
void strv_unset_env(struct strv *strv, const char *name);
const char *strv_get_env(const struct strv *strv, const char *name); /* the value or NULL */
void strv_done(struct strv *strv);
