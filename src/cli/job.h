/*
 * Jobs: what changes a service. From the call, with a progress line while it is waited for, to the
 * sentence a person reads and the exit status a script gets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/client.h"

#define JOB_INTERRUPTED 130 /* exit status: Ctrl-C ended the waiting, 128 + SIGINT */

/* What a verb that makes jobs is. */
struct job_verb {
	const char *method; /* WIRE_STOP */
	const char *doing;  /* "stopping", for the progress line */
	const char *done;   /* "stopped"; NULL: the service's new state is told */
	bool may_start_instance;
	bool absent_is_done;	/* a unit that is there, but no instance: nothing to do */
	bool failed_is_failure; /* exit status 1 where the service is failed then */
	bool at_once; /* several units are asked for together, not one after the other */
	bool quiet;
	/* Adds the verb's own parameters. 0, or a negative errno with the error set; may be NULL.
	 */
	int (*add)(struct cli *cli, json_t *parameters, struct error *error);
};

/* The job for each unit named, told in their order. The exit status; 1 where several units
 * disagree. */
int job_units(struct cli *cli, const struct job_verb *verb, int argc, char **argv);

/*
 * One call on an open client; takes the reference to parameters, gives them "unit" and, where there
 * is none, "request".
 * Returns as client_call().
 */
int job_call(struct client *client, const struct job_verb *verb, const char *unit,
	json_t *parameters, struct wire_reply *ret_reply, struct error *error);
/* Tells how it ended. */
int job_report(
	struct client *client, const struct job_verb *verb, const char *unit, const json_t *job);
/* Tells why there was no answer. */
int job_refused(struct cli *cli, const char *unit, int code, struct error *error);

/* "web" or "web.service" as a unit's name, malloc'd. */
int job_unit_name(const char *typed, char **ret_unit, struct error *error);
/* --settle SPAN into settle_usec; 1 s by default. */
int job_add_settle(struct cli *cli, json_t *parameters, struct error *error);
