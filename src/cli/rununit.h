/*
 * From the options of `hob run` to what the supervisor is asked for: a unit's name and text, and an
 * environment. Everything that can be wrong is found here, before anything is detached or changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/cli.h"

struct rununit {
	char *name;		/* "web.service" */
	char *text;		/* the unit file */
	struct buf environment; /* lines of an environment file; may hold any bytes */
	uint64_t settle_us;
};

/* argv: the command. environ: the caller's. 0 or a negative errno with the error set. */
int rununit_make(struct cli *cli, int argc, char **argv, char **caller_environment,
	struct rununit *ret_run, struct error *error);
void rununit_done(struct rununit *run);
