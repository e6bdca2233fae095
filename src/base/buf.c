/*
 * Growth is by half again, from 64 bytes, so that a chain of appends costs a few reallocations.
 * One byte more than asked for is always there: the final NUL needs no second check.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 64

static int fail(struct buf *buf, int code)
{
	buf->failed = code;
	return code;
}

int buf_reserve(struct buf *buf, size_t size)
{
	if (buf->failed)
		return buf->failed;
	if (size > BUF_SIZE_MAX - buf->size)
		return fail(buf, -EOVERFLOW);
	size_t needed = buf->size + size + 1;
	if (needed <= buf->capacity)
		return 0;
	size_t capacity = buf->capacity + buf->capacity / 2;
	if (capacity < needed)
		capacity = needed;
	if (capacity < CAPACITY_MIN)
		capacity = CAPACITY_MIN;
	char *data = realloc(buf->data, capacity);
	if (!data)
		return fail(buf, -ENOMEM);
	data[buf->size] = '\0';
	buf->data = data;
	buf->capacity = capacity;
	return 0;
}

int buf_append(struct buf *buf, const void *data, size_t size)
{
	int r = buf_reserve(buf, size);
	if (r < 0)
		return r;
	if (size > 0)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
	return 0;
}

int buf_append_string(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_append_char(struct buf *buf, char c)
{
	return buf_append(buf, &c, 1);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list ap;
	int r = buf_reserve(buf, CAPACITY_MIN);
	if (r < 0)
		return r;

	size_t room = buf->capacity - buf->size;
	va_start(ap, format);
	int n = vsnprintf(buf->data + buf->size, room, format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room) {
		buf->data[buf->size] = '\0';
		r = buf_reserve(buf, (size_t)n);
		if (r < 0)
			return r;
		va_start(ap, format);
		n = vsnprintf(buf->data + buf->size, buf->capacity - buf->size, format, ap);
		va_end(ap);
	}
	if (n < 0) {
		buf->data[buf->size] = '\0';
		return fail(buf, -EOVERFLOW);
	}
	buf->size += (size_t)n;
	return 0;
}

void buf_consume(struct buf *buf, size_t size)
{
	if (size == 0)
		return;
	if (size >= buf->size) {
		buf->size = 0;
	} else {
		memmove(buf->data, buf->data + size, buf->size - size);
		buf->size -= size;
	}
	if (buf->data)
		buf->data[buf->size] = '\0';
}

void buf_clear(struct buf *buf)
{
	buf->size = 0;
	buf->failed = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

char *buf_take_string(struct buf *buf)
{
	if (!buf->failed && !buf->data)
		buf_reserve(buf, 0);
	if (buf->failed) {
		buf_done(buf);
		return NULL;
	}
	char *text = buf->data;
	*buf = (struct buf){0};
	return text;
}
