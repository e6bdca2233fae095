/* From argv to a verb. Nothing is done here that a verb might not need: `hob status` is to be
 * quick. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "unit/unit.h"

#define VERBS_MAX 64

const char *cli_option(const struct cli *cli, const char *name)
{
	return option_value(&cli->options, name);
}

const struct place *cli_place(struct cli *cli, struct error *error)
{
	if (!cli->has_place && place_find(cli->home, &cli->place, error) < 0)
		return NULL;
	cli->has_place = true;
	return &cli->place;
}

int cli_fail(const struct error *error)
{
	fflush(stdout);
	print_error_line(error->text);
	return error->status;
}

int cli_fail_text(enum exit_status status, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	struct error error = {0};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	error_set(&error, status, -EINVAL, "%s", text);
	return cli_fail(&error);
}

const char *cli_short_name(const char *unit_name)
{
	static char name[UNIT_NAME_MAX + 1];
	static const char suffix[] = ".service";
	size_t size = strlen(unit_name);

	if (size >= sizeof(suffix) && strcmp(unit_name + size - strlen(suffix), suffix) == 0)
		size -= strlen(suffix);
	snprintf(name, sizeof(name), "%.*s", (int)size, unit_name);
	return name;
}

/* --- starting up --- */

/* Descriptors 0-2 that the caller closed must not become sockets of ours. */
static void make_standard_fds_safe(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* -o FORMAT */
static int apply_output(struct cli *cli, struct error *error)
{
	const char *format = cli_option(cli, "output");

	if (!format || strcmp(format, "text") == 0)
		return 0;
	if (strcmp(format, "json") != 0)
		return error_set(error, EXIT_USAGE, -EINVAL,
			"unknown output format %s: text or json", format);
	cli->json = true;
	return 0;
}

static int unknown_verb(const char *typed)
{
	const char *names[VERBS_MAX];
	size_t n = 0;

	for (const struct verb_info *verb = verbs; verb->name && n < VERBS_MAX; verb++)
		names[n++] = verb->name;
	const char *nearest = suggest_nearest(typed, names, n);
	if (nearest)
		return cli_fail_text(
			EXIT_USAGE, "unknown verb %s; did you mean %s?", typed, nearest);
	return cli_fail_text(EXIT_USAGE, "unknown verb %s; see: hob help", typed);
}

/* The verb's options and the number of its operands. */
static int run_verb(struct cli *cli, int argc, char **argv)
{
	const struct verb_info *verb = cli->verb;
	struct error error = {0};
	int n_operands;

	int r = option_parse(verb->options, common_options, verb->flags & VERB_OPTIONS_FIRST, argc,
		argv, &cli->options, &n_operands, &error);
	if (r == 0 && cli_has(cli, "help")) {
		print_verb_help(verb);
		return EXIT_DONE;
	}
	if (r == 0)
		r = apply_output(cli, &error);
	if (r < 0)
		return cli_fail(&error);
	if (cli_has(cli, "home"))
		cli->home = cli_option(cli, "home");
	if (n_operands < verb->n_min)
		return cli_fail_text(EXIT_USAGE, "%s needs: %s (hob %s --help says more)",
			verb->name, verb->operands, verb->name);
	if (verb->n_max != VERB_ANY && n_operands > verb->n_max)
		return cli_fail_text(
			EXIT_USAGE, "%s: one operand too many: %s", verb->name, argv[verb->n_max]);
	return verb->run(cli, n_operands, argv);
}

/* Options before the verb: the common ones, and --version. Returns how many words, or negative. */
static int parse_leading(struct cli *cli, int argc, char **argv, const char **ret_verb)
{
	int at = 1;

	for (; at < argc && argv[at][0] == '-' && !*ret_verb; at++) {
		if (strcmp(argv[at], "--version") == 0 || strcmp(argv[at], "-V") == 0)
			*ret_verb = "version";
		else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			*ret_verb = "help";
		else if (strncmp(argv[at], "--home=", 7) == 0)
			cli->home = argv[at] + 7;
		else if (strcmp(argv[at], "--home") == 0 && at + 1 < argc)
			cli->home = argv[++at];
		else
			return -EINVAL;
	}
	return at;
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
	const char *name = NULL;
	int at = parse_leading(cli, argc, argv, &name);

	if (at < 0)
		return cli_fail_text(EXIT_USAGE, "before the verb only --home DIR, --help and "
						 "--version may stand; see: hob help");
	if (!name && at >= argc) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	if (!name)
		name = argv[at++];
	cli->verb = verb_find(name);
	return cli->verb ? run_verb(cli, argc - at, argv + at) : unknown_verb(name);
}

int cli_main(int argc, char **argv)
{
	char program[4096];
	struct cli cli = {0};

	make_standard_fds_safe();
	/* A reader of our output that goes away (hob list | head -1) ends us, as usual. */
	signal(SIGPIPE, SIG_DFL);
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
	program[size > 0 ? size : 0] = '\0';
	cli.program = program;
	cli.colour = isatty(STDOUT_FILENO) && !(getenv("NO_COLOR") && *getenv("NO_COLOR"));
	cli.interactive = isatty(STDERR_FILENO);
	int status = dispatch(&cli, argc, argv);
	option_values_done(&cli.options);
	if (cli.has_place)
		place_done(&cli.place);
	if (fflush(stdout) != 0 && status == EXIT_DONE)
		status = cli_fail_text(
			EXIT_JOB_FAILED, "cannot write the output: %s", strerror(errno));
	return status;
}
