/*
 * Options of a verb as a table, which feeds the parser, --help, the completion and a test of the
 * man page. Long ones take their value as --name=VALUE or --name VALUE, short ones as -nVALUE or -n
 * VALUE; flags without a value may stand together; "--" ends them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct option_info {
	const char *name;     /* "settle" */
	char letter;	      /* 0: none */
	const char *argument; /* "SPAN"; NULL: a flag */
	const char *help;     /* one line */
};

/* One that was given. */
struct option_value {
	const struct option_info *option;
	const char *value; /* "" for a flag */
};

struct option_values {
	struct option_value *items;
	size_t n;
};

/*
 * Takes the options out of argv (argc words, none of them the verb) and leaves the operands in it,
 * in order; *ret_n_operands says how many. Tables end with a row without a name; two are looked
 * through, the second may be NULL. options_first: the first operand ends the options.
 * 0, -ENOMEM, or -EINVAL with an error that offers the nearest option.
 */
int option_parse(const struct option_info *own, const struct option_info *common,
	bool options_first, int argc, char **argv, struct option_values *ret_values,
	int *ret_n_operands, struct error *error);
void option_values_done(struct option_values *values);

/* The value of the last one of that name, or NULL. */
const char *option_value(const struct option_values *values, const char *name);
/* All of that name in order: start with *position 0; NULL ends. */
const char *option_next(const struct option_values *values, const char *name, size_t *position);
