/* A vector of owned strings; one spare slot for the NULL that ends it. */
#include "base/strv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 8

static int grow(struct strv *strv)
{
	if (strv->n + 2 <= strv->capacity)
		return 0;
	size_t capacity = strv->capacity ? strv->capacity * 2 : CAPACITY_MIN;
	char **items = reallocarray(strv->items, capacity, sizeof(*items));
	if (!items)
		return -ENOMEM;
	items[strv->n] = NULL;
	strv->items = items;
	strv->capacity = capacity;
	return 0;
}

int strv_append_n(struct strv *strv, const char *text, size_t size)
{
	int r = grow(strv);
	if (r < 0)
		return r;
	char *copy = malloc(size + 1);
	if (!copy)
		return -ENOMEM;
	if (size > 0)
		memcpy(copy, text, size);
	copy[size] = '\0';
	strv->items[strv->n++] = copy;
	strv->items[strv->n] = NULL;
	return 0;
}

int strv_append(struct strv *strv, const char *text)
{
	return strv_append_n(strv, text, strlen(text));
}

/* The index of "NAME=..." where name has size bytes; strv->n when there is none. */
static size_t find_env(const struct strv *strv, const char *name, size_t size)
{
	size_t i = 0;

	while (i < strv->n &&
		(strncmp(strv->items[i], name, size) != 0 || strv->items[i][size] != '='))
		i++;
	return i;
}

int strv_set_env(struct strv *strv, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	if (!equals)
		return -EINVAL;
	size_t i = find_env(strv, assignment, (size_t)(equals - assignment));
	if (i == strv->n)
		return strv_append(strv, assignment);
	char *copy = strdup(assignment);
	if (!copy)
		return -ENOMEM;
	free(strv->items[i]);
	strv->items[i] = copy;
	return 0;
}

void strv_unset_env(struct strv *strv, const char *name)
{
	size_t i = find_env(strv, name, strlen(name));
	if (i == strv->n)
		return;
	free(strv->items[i]);
	/* The NULL at the end moves along. */
	memmove(&strv->items[i], &strv->items[i + 1], (strv->n - i) * sizeof(*strv->items));
	strv->n--;
}

const char *strv_get_env(const struct strv *strv, const char *name)
{
	size_t size = strlen(name);
	size_t i = find_env(strv, name, size);

	return i < strv->n ? strv->items[i] + size + 1 : NULL;
}

void strv_done(struct strv *strv)
{
	for (size_t i = 0; i < strv->n; i++)
		free(strv->items[i]);
	free(strv->items);
	*strv = (struct strv){0};
}
