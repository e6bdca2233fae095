/*
 * A loop over characters with two bits of memory: the open quote, and whether a backslash came
 * before. The tables of systemd's own tests are the specification (extract-word, unit tests).
 */
#include "unit/word.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

/* A digit of base 8 or 16, or -1. */
static int digit(char c, int base)
{
	int value = c >= '0' && c <= '9'   ? c - '0'
		    : c >= 'a' && c <= 'f' ? c - 'a' + 10
		    : c >= 'A' && c <= 'F' ? c - 'A' + 10
					   : base;
	return value < base ? value : -1;
}

static int parse_digits(const char *text, unsigned n_digits, int base, uint32_t *ret_value)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n_digits; i++) {
		int d = digit(text[i], base);
		if (d < 0)
			return -EINVAL;
		value = value * (uint32_t)base + (uint32_t)d;
	}
	*ret_value = value;
	return 0;
}

static void append_character(struct buf *buf, uint32_t c)
{
	if (c < 0x80) {
		buf_append_char(buf, (char)c);
	} else if (c < 0x800) {
		buf_append_char(buf, (char)(0xc0 | c >> 6));
		buf_append_char(buf, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_append_char(buf, (char)(0xe0 | c >> 12));
		buf_append_char(buf, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_append_char(buf, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_append_char(buf, (char)(0xf0 | c >> 18));
		buf_append_char(buf, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_append_char(buf, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_append_char(buf, (char)(0x80 | (c & 0x3f)));
	}
}

/* Escapes with digits: \xHH and \NNN are bytes, \u and \U are characters. */
static int unescape_digits(const char *text, struct buf *buf)
{
	static const struct {
		char letter;
		unsigned n_digits;
		int base;
		bool is_byte;
	} forms[] = {{'x', 2, 16, true}, {'u', 4, 16, false}, {'U', 8, 16, false}};
	unsigned n_digits = 3, n_letters = 0;
	int base = 8;
	bool is_byte = true;
	uint32_t value;

	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++)
		if (*text == forms[i].letter) {
			n_digits = forms[i].n_digits;
			n_letters = 1;
			base = forms[i].base;
			is_byte = forms[i].is_byte;
		}
	if (parse_digits(text + n_letters, n_digits, base, &value) < 0)
		return -EINVAL;
	bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
	if (value == 0 || (is_byte ? value > 0xff : value > 0x10ffff || is_surrogate))
		return -EINVAL;
	if (is_byte)
		buf_append_char(buf, (char)value);
	else
		append_character(buf, value);
	return (int)(n_letters + n_digits);
}

/* What stands after a backslash: its length in the text, or -EINVAL. */
static int unescape(const char *text, struct buf *buf)
{
	static const char letters[] = "abfnrtv\\\"'s";
	static const char meanings[] = "\a\b\f\n\r\t\v\\\"' ";
	const char *letter = strchr(letters, *text);

	if (!letter)
		return unescape_digits(text, buf);
	buf_append_char(buf, meanings[letter - letters]);
	return 1;
}

/* One escape; *text stands behind the backslash. 0: more; 1: the word ends here. */
static int take_escape(const char **text, char quote, unsigned flags, struct buf *word)
{
	if (**text == '\0') {
		if ((flags & WORD_KEEP_UNKNOWN) && (quote == '\0' || (flags & WORD_RELAX)))
			buf_append_char(word, '\\');
		else if (!(flags & WORD_RELAX))
			return -EINVAL;
		return 1;
	}
	if (flags & WORD_CUNESCAPE) {
		int length = unescape(*text, word);
		if (length > 0) {
			*text += length;
			return 0;
		}
		if (!(flags & WORD_KEEP_UNKNOWN))
			return -EINVAL;
		buf_append_char(word, '\\');
	}
	buf_append_char(word, **text);
	*text += 1;
	return 0;
}

/* Reads one word; *text stands at its first character. 0, -EINVAL. */
static int take_word(const char **text, unsigned flags, struct buf *word)
{
	char quote = '\0';

	for (;;) {
		char c = **text;

		if (c == '\0')
			return quote == '\0' || (flags & WORD_RELAX) ? 0 : -EINVAL;
		if (quote == '\0' && strchr(WORD_BLANKS, c))
			return 0;
		*text += 1;
		if (c == '\\') {
			int r = take_escape(text, quote, flags, word);
			if (r != 0)
				return r < 0 ? r : 0;
		} else if (quote != '\0' && c == quote) {
			quote = '\0';
		} else if (quote == '\0' && (c == '"' || c == '\'') && (flags & WORD_UNQUOTE)) {
			quote = c;
		} else {
			buf_append_char(word, c);
		}
	}
}

int word_next(const char **text, unsigned flags, char **ret_word)
{
	_cleanup_(buf_done) struct buf word = {0};

	*text += strspn(*text, WORD_BLANKS);
	if (**text == '\0')
		return 0;
	int r = take_word(text, flags, &word);
	if (r < 0)
		return r;
	*text += strspn(*text, WORD_BLANKS);
	char *taken = buf_take_string(&word);
	if (!taken)
		return -ENOMEM;
	*ret_word = taken;
	return 1;
}
