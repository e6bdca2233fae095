/*
 * hob's own events: one JSON line each, at most PIPE_BUF so that a write is whole (pipe(7)), into a
 * FIFO that init keeps and the logger empties into events.jsonl. The line is written before its
 * sequence number is raised in the record file: after a crash between the two a number is used
 * twice, and readers skip the repeat. A full FIFO loses lines, which the next line counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/logchannel.h"
#include "supervisor/logger.h"

#define EVENT_TEXT_MAX                                                                             \
	3000 /* bytes of the sentence: with escapes and the rest it stays below PIPE_BUF */

int eventlog_open(struct driver *driver)
{
	struct id128 epoch = driver->table.header->epoch;
	_cleanup_(freep) char *path = logger_fifo_path(driver, LOG_EVENTS_NAME, epoch);

	if (!path)
		return -ENOMEM;
	int r = logger_keep_fifo(driver, LOG_EVENTS_NAME, epoch);
	if (r < 0)
		return r;
	/* O_RDWR: init's copy may not have arrived yet, and O_WRONLY would be refused without a
	 * reader. */
	driver->events_fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	return driver->events_fd < 0 ? -errno : 0;
}

static char *render(struct driver *driver, uint64_t sequence, const char *unit_name,
	const char *event, const char *text)
{
	json_t *line = json_pack("{s:I, s:I, s:I, s:s*, s:s, s:o*}", "seq", (json_int_t)sequence,
		"time", (json_int_t)clock_wall_us(), "mono", (json_int_t)clock_monotonic_us(),
		"unit", unit_name, "event", event, "text",
		text ? json_stringn(text, strnlen(text, EVENT_TEXT_MAX)) : NULL);

	if (line && driver->events_lost > 0)
		json_object_set_new(line, "lost", json_integer((json_int_t)driver->events_lost));
	char *result = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	return result;
}

void eventlog_write(
	struct driver *driver, const char *unit_name, const char *event, const char *text)
{
	uint64_t sequence = store_word(driver->store, STORE_EVENT_SEQUENCE) + 1;

	if (driver->events_fd < 0)
		return;
	_cleanup_(freep) char *line = render(driver, sequence, unit_name, event, text);
	size_t length = line ? strlen(line) : 0;
	if (!line || length + 1 > PIPE_BUF) {
		driver->events_lost++;
		return;
	}
	line[length] = '\n'; /* in place of the NUL: the line is not a string from here on */
	if (write(driver->events_fd, line, length + 1) != (ssize_t)(length + 1)) {
		driver->events_lost++;
		return;
	}
	driver->events_lost = 0;
	store_set_word(driver->store, STORE_EVENT_SEQUENCE, sequence);
}
