/*
 * Two steps: physical lines are joined into a logical one, then that is taken apart. Joining keeps
 * the blanks that systemd keeps (the backslash becomes one), since they matter inside quotes.
 */
#include "unit/lex.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "base/text.h"
#include "unit/unit.h"
#include "unit/word.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct line {
	const char *data;
	size_t size;
};

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r' || c == '\0';
}

/* The next physical line without its end: LF, CR, CR LF, LF CR or NUL. */
static bool next_physical(struct lexer *lexer, struct line *line)
{
	const char *data = lexer->data;
	size_t end = lexer->position;

	if (lexer->position == 0 && lexer->size >= strlen(BYTE_ORDER_MARK) &&
		memcmp(data, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		end = lexer->position = strlen(BYTE_ORDER_MARK);
	if (lexer->position >= lexer->size)
		return false;
	while (end < lexer->size && !is_line_end(data[end]))
		end++;
	*line = (struct line){data + lexer->position, end - lexer->position};
	lexer->line++;

	if (end < lexer->size)
		end++;
	if (end < lexer->size && ((data[end - 1] == '\r' && data[end] == '\n') ||
					 (data[end - 1] == '\n' && data[end] == '\r')))
		end++;
	lexer->position = end;
	return true;
}

static bool is_comment(const struct line *line)
{
	for (size_t i = 0; i < line->size; i++)
		if (line->data[i] != ' ' && line->data[i] != '\t')
			return line->data[i] == '#' || line->data[i] == ';';
	return false;
}

/* An odd number of backslashes at the end: the last one asks for the next line. */
static bool asks_for_more(const struct buf *joined)
{
	size_t n = 0;

	while (n < joined->size && joined->data[joined->size - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* 1: a logical line is in joined; 0: the end; -EMSGSIZE: too long; -ENOMEM. */
static int join_lines(struct lexer *lexer, unsigned *ret_line)
{
	bool is_continued = false;
	struct line line;

	buf_clear(&lexer->joined);
	while (next_physical(lexer, &line)) {
		if (is_comment(&line))
			continue;
		if (!is_continued)
			*ret_line = lexer->line;
		if (line.size > UNIT_LINE_MAX - lexer->joined.size)
			return -EMSGSIZE;
		int r = buf_append(&lexer->joined, line.data, line.size);
		if (r < 0)
			return r;
		is_continued = asks_for_more(&lexer->joined);
		if (!is_continued)
			return 1;
		lexer->joined.data[lexer->joined.size - 1] = ' ';
	}
	return is_continued;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Cuts blanks off the end and returns where the rest begins. */
static char *strip(char *text)
{
	size_t size = strlen(text);

	while (size > 0 && is_blank(text[size - 1]))
		text[--size] = '\0';
	return text + strspn(text, WORD_BLANKS);
}

static void take_apart(char *text, struct lex_token *token)
{
	size_t size = strlen(text);

	if (!text_is_utf8(text, size)) {
		token->kind = LEX_NOT_UTF8;
		return;
	}
	if (text[0] == '[') {
		token->kind = text[size - 1] == ']' ? LEX_SECTION : LEX_BAD_SECTION;
		if (token->kind == LEX_SECTION)
			text[size - 1] = '\0';
		token->name = text + (token->kind == LEX_SECTION);
		return;
	}
	char *equals = strchr(text, '=');
	token->name = text;
	if (!equals || equals == text) {
		token->kind = equals ? LEX_NO_KEY : LEX_NO_EQUALS;
		return;
	}
	*equals = '\0';
	token->kind = LEX_ASSIGNMENT;
	token->name = strip(text);
	token->value = strip(equals + 1);
}

int lexer_next(struct lexer *lexer, struct lex_token *token)
{
	for (;;) {
		*token = (struct lex_token){.kind = LEX_END};
		int r = join_lines(lexer, &token->line);
		if (r == -EMSGSIZE) {
			token->kind = LEX_TOO_LONG;
			return 0;
		}
		if (r <= 0)
			return r;
		char *text = strip(lexer->joined.data);
		if (*text == '\0')
			continue;
		take_apart(text, token);
		return 0;
	}
}

void lexer_done(struct lexer *lexer)
{
	buf_done(&lexer->joined);
}
