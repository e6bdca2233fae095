/*
 * Names of rotated logs: PREFIX FIRST SUFFIX, where FIRST is the time of the first byte in UTC and,
 * where that is taken or the clock went back, a number: 20261122T101500.123456Z[-N]. Their order is
 * the order of their bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LOGNAME_SIZE 48
#define LOGNAME_FILES_MAX 100000 /* a directory with more is not read: -E2BIG */

struct logname {
	char first[LOGNAME_SIZE]; /* without prefix and suffix */
};

/* FIRST of a time and a number (0: none). */
void logname_render(uint64_t wall_us, unsigned number, struct logname *ret_name);
/* FIRST as its parts. 0 or -EINVAL. */
int logname_parse(const char *first, uint64_t *ret_wall_us, unsigned *ret_number);
/* As strcmp. Both are valid. */
int logname_compare(const struct logname *a, const struct logname *b);
/*
 * All names in a directory with this prefix and suffix, oldest first, malloc'd; others are passed over.
 * 0 or a negative errno.
 */
int logname_list(int directory_fd, const char *prefix, const char *suffix,
	struct logname **ret_names, size_t *ret_n);
