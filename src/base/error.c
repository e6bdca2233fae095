/*
 * Texts are formatted into a local array first: callers may pass the old text as an argument.
 * What came from outside (names, paths) may hold control characters; they become '?', a line's end
 * a blank, so that the text is one line on any terminal.
 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Cuts half a character off the end of a text that did not fit (UTF-8, RFC 3629). */
static void cut_at_character(char *text, size_t size)
{
	size_t lead = size;
	while (lead > 0 && size - lead < 4 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead == 0 || (unsigned char)text[lead - 1] < 0xc0)
		return;
	unsigned char c = (unsigned char)text[lead - 1];
	size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (size - (lead - 1) < length)
		text[lead - 1] = '\0';
}

static void make_one_line(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = (*c == '\n' || *c == '\t') ? ' ' : '?';
}

static void format_text(char text[static ERROR_TEXT_MAX], const char *format, va_list ap)
{
	int n = vsnprintf(text, ERROR_TEXT_MAX, format, ap);
	if (n < 0)
		text[0] = '\0';
	if (n >= ERROR_TEXT_MAX)
		cut_at_character(text, ERROR_TEXT_MAX - 1);
	make_one_line(text);
}

int error_set(struct error *error, enum exit_status status, int code, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;

	if (!error)
		return code;
	va_start(ap, format);
	format_text(text, format, ap);
	va_end(ap);
	error->status = status;
	error->code = code;
	memcpy(error->text, text, strlen(text) + 1);
	return code;
}

void error_prefix(struct error *error, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;

	if (!error)
		return;
	va_start(ap, format);
	format_text(text, format, ap);
	va_end(ap);

	size_t used = strlen(text);
	int n = snprintf(text + used, sizeof(text) - used, ": %s", error->text);
	if (n >= 0 && (size_t)n >= sizeof(text) - used)
		cut_at_character(text, sizeof(text) - 1);
	memcpy(error->text, text, strlen(text) + 1);
}
