/*
 * The environment that `hob run` gives a service: the caller's without what is of its terminal, its
 * session or another manager, then --env-file, then --env; the later one wins.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/strv.h"
#include "cli/cli.h"

/* caller: its environ. 0 or a negative errno with the error set. */
int environment_collect(
	const struct cli *cli, char **caller, struct strv *environment, struct error *error);

/* Is this variable of the caller's passed on? as_user: --user was given. */
bool environment_keeps(const char *assignment, bool as_user);
