/* Bytes a program wrote, made harmless for a terminal; UTF-8 (RFC 3629). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

bool text_is_utf8(const char *data, size_t size);
/* Appends data with controls (but tab) and invalid UTF-8 as \xHH; U+0080..U+009F too. Never ends a
 * line. */
int text_append_harmless(struct buf *buf, const char *data, size_t size);
/* Appends a word quoted so that a POSIX shell reads it back; bare where no quotes are needed. */
int text_append_shell_quoted(struct buf *buf, const char *word);
