/*
 * A failure as a person needs it: what failed (step, errno, exit status or signal), after how long,
 * the command, the run's own last lines, and what to type next.
 */
#pragma once

#include <stdio.h>
#include <jansson.h>

#include "cli/client.h"

/*
 * On standard error. service, run: of the reply (NULL or null: not known); text: the supervisor's,
 * or "".
 */
void failure_print(struct client *client, const char *unit, const json_t *service,
	const json_t *run, const char *text);
/* The exit status that belongs to it: 126, 127 where the program could not be executed, else 1. */
int failure_status(const json_t *run);

/* How the run ended, with the path or name that a set-up step failed on. Appended. */
void failure_describe(struct buf *out, struct client *client, const char *unit,
	const json_t *service, const json_t *run);
/* "  last lines:" and at most n_max of them, of the run; nothing where there are none. */
void failure_print_tail(FILE *file, struct client *client, const char *unit, const json_t *service,
	const json_t *run, unsigned n_max);
