/*
 * A growing byte buffer, always NUL-terminated behind its last byte once something was added.
 *
 * Invariant: zero-initialised is empty and valid. After a failed call (-ENOMEM, -EOVERFLOW) the
 * buffer is `failed`: later appends do nothing and return the same, so that a chain of appends is
 * checked once, with buf_status().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUF_SIZE_MAX (256u * 1024 * 1024)

struct buf {
	char *data;
	size_t size;	 /* bytes in use, the final NUL not counted */
	size_t capacity; /* bytes allocated */
	int failed;	 /* 0 or the negative errno of the first failure */
};

int buf_append(struct buf *buf, const void *data, size_t size);
int buf_append_string(struct buf *buf, const char *text);
int buf_append_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Removes the first `size` bytes. */
void buf_consume(struct buf *buf, size_t size);
/* Makes room for `size` more bytes at data + size. */
int buf_reserve(struct buf *buf, size_t size);
static inline int buf_status(const struct buf *buf)
{
	return buf->failed;
}
void buf_clear(struct buf *buf);
void buf_done(struct buf *buf);
/* The text as a malloc'd string which the caller frees; the buffer is empty after. NULL: failed or
 * no memory. */
char *buf_take_string(struct buf *buf);
