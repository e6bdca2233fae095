/*
 * Unit-file text into sections and assignments (systemd.syntax(7)): continuation lines joined,
 * comments and blank lines gone, a byte order mark and CR LF understood.
 */
#pragma once

#include <stddef.h>
#include "base/buf.h"

enum lex_kind {
	LEX_END,
	LEX_SECTION,	/* name */
	LEX_ASSIGNMENT, /* name, value */
	/* lines to warn about and to skip */
	LEX_NO_EQUALS,
	LEX_NO_KEY,
	LEX_NOT_UTF8,
	/* lines that make the whole file unusable */
	LEX_BAD_SECTION,
	LEX_TOO_LONG,
};

struct lex_token {
	enum lex_kind kind;
	unsigned line;		  /* the first physical line it stands on, from 1 */
	const char *name, *value; /* stripped; valid until the next call */
};

/* Set data and size, the rest zero. The text need not end in a NUL. */
struct lexer {
	const char *data;
	size_t size;
	size_t position;
	unsigned line;	   /* of the last physical line read */
	struct buf joined; /* the logical line at hand */
};

/* 0 or -ENOMEM. After LEX_END, LEX_BAD_SECTION and LEX_TOO_LONG do not call again. */
int lexer_next(struct lexer *lexer, struct lex_token *token);
void lexer_done(struct lexer *lexer);
