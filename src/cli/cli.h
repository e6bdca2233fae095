/*
 * What every verb of `hob` works with: the options it was given, the place of its instance, and how
 * it speaks to a person. Results go to standard output; what failed, and progress, to standard
 * error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cli/option.h"
#include "os/place.h"

struct verb_info;

struct cli {
	const char *program; /* absolute path of the hob binary that runs */
	const struct verb_info *verb;
	struct option_values options; /* those of the verb, common ones included */
	const char *home;	      /* --home, or NULL */
	bool json;		      /* -o json */
	bool colour;		      /* standard output is a terminal and wants it */
	bool interactive;	      /* standard error is a terminal: progress may be shown */
	bool has_place;
	struct place place; /* by cli_place() only */
};

/* The value of an option of this verb ("" for a flag), or NULL where it was not given. */
const char *cli_option(const struct cli *cli, const char *name);
static inline bool cli_has(const struct cli *cli, const char *name)
{
	return cli_option(cli, name) != NULL;
}

/* The place, found at first use. NULL with an error. */
const struct place *cli_place(struct cli *cli, struct error *error);

/* "hob: TEXT" on standard error; returns the error's exit status. */
int cli_fail(const struct error *error);
/* The same from a format. */
int cli_fail_text(enum exit_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "web" of "web.service"; valid until the next call. */
const char *cli_short_name(const char *unit_name);

/* Runs `hob`: finds the verb, parses its options, runs it. The exit status. */
int cli_main(int argc, char **argv);
