/*
 * The verbs of `hob`: one file and one row each. The table feeds the dispatcher, help, completion
 * and a test of the man page.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

enum {
	VERB_OPTIONS_FIRST = 1 << 0, /* the first operand ends the options (a command follows) */
	VERB_HIDDEN = 1 << 1,
};
#define VERB_ANY (-1)

struct verb_info {
	const char *name;
	const char *operands; /* "UNIT...", for the usage line; "" for none */
	int n_min, n_max;     /* operands; n_max VERB_ANY: no limit */
	unsigned flags;
	const char *summary;		   /* one line */
	const char *text;		   /* further lines for --help, or NULL */
	const struct option_info *options; /* ends with a row without a name; NULL: none */
	/* Operands in argv; options through cli_option(). Returns the exit status. */
	int (*run)(struct cli *cli, int argc, char **argv);
};

/* Ends with a row without a name. */
extern const struct verb_info verbs[];
/* --home, --help: what every verb takes. */
extern const struct option_info common_options[];

const struct verb_info *verb_find(const char *name);

/* A row for the tables of verbs that can answer in JSON. */
#define OPTION_OUTPUT                                                                              \
	{                                                                                          \
		"output", 'o', "FORMAT", "text or json"                                            \
	}

int verb_run(struct cli *cli, int argc, char **argv);
int verb_start(struct cli *cli, int argc, char **argv);
int verb_stop(struct cli *cli, int argc, char **argv);
int verb_restart(struct cli *cli, int argc, char **argv);
int verb_reload(struct cli *cli, int argc, char **argv);
int verb_kill(struct cli *cli, int argc, char **argv);
int verb_status(struct cli *cli, int argc, char **argv);
int verb_list(struct cli *cli, int argc, char **argv);
int verb_why(struct cli *cli, int argc, char **argv);
int verb_show(struct cli *cli, int argc, char **argv);
int verb_cat(struct cli *cli, int argc, char **argv);
int verb_logs(struct cli *cli, int argc, char **argv);
int verb_wait(struct cli *cli, int argc, char **argv);
int verb_forget(struct cli *cli, int argc, char **argv);
int verb_shutdown(struct cli *cli, int argc, char **argv);
int verb_version(struct cli *cli, int argc, char **argv);
int verb_help(struct cli *cli, int argc, char **argv);

/* The options of each, in the verb's own file; those that several share, in verb.c and start.c. */
extern const struct option_info quiet_options[], output_options[], run_options[], start_options[],
	kill_options[], list_options[], logs_options[], forget_options[], shutdown_options[],
	help_options[];
