/* Pieces of output; help is in help.c. */
#include "cli/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/signame.h"
#include "base/span.h"
#include "base/text.h"
#include "os/clock.h"

#define FIELD_WIDTH 13 /* columns before the value of a field */
#define CELLS_GROW 256

const char *print_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

int64_t print_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool print_bool(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

bool print_has(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return value && !json_is_null(value);
}

void print_error_line(const char *text)
{
	_cleanup_(buf_done) struct buf line = {0};

	if (text_append_harmless(&line, text, strlen(text)) == 0)
		fprintf(stderr, "hob: %s\n", line.data ? line.data : "");
}

void print_span(struct buf *out, int64_t us)
{
	span_render_human(out, us > 0 ? (uint64_t)us : 0);
}

void print_since(struct buf *out, int64_t wall_us)
{
	_cleanup_(buf_done) struct buf time = {0};
	uint64_t now_us = clock_wall_us();
	uint64_t then_us = wall_us > 0 ? (uint64_t)wall_us : 0;

	if (span_render_time(&time, then_us) < 0)
		return;
	/* Seconds are enough here. */
	buf_printf(out, "%.*s (", (int)strcspn(time.data, "."), time.data);
	span_render_human(out, now_us > then_us ? now_us - then_us : 0);
	buf_append_string(out, " ago)");
}

static void print_signal(struct buf *out, const json_t *run, const char *end)
{
	char name[SIGNAME_TEXT_SIZE];

	buf_printf(out, "killed by %s%s", signame_render((int)print_int(run, "exit_signal"), name),
		end);
}

void print_exit(struct buf *out, const json_t *run)
{
	const char *kind = print_string(run, "exit");

	if (strcmp(kind, "exited") == 0) {
		buf_printf(out, "exited with status %d", (int)print_int(run, "exit_code"));
	} else if (strcmp(kind, "killed") == 0) {
		bool oom = strcmp(print_string(run, "result"), "oom-kill") == 0;
		print_signal(out, run, oom ? " (out of memory)" : "");
	} else if (strcmp(kind, "dumped") == 0) {
		print_signal(out, run, " (core dumped)");
	} else if (strcmp(kind, "step") == 0) {
		buf_printf(out, "never ran: step %s failed: %s", print_string(run, "step"),
			strerror((int)print_int(run, "errno")));
	} else if (strcmp(kind, "unknown") == 0) {
		buf_append_string(out, "ended, nobody saw how");
	}
}

void print_field(FILE *file, const char *name, const char *value)
{
	_cleanup_(buf_done) struct buf line = {0};

	if (!value || !*value || text_append_harmless(&line, value, strlen(value)) < 0)
		return;
	fprintf(file, "  %s:%*s%s\n", name, (int)(FIELD_WIDTH - strlen(name)), "", line.data);
}

const char *print_state_colour(bool colour, const char *state)
{
	if (!colour)
		return "";
	if (strcmp(state, "active") == 0)
		return "\033[32m";
	if (strcmp(state, "failed") == 0)
		return "\033[31m";
	return strcmp(state, "inactive") == 0 ? "" : "\033[33m";
}

const char *print_colour_end(bool colour)
{
	return colour ? "\033[0m" : "";
}

int print_json(const json_t *value)
{
	if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) < 0 || putchar('\n') == EOF)
		return cli_fail_text(
			EXIT_JOB_FAILED, "cannot write the output: %s", strerror(errno));
	return EXIT_DONE;
}

/* --- tables --- */

void table_cell(struct table_print *table, const char *text)
{
	_cleanup_(buf_done) struct buf cell = {0};

	if (table->n_cells == table->capacity) {
		char **grown = reallocarray(
			table->cells, table->capacity + CELLS_GROW, sizeof(*table->cells));
		if (!grown) {
			table->failed = true;
			return;
		}
		table->cells = grown;
		table->capacity += CELLS_GROW;
	}
	text_append_harmless(&cell, text, strlen(text));
	table->cells[table->n_cells] = buf_take_string(&cell);
	if (table->cells[table->n_cells])
		table->n_cells++;
	else
		table->failed = true;
}

/* Columns of text in UTF-8: its characters. Good enough for names and commands. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Prints at most `width` characters of text. */
static void print_cut(FILE *file, const char *text, size_t width)
{
	const char *end = text;

	for (; *end; end++) {
		if (((unsigned char)*end & 0xc0) != 0x80 && width-- == 0)
			break;
	}
	fwrite(text, 1, (size_t)(end - text), file);
}

/* The terminal's width, or no limit. */
static size_t terminal_width(FILE *file)
{
	struct winsize size = {0};

	if (ioctl(fileno(file), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return SIZE_MAX;
	return size.ws_col;
}

static size_t column_width(const struct table_print *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t w = width_of(table->cells[i]);
		width = w > width ? w : width;
	}
	return width;
}

static void print_row(const struct table_print *table, char *const *cells, const size_t *widths,
	size_t limit, FILE *file)
{
	size_t used = 0, last = table->n_columns - 1;

	for (size_t c = 0; c < last; c++) {
		fprintf(file, "%s%*s  ", cells[c], (int)(widths[c] - width_of(cells[c])), "");
		used += widths[c] + 2;
	}
	print_cut(file, cells[last], limit > used ? limit - used : 1);
	fputc('\n', file);
}

void table_print(struct table_print *table, FILE *file)
{
	size_t limit = terminal_width(file);
	size_t *widths = calloc(table->n_columns, sizeof(*widths));

	if (table->failed || !widths) {
		free(widths);
		return;
	}
	for (size_t c = 0; c < table->n_columns; c++)
		widths[c] = column_width(table, c);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		print_row(table, table->cells + i, widths, limit, file);
	free(widths);
}

void table_done(struct table_print *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table_print){0};
}
