/*
 * Numbers and sizes as text. Every function returns 0, -EINVAL (not such a thing) or -ERANGE, and
 * leaves its output untouched on failure. The whole text must match; surrounding blanks do not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

int number_parse_u64(const char *text, uint64_t max, uint64_t *ret_value);
int number_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value);
/* systemd's booleans: 1 yes y true t on / 0 no n false f off, any case. */
int number_parse_bool(const char *text, bool *ret_value);
/* An octal file mode up to 07777. */
int number_parse_mode(const char *text, uint32_t *ret_mode);
/* Bytes: NUMBER[K|M|G|T|P|E], base 1024, decimals and descending combinations allowed ("3.5G 4B").
 */
int size_parse(const char *text, uint64_t *ret_bytes);
/* Appends "1.5 MiB", "512 B": three significant digits. */
int size_render(struct buf *buf, uint64_t bytes);
