/* Words of a value, as systemd splits them: blanks separate, quotes group, backslashes escape. */
#pragma once

enum word_flags {
	WORD_UNQUOTE = 1 << 0, /* "..." and '...' group and are removed */
	WORD_CUNESCAPE =
		1 << 1, /* C's escapes; without it a backslash only protects what follows */
	WORD_KEEP_UNKNOWN = 1 << 2, /* an unknown escape stays as it is written */
	WORD_RELAX = 1 << 3,	    /* the end of the text ends a quote or an escape too */
};

/*
 * The next word. 1: *ret_word is it, malloc'd, and *text stands at the next one (or the end).
 * 0: there is none. -EINVAL: an open quote, an unknown escape, a backslash at the end; *text stands
 * where it happened. -ENOMEM.
 */
int word_next(const char **text, unsigned flags, char **ret_word);

/* What separates words. */
#define WORD_BLANKS " \t\n\r"
