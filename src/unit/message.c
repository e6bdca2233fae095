/* What reading a unit said, in the order it was said. */
#include "unit/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* A file of nothing but mistakes is not to fill the memory with complaints. */
#define N_MESSAGES_MAX 1000

static int append(struct unit_messages *messages, enum unit_severity severity, char *text)
{
	if (messages->n == messages->capacity) {
		size_t capacity = messages->capacity ? messages->capacity * 2 : 4;
		struct unit_message *items =
			reallocarray(messages->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		messages->items = items;
		messages->capacity = capacity;
	}
	messages->items[messages->n++] = (struct unit_message){severity, text};
	return 0;
}

int unit_messages_add(struct unit_messages *messages, enum unit_severity severity, const char *path,
	unsigned line, const char *text)
{
	_cleanup_(buf_done) struct buf buf = {0};

	if (!messages || messages->n >= N_MESSAGES_MAX)
		return 0;
	if (path && line > 0)
		buf_printf(&buf, "%s:%u: ", path, line);
	else if (path)
		buf_printf(&buf, "%s: ", path);
	buf_append_string(&buf, text);
	if (messages->n == N_MESSAGES_MAX - 1)
		buf_append_string(&buf, " (nothing more is said about this unit)");
	_cleanup_(freep) char *taken = buf_take_string(&buf);
	if (!taken)
		return -ENOMEM;
	int r = append(messages, severity, taken);
	if (r == 0)
		taken = NULL;
	return r;
}

void unit_messages_done(struct unit_messages *messages)
{
	for (size_t i = 0; i < messages->n; i++)
		free(messages->items[i].text);
	free(messages->items);
	*messages = (struct unit_messages){0};
}
