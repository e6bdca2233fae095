/*
 * An error a person will read: made where it is known, carried up in one value.
 *
 * Invariant: text is one line without its final newline and says what to do where that is known.
 * Text that does not fit is cut at a character's boundary; nothing is allocated.
 */
#pragma once

#include <stdarg.h>

#define ERROR_TEXT_MAX 1024

/* Exit statuses of `hob` (hob(1), EXIT STATUS); the only place they are numbered. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_JOB_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_ACTIVE = 3,
	EXIT_NO_SUCH_UNIT = 4,
	EXIT_NOT_PERMITTED = 5,
	EXIT_TIMED_OUT = 6,
	EXIT_NO_ANSWER = 7,
	EXIT_ALREADY_RUNNING = 8,
	EXIT_CANNOT_EXECUTE = 126,
	EXIT_NOT_FOUND = 127,
};

struct error {
	enum exit_status status; /* what `hob` ends with because of this */
	int code;		 /* negative errno; 0 = no error is set */
	char text[ERROR_TEXT_MAX];
};

/*
 * Sets *error (which may be NULL: then nothing is stored). code: a negative errno.
 * Returns code, so that callers write: return error_set(error, EXIT_USAGE, -EINVAL, "...").
 */
int error_set(struct error *error, enum exit_status status, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "WHAT: " before the text there is, for callers that know more of the context. */
void error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
