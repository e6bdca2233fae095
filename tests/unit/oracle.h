/*
 * Test vectors from outside the tree: JSON objects, one a line. Their folder is HOB_ORACLE_DIR,
 * else a "shared/oracle" beside the source tree that HOB_BUILD lies in. Where neither is there, the
 * test skips.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline const char *oracle_dir(void)
{
	static char path[4096];
	const char *dir = getenv("HOB_ORACLE_DIR"), *build = getenv("HOB_BUILD");

	if (dir && *dir)
		return dir;
	snprintf(path, sizeof(path), "%s/../../shared/oracle", build ? build : ".");
	return build && access(path, R_OK) == 0 ? path : NULL;
}

/* For main(): where there are no vectors, says so as TAP has it; the program then ends with 0. */
static inline bool oracle_is_missing(void)
{
	if (oracle_dir())
		return false;
	printf("1..0 # SKIP no test vectors: HOB_ORACLE_DIR is not set\n");
	return true;
}

/* The rows of NAME.jsonl as an array. */
static inline json_t *oracle_load(const char *name)
{
	char path[4200], *line = NULL;
	size_t capacity = 0;
	const char *dir = oracle_dir();

	snprintf(path, sizeof(path), "%s/%s.jsonl", dir, name);
	FILE *file = fopen(path, "re");
	if (!file)
		fail_msg("%s: cannot be read", path);
	json_t *rows = json_array();
	while (getline(&line, &capacity, file) > 0) {
		json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
		if (!row)
			fail_msg("%s: not JSON: %s", path, line);
		json_array_append_new(rows, row);
	}
	free(line);
	fclose(file);
	assert_true(json_array_size(rows) > 0);
	return rows;
}

static inline const char *oracle_string(json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}
