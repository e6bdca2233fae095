/*
 * UTF-8 is checked by ranges of the second byte, as RFC 3629's table gives them: that excludes
 * overlong forms, surrogates and what is beyond U+10FFFF without decoding anything.
 */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

/* The bytes of the character at data, 1 to 4; 0: not UTF-8. */
static size_t character_size(const unsigned char *data, size_t size)
{
	unsigned char lead = data[0], low = 0x80, high = 0xbf;
	size_t length;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (size < length)
		return 0;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (data[1] < low || data[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((data[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

bool text_is_utf8(const char *data, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)data;

	for (size_t i = 0; i < size;) {
		size_t length = character_size(bytes + i, size - i);
		if (length == 0)
			return false;
		i += length;
	}
	return true;
}

/* Bytes at data that are one harmless character; 0: the first byte is to be escaped. */
static size_t harmless_size(const unsigned char *data, size_t size)
{
	size_t length = character_size(data, size);

	if (length == 1 && ((data[0] < 0x20 && data[0] != '\t') || data[0] == 0x7f))
		return 0;
	if (length == 2 && data[0] == 0xc2 && data[1] < 0xa0) /* U+0080..U+009F, the C1 controls */
		return 0;
	return length;
}

int text_append_harmless(struct buf *buf, const char *data, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)data;
	size_t clean = 0; /* where the bytes begin that are not yet appended */
	size_t i = 0;

	while (i < size) {
		size_t length = harmless_size(bytes + i, size - i);
		if (length > 0) {
			i += length;
			continue;
		}
		buf_append(buf, data + clean, i - clean);
		buf_printf(buf, "\\x%02x", bytes[i]);
		clean = ++i;
	}
	buf_append(buf, data + clean, i - clean);
	return buf_status(buf);
}

static bool needs_no_quotes(const char *word)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "%+,-./:=@_";
	/* A leading '=' is zsh's, a word with '=' first in a line is an assignment: both only
	 * matter for a command's first word, which is a path or a name. */
	return *word != '\0' && word[strspn(word, safe)] == '\0';
}

int text_append_shell_quoted(struct buf *buf, const char *word)
{
	if (needs_no_quotes(word))
		return buf_append_string(buf, word);
	buf_append_char(buf, '\'');
	for (;;) {
		size_t length = strcspn(word, "'");
		buf_append(buf, word, length);
		word += length;
		if (*word == '\0')
			break;
		buf_append_string(buf, "'\\''");
		word++;
	}
	return buf_append_char(buf, '\'');
}
