/*
 * How things look on a terminal: services, times, tables, help. All text that a program or a file
 * brought is made harmless first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/verb.h"

/* --- members of a reply --- */

/* The member, or "" / 0 / false where it is absent, null or of another type. */
const char *print_string(const json_t *object, const char *name);
int64_t print_int(const json_t *object, const char *name);
bool print_bool(const json_t *object, const char *name);
bool print_has(const json_t *object, const char *name);

/* --- pieces --- */

/* "hob: TEXT" on standard error. */
void print_error_line(const char *text);
/* "12 ms", "3.2 s": appended. */
void print_span(struct buf *out, int64_t us);
/* "2026-11-22 10:15:00 (3 min ago)". */
void print_since(struct buf *out, int64_t wall_us);
/*
 * How a run ended: "exited with status 1", "killed by SIGSEGV (core dumped)", "never ran: chdir
 * failed: No such file or directory". Nothing where it has not ended.
 */
void print_exit(struct buf *out, const json_t *run);
/* A line of a form: "  NAME:     VALUE"; nothing where value is empty. */
void print_field(FILE *file, const char *name, const char *value);
/* "\033[1;31m" and so on by the state, where colour is wanted; and its end. */
const char *print_state_colour(bool colour, const char *state);
const char *print_colour_end(bool colour);
/* JSON, indented, with a final newline. An exit status. */
int print_json(const json_t *value);

/* --- tables --- */

/* Rows of n columns, each as wide as its widest cell; the last is cut to the terminal's width. */
struct table_print {
	char **cells;
	size_t n_cells, capacity, n_columns;
	bool failed; /* no memory: nothing is printed */
};

/* A copy is kept. */
void table_cell(struct table_print *table, const char *text);
void table_print(struct table_print *table, FILE *file);
void table_done(struct table_print *table);

/* --- help --- */

void print_overview(FILE *file);
void print_verb_help(const struct verb_info *verb);
/* The bash completion script. */
void print_completion(void);
