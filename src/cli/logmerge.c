/*
 * A k-way merge that looks at the next line of each source. Within a source the order is that of the
 * bytes, whatever its times say: a clock that was set back must not shuffle a log. So a source's key is
 * the greatest time it has shown so far, which also places lines without a time.
 */
#include "cli/logmerge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"
#include "base/text.h"

#define EVENTS_BACK 1000 /* events looked through, at least, for those among the last lines */

struct logmerge_source {
	char *name; /* NULL: the events */
	struct logread *reader;
	struct logline line;
	bool has_line, is_watched;
	bool is_dry; /* in this pass it had no more */
	uint64_t key_us;
	uint64_t last_sequence; /* of events */
	json_t *event;          /* of the line, parsed */
};

static void forget_line(struct logmerge_source *source)
{
	source->has_line = false;
	json_decref(source->event);
	source->event = NULL;
}

void logmerge_done(struct logmerge *merge)
{
	for (size_t i = 0; i < merge->n_sources; i++) {
		forget_line(&merge->sources[i]);
		logread_close(merge->sources[i].reader);
		free(merge->sources[i].name);
	}
	free(merge->sources);
	*merge = (struct logmerge){0};
}

static struct logmerge_source *find(const struct logmerge *merge, const char *name, size_t size)
{
	for (size_t i = 0; i < merge->n_sources; i++) {
		const char *other = merge->sources[i].name;
		if (name ? other && strlen(other) == size && memcmp(other, name, size) == 0 : !other)
			return &merge->sources[i];
	}
	return NULL;
}

static int open_source(const char *log_dir, const char *name, struct logmerge_source *source)
{
	_cleanup_(buf_done) struct buf path = {0};

	if (!name)
		return logread_open(LOGSET_EVENTS, log_dir, &source->reader);
	source->name = strdup(name);
	buf_printf(&path, "%s/%s", log_dir, name);
	if (!source->name || buf_status(&path) < 0)
		return -ENOMEM;
	return logread_open(LOGSET_OUTPUT, path.data, &source->reader);
}

int logmerge_add(struct logmerge *merge, const char *log_dir, const char *name)
{
	struct logmerge_source source = {0};

	if (find(merge, name, name ? strlen(name) : 0))
		return 0;
	if (merge->n_sources == merge->capacity) {
		size_t capacity = merge->capacity ? merge->capacity * 2 : 16;
		struct logmerge_source *more = realloc(merge->sources, capacity * sizeof(*more));
		if (!more)
			return -ENOMEM;
		merge->sources = more;
		merge->capacity = capacity;
	}
	int r = open_source(log_dir, name, &source);
	if (r < 0) {
		free(source.name);
		return r;
	}
	merge->sources[merge->n_sources++] = source;
	return 0;
}

bool logmerge_exists(const struct logmerge *merge, const char *name)
{
	const struct logmerge_source *source = find(merge, name, name ? strlen(name) : 0);

	return source && logread_exists(source->reader);
}

/* ---- events ---- */

static const char *event_string(const json_t *event, const char *name)
{
	const char *text = json_string_value(json_object_get(event, name));

	return text ? text : "";
}

/* The length of a unit's name without its suffix. */
static size_t short_length(const char *unit)
{
	size_t size = strlen(unit), suffix = strlen(".service");

	return size > suffix && strcmp(unit + size - suffix, ".service") == 0 ? size - suffix : size;
}

/* Parses the line as an event. False: it is none that is wanted. */
static bool take_event(struct logmerge *merge, struct logmerge_source *source)
{
	json_t *event = json_loadb(source->line.data, source->line.size, 0, NULL);

	if (!json_is_object(event)) {
		json_decref(event);
		return false;
	}
	uint64_t sequence = (uint64_t)json_integer_value(json_object_get(event, "seq"));
	const char *unit = event_string(event, "unit");
	/* A supervisor that was killed between writing and noting the number uses it again. */
	bool is_repeat = sequence != 0 && sequence == source->last_sequence;
	if (is_repeat || (merge->names_only && !find(merge, unit, short_length(unit)))) {
		json_decref(event);
		return false;
	}
	source->last_sequence = sequence;
	source->line.wall_us = (uint64_t)json_integer_value(json_object_get(event, "time"));
	source->line.monotonic_us = (uint64_t)json_integer_value(json_object_get(event, "mono"));
	source->event = event;
	return true;
}

/* ---- the next line ---- */

static bool is_wanted(const struct logmerge *merge, const struct logmerge_source *source)
{
	uint64_t wall_us = source->line.wall_us;

	if (wall_us == 0)
		return true;
	return wall_us >= merge->since_us && wall_us <= merge->until_us;
}

/* Makes sure that the source has its next line. 1, 0: it has none now, or a negative errno. */
static int fetch(struct logmerge *merge, struct logmerge_source *source, bool flush)
{
	while (!source->has_line) {
		/* An event is whole or nothing. */
		int r = source->is_dry ? 0 : logread_next(source->reader, flush && source->name, &source->line);
		if (r <= 0) {
			source->is_dry = true;
			return r;
		}
		if (!source->name && !take_event(merge, source))
			continue;
		if (!is_wanted(merge, source)) {
			forget_line(source);
			continue;
		}
		source->has_line = true;
		if (source->line.wall_us > source->key_us)
			source->key_us = source->line.wall_us;
	}
	return 1;
}

static int next_source(struct logmerge *merge, bool flush, struct logmerge_source **ret_source)
{
	struct logmerge_source *first = NULL;

	for (size_t i = 0; i < merge->n_sources; i++) {
		struct logmerge_source *source = &merge->sources[i];
		int r = fetch(merge, source, flush);
		if (r < 0)
			return r;
		if (r > 0 && (!first || source->key_us < first->key_us))
			first = source;
	}
	*ret_source = first;
	return first != NULL;
}

/* Before a pass over the lines there are: asks each source once where it ends. */
static void begin_pass(struct logmerge *merge)
{
	for (size_t i = 0; i < merge->n_sources; i++)
		merge->sources[i].is_dry = false;
}

/* ---- seeking ---- */

static void start_over(struct logmerge_source *source)
{
	forget_line(source);
	source->key_us = source->last_sequence = 0;
}

int logmerge_seek_start(struct logmerge *merge)
{
	int r = 0;

	for (size_t i = 0; i < merge->n_sources && r == 0; i++) {
		start_over(&merge->sources[i]);
		r = logread_seek_time(merge->sources[i].reader, merge->since_us);
	}
	return r;
}

static int seek_each(struct logmerge *merge, uint64_t n)
{
	for (size_t i = 0; i < merge->n_sources; i++) {
		struct logmerge_source *source = &merge->sources[i];
		start_over(source);
		int r = logread_seek_last(source->reader, source->name || n > EVENTS_BACK ? n : EVENTS_BACK);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Passes over all lines there are, at most n_max of them. Their number or a negative errno. */
static int64_t skip(struct logmerge *merge, uint64_t n_max)
{
	struct logmerge_source *source;
	uint64_t n = 0;
	int r = 0;

	begin_pass(merge);
	while (n < n_max && (r = next_source(merge, true, &source)) > 0) {
		forget_line(source);
		n++;
	}
	return r < 0 ? r : (int64_t)n;
}

/* Counted first, skipped then: nothing is kept, however many lines are asked for. */
int logmerge_seek_last(struct logmerge *merge, uint64_t n)
{
	int r = seek_each(merge, n);
	int64_t total = r < 0 ? r : skip(merge, UINT64_MAX);
	if (total >= 0)
		r = seek_each(merge, n);
	if (total < 0 || r < 0)
		return total < 0 ? (int)total : r;
	int64_t skipped = (uint64_t)total > n ? skip(merge, (uint64_t)total - n) : 0;
	return skipped < 0 ? (int)skipped : 0;
}

/* ---- writing ---- */

static void append_text(const struct logmerge *merge, struct buf *out, const char *data, size_t size)
{
	if (merge->form == LOGMERGE_HARMLESS)
		text_append_harmless(out, data, size);
	else
		buf_append(out, data, size);
}

static void render_text(const struct logmerge *merge, const struct logmerge_source *source, struct buf *out)
{
	const struct logline *line = &source->line;
	const json_t *event = source->event;

	if (event && merge->colour)
		buf_append_string(out, "\033[2m");
	if (line->wall_us)
		span_render_time(out, line->wall_us);
	else
		buf_append_string(out, "                      -");
	if (event) {
		const char *unit = event_string(event, "unit");
		const char *text = event_string(event, "text");
		if (!*text)
			text = event_string(event, "event");
		buf_append_string(out, " hob: ");
		append_text(merge, out, unit, short_length(unit));
		if (*unit)
			buf_append_string(out, ": ");
		append_text(merge, out, text, strlen(text));
		if (merge->colour)
			buf_append_string(out, "\033[0m");
	} else {
		buf_printf(out, " %s: ", source->name);
		append_text(merge, out, line->data, line->size);
	}
	buf_append_char(out, '\n');
}

/* Bytes that are no text become what a terminal would be shown. */
static json_t *json_text(const struct logline *line)
{
	_cleanup_(buf_done) struct buf text = {0};

	if (text_is_utf8(line->data, line->size) && !memchr(line->data, '\0', line->size))
		return json_stringn(line->data, line->size);
	text_append_harmless(&text, line->data, line->size);
	return json_stringn(text.data ? text.data : "", text.size);
}

static void render_json(const struct logmerge_source *source, struct buf *out)
{
	const struct logline *line = &source->line;
	json_t *object = source->event;

	if (object)
		json_incref(object);
	else
		object = json_pack("{s:I, s:I, s:s, s:o}", "time", (json_int_t)line->wall_us, "mono",
			(json_int_t)line->monotonic_us, "name", source->name, "line", json_text(line));
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	if (text)
		buf_printf(out, "%s\n", text);
	free(text);
	json_decref(object);
}

static void render(const struct logmerge *merge, const struct logmerge_source *source, struct buf *out)
{
	if (merge->form == LOGMERGE_JSON) {
		render_json(source, out);
	} else if (merge->form == LOGMERGE_RAW) {
		buf_append(out, source->line.data, source->line.size);
		if (source->line.has_newline)
			buf_append_char(out, '\n');
	} else {
		render_text(merge, source, out);
	}
}

int logmerge_write(struct logmerge *merge, FILE *file, bool flush)
{
	_cleanup_(buf_done) struct buf out = {0};
	struct logmerge_source *source;
	int r;

	begin_pass(merge);
	while ((r = next_source(merge, flush, &source)) > 0) {
		buf_clear(&out);
		render(merge, source, &out);
		forget_line(source);
		if (buf_status(&out) < 0)
			return buf_status(&out);
		if (fwrite(out.data, 1, out.size, file) != out.size)
			return -EIO;
	}
	return r;
}

int logmerge_watch(struct logmerge *merge, int inotify_fd)
{
	int left = 0;

	for (size_t i = 0; i < merge->n_sources; i++) {
		struct logmerge_source *source = &merge->sources[i];
		if (source->is_watched)
			continue;
		int r = logread_watch(source->reader, inotify_fd);
		if (r < 0)
			return r;
		source->is_watched = r > 0;
		left |= r == 0;
	}
	return left;
}
