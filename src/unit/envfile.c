/*
 * A state machine over bytes: no line is read twice and a value may span lines. The states and
 * their transitions are those of systemd.exec(5) as its tests show them. Values are bytes, not
 * text: a caller's environment need not be UTF-8, and is kept in such a file.
 */
#include "unit/exec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

#define N_VARIABLES_MAX 4096

enum state {
	BEFORE_NAME,
	NAME,
	BEFORE_VALUE,
	VALUE,
	VALUE_ESCAPE,
	SINGLE_QUOTED,
	DOUBLE_QUOTED,
	DOUBLE_QUOTED_ESCAPE,
	COMMENT,
	COMMENT_ESCAPE,
};

struct reader {
	enum state state;
	struct buf assignment; /* "NAME" and, from BEFORE_VALUE on, "NAME=VALUE" */
	size_t kept;	       /* bytes of it that blanks at its end are not cut off from */
	struct strv *env;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

/* Adds a byte that counts even at the end. */
static void keep(struct reader *reader, char c)
{
	buf_append_char(&reader->assignment, c);
	reader->kept = reader->assignment.size;
}

static void cut_blanks(struct reader *reader)
{
	struct buf *buf = &reader->assignment;

	while (buf->size > reader->kept && is_blank(buf->data[buf->size - 1]))
		buf->size--;
	if (buf->data)
		buf->data[buf->size] = '\0';
}

/* A name is anything without blanks and quotes: names that no shell takes are passed on as well. */
static bool is_name(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || text[i] == '"' ||
			text[i] == '\'' || text[i] == '\\')
			return false;
	return size > 0;
}

/* 0, -ENOMEM, -E2BIG. */
static int finish_assignment(struct reader *reader)
{
	int r = buf_status(&reader->assignment);
	if (r < 0)
		return r;
	cut_blanks(reader);
	const char *text = reader->assignment.data;
	if (is_name(text, strcspn(text, "="))) {
		if (reader->env->n >= N_VARIABLES_MAX)
			return -E2BIG;
		r = strv_set_env(reader->env, text);
	}
	buf_clear(&reader->assignment);
	reader->kept = 0;
	reader->state = BEFORE_NAME;
	return r;
}

static void read_name(struct reader *reader, char c)
{
	if (is_line_end(c)) {
		buf_clear(&reader->assignment);
		reader->state = BEFORE_NAME;
	} else if (c == '=') {
		reader->kept = 0;
		cut_blanks(reader);
		keep(reader, '=');
		reader->state = BEFORE_VALUE;
	} else {
		buf_append_char(&reader->assignment, c);
	}
}

static int read_value(struct reader *reader, char c)
{
	if (is_line_end(c))
		return finish_assignment(reader);
	if (c == '\\')
		reader->state = VALUE_ESCAPE;
	else if (reader->state == BEFORE_VALUE && c == '\'')
		reader->state = SINGLE_QUOTED;
	else if (reader->state == BEFORE_VALUE && c == '"')
		reader->state = DOUBLE_QUOTED;
	else if (reader->state == VALUE || !is_blank(c)) {
		buf_append_char(&reader->assignment, c);
		reader->state = VALUE;
	}
	return 0;
}

/* Within double quotes: a backslash only means something before one of "\`$ and a line's end. */
static void read_double_quoted(struct reader *reader, char c)
{
	if (reader->state == DOUBLE_QUOTED_ESCAPE) {
		reader->state = DOUBLE_QUOTED;
		if (c == '\n')
			return;
		if (!strchr("\"\\`$", c))
			keep(reader, '\\');
		keep(reader, c);
	} else if (c == '"') {
		reader->state = BEFORE_VALUE;
	} else if (c == '\\') {
		reader->state = DOUBLE_QUOTED_ESCAPE;
	} else {
		keep(reader, c);
	}
}

static int read_byte(struct reader *reader, char c)
{
	switch (reader->state) {
	case BEFORE_NAME:
		if (c == '#' || c == ';') {
			reader->state = COMMENT;
		} else if (!is_blank(c)) {
			reader->state = NAME;
			read_name(reader, c);
		}
		return 0;
	case NAME:
		read_name(reader, c);
		return 0;
	case BEFORE_VALUE:
	case VALUE:
		return read_value(reader, c);
	case VALUE_ESCAPE:
		reader->state = VALUE;
		if (!is_line_end(c))
			keep(reader, c);
		return 0;
	case SINGLE_QUOTED:
		if (c == '\'')
			reader->state = BEFORE_VALUE;
		else
			keep(reader, c);
		return 0;
	case DOUBLE_QUOTED:
	case DOUBLE_QUOTED_ESCAPE:
		read_double_quoted(reader, c);
		return 0;
	case COMMENT:
		reader->state = c == '\\' ? COMMENT_ESCAPE : is_line_end(c) ? BEFORE_NAME : COMMENT;
		return 0;
	case COMMENT_ESCAPE:
		reader->state = is_line_end(c) ? BEFORE_NAME : COMMENT;
		return 0;
	}
	return 0;
}

static void reader_done(struct reader *reader)
{
	buf_done(&reader->assignment);
}

static int refuse(struct error *error, const char *path, unsigned line, int r)
{
	if (r == -E2BIG)
		return error_set(error, EXIT_USAGE, -EBADMSG, "%s:%u: more than %d variables", path,
			line, N_VARIABLES_MAX);
	if (r == -EBADMSG)
		return error_set(error, EXIT_USAGE, r, "%s:%u: a NUL byte", path, line);
	return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "%s: out of memory", path);
}

int envfile_parse(
	const char *path, const char *text, size_t size, struct strv *env, struct error *error)
{
	_cleanup_(reader_done) struct reader reader = {.env = env};
	unsigned line = 1;
	int r = 0;

	for (size_t i = 0; i < size && r == 0; i++) {
		r = text[i] == '\0' ? -EBADMSG : read_byte(&reader, text[i]);
		line += text[i] == '\n' && r == 0;
	}
	bool is_open = reader.state >= BEFORE_VALUE && reader.state <= DOUBLE_QUOTED_ESCAPE;
	if (r == 0 && is_open)
		r = finish_assignment(&reader);
	return r < 0 ? refuse(error, path, line, r) : 0;
}

int envfile_render(struct buf *buf, const char *assignment)
{
	size_t name_size = strcspn(assignment, "=");

	if (assignment[name_size] == '\0' || assignment[0] == '#' || assignment[0] == ';' ||
		!is_name(assignment, name_size))
		return -EINVAL;
	buf_append(buf, assignment, name_size);
	buf_append_string(buf, "=\"");
	for (const char *c = assignment + name_size + 1; *c; c++) {
		if (strchr("\"\\`$", *c))
			buf_append_char(buf, '\\');
		buf_append_char(buf, *c);
	}
	return buf_append_string(buf, "\"\n");
}
