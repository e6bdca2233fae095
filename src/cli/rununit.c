/*
 * Each option becomes assignments, checked one by one by the unit's own builder so that the error
 * names the option; the text is made of them and read once more as a whole. So what is sent is what
 * a file with the same text would mean.
 *
 * Environment values go into a file of mode 0600 and never into the text, which `hob cat` shows.
 */
#include "cli/rununit.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/span.h"
#include "base/strv.h"
#include "cli/assignments.h"
#include "cli/environment.h"
#include "cli/program.h"
#include "cli/verb.h"
#include "unit/exec.h"
#include "unit/unit.h"
#include "wire/varlink.h"

#define SETTLE_DEFAULT_US (1 * USEC_PER_SEC)
#define ARGUMENT_SIZE_MAX (128 * 1024) /* MAX_ARG_STRLEN, execve(2); its NUL counted */

const struct option_info run_options[] = {
	{"name", 0, "NAME", "the service's name (default: the program's base name)"},
	{"description", 0, "TEXT", "what it is, for people"},
	{"restart", 0, "WHEN",
		"no, on-failure, always, on-success, on-abnormal (default on-failure)"},
	{"restart-delay", 0, "SPAN",
		"this delay before each restart (default 100ms doubling to 30s)"},
	{"give-up", 0, "N/SPAN", "no more restarts after N starts within SPAN (default: never)"},
	{"ready", 0, "HOW", "exec, notify, fd:N: how it is known to be ready (default exec)"},
	{"timeout", 0, "SPAN", "until it must be ready (default 90s)"},
	{"stop-timeout", 0, "SPAN", "from the stop signal to SIGKILL (default 90s)"},
	{"stop-signal", 0, "SIGNAL", "the stop signal (default SIGTERM)"},
	{"settle", 0, "SPAN", "go on watching this long after it is ready (default 1s; 0: not)"},
	{"user", 0, "USER[:GROUP]", "run as this user"},
	{"chdir", 0, "DIR", "working directory (default: where you stand)"},
	{"umask", 0, "MODE", "its umask (default 022)"},
	{"env", 0, "NAME=VALUE", "set a variable"},
	{"env-file", 0, "FILE", "variables from a file, read now"},
	{"clean-env", 0, NULL, "do not pass on your environment"},
	{"stdin", 0, "FILE", "standard input (default /dev/null)"},
	{"limit", 0, "NAME=N[:M]", "a resource limit: nofile, nproc, core, as, ..."},
	{"nice", 0, "N", "scheduling priority, -20 to 19"},
	{"oom-score", 0, "N", "OOM score adjustment, -1000 to 1000"},
	{"pidfile", 0, "FILE", "file that holds its pid while it runs"},
	{"log-size", 0, "SIZE", "a log file is rotated at this size (default 10M)"},
	{"log-keep", 0, "N", "rotated log files that are kept (default 5)"},
	{"replace", 0, NULL, "stop the running service of that name first"},
	{"wait", 0, NULL, "stay until it ends, and end with its exit status"},
	{"quiet", 'q', NULL, "say nothing but errors"},
	{"property", 'p', "KEY=VALUE", "any unit key, as in a unit file"},
	{0},
};

/* Options whose value is a key's value as it is. */
static const struct {
	const char *option, *key;
} plain_options[] = {
	{"description", "Description"},
	{"restart", "Restart"},
	{"restart-delay", "RestartSec"},
	{"timeout", "TimeoutStartSec"},
	{"stop-timeout", "TimeoutStopSec"},
	{"stop-signal", "KillSignal"},
	{"umask", "UMask"},
	{"nice", "Nice"},
	{"oom-score", "OOMScoreAdjust"},
	{"log-size", "LogSize"},
	{"log-keep", "LogKeep"},
};

/* What is so unless an option says otherwise. */
static const char *const default_assignments[] = {
	"Type=exec",
	"Restart=on-failure",
	"StartLimitIntervalSec=0",
};
static const char *const default_delay[] = {
	"RestartSec=100ms",
	"RestartMaxDelaySec=30s",
	"RestartBackoff=double",
	"RestartJitter=10%",
	"RestartImmediateAfterSec=10s",
	"RestartResetSec=60s",
};

struct maker {
	struct cli *cli;
	struct error *error;
	struct assignments assignments;
	struct rununit run;
};

static int no_memory(struct maker *maker)
{
	return error_set(maker->error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
}

/* --- files and directories --- */

static int make_absolute(struct maker *maker, const char *path, char **ret_path)
{
	_cleanup_(freep) char *here = NULL;
	char *absolute = NULL;

	if (path[0] != '/') {
		here = getcwd(NULL, 0);
		if (!here)
			return error_set(maker->error, EXIT_USAGE, -errno,
				"the working directory cannot be told (%s): give --chdir DIR",
				strerror(errno));
	}
	if (asprintf(&absolute, "%s%s%s", here ? here : "", here && *path ? "/" : "", path) < 0)
		return no_memory(maker);
	*ret_path = absolute;
	return 0;
}

static int set_directory(struct maker *maker, const char *directory)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *slashed = NULL;
	struct stat st;

	if (directory && !*directory)
		return error_set(maker->error, EXIT_USAGE, -EINVAL, "--chdir needs a directory");
	int r = make_absolute(maker, directory ? directory : "", &path);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return error_set(
			maker->error, EXIT_USAGE, -errno, "--chdir: %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return error_set(
			maker->error, EXIT_USAGE, -ENOTDIR, "--chdir: %s is not a directory", path);
	/* A slash at the end keeps blanks and backslashes before it. */
	if (asprintf(&slashed, "%s%s", path, strchr(" \t\\", path[strlen(path) - 1]) ? "/" : "") <
		0)
		return no_memory(maker);
	return assignments_add_literal(
		&maker->assignments, "chdir", "WorkingDirectory", "", slashed);
}

static int set_stdin(struct maker *maker, const char *file)
{
	_cleanup_(freep) char *path = NULL;
	struct stat st;

	if (!*file)
		return error_set(maker->error, EXIT_USAGE, -EINVAL, "--stdin needs a file");
	int r = make_absolute(maker, file, &path);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0 || access(path, R_OK) < 0)
		return error_set(
			maker->error, EXIT_USAGE, -errno, "--stdin: %s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return error_set(
			maker->error, EXIT_USAGE, -EISDIR, "--stdin: %s is a directory", path);
	return assignments_add_literal(
		&maker->assignments, "stdin", "StandardInput", "file:", path);
}

static int set_pidfile(struct maker *maker, const char *file)
{
	_cleanup_(freep) char *path = NULL;
	int r = make_absolute(maker, file, &path);

	if (r < 0)
		return r;
	char *slash = strrchr(path, '/');
	_cleanup_(freep) char *directory = strndup(path, (size_t)(slash - path) + 1);
	if (!directory)
		return -ENOMEM;
	if (access(directory, W_OK | X_OK) < 0)
		return error_set(maker->error, EXIT_USAGE, -errno, "--pidfile: %s: %s", directory,
			strerror(errno));
	return assignments_add_literal(&maker->assignments, "pidfile", "WritePIDFile", "", path);
}

/* --- single options --- */

/* N/SPAN */
static int set_give_up(struct maker *maker, const char *value)
{
	const char *slash = strchr(value, '/');
	_cleanup_(freep) char *count = slash ? strndup(value, (size_t)(slash - value)) : NULL;
	uint64_t n, span_us;

	if (!count || number_parse_u64(count, UINT32_MAX, &n) < 0 || n == 0 ||
		span_parse(slash + 1, USEC_PER_SEC, &span_us) < 0 || span_us == 0)
		return error_set(maker->error, EXIT_USAGE, -EINVAL,
			"--give-up: %s is not N/SPAN, as in 5/1min", value);
	int r = assignments_add_key(&maker->assignments, "give-up", "StartLimitBurst", count);
	return r < 0 ? r
		     : assignments_add_key(
			       &maker->assignments, "give-up", "StartLimitIntervalSec", slash + 1);
}

/* exec, notify, fd:N */
static int set_ready(struct maker *maker, const char *value)
{
	uint64_t fd;

	if (strcmp(value, "exec") == 0 || strcmp(value, "notify") == 0)
		return assignments_add_key(&maker->assignments, "ready", "Type", value);
	if (strncmp(value, "fd:", 3) == 0 && number_parse_u64(value + 3, INT32_MAX, &fd) == 0)
		return assignments_add_key(&maker->assignments, "ready", "Ready", value);
	return error_set(maker->error, EXIT_USAGE, -EINVAL,
		"--ready: %s is none of exec, notify, fd:N", value);
}

/* nofile=N[:M] */
static int set_limit(struct maker *maker, const char *value)
{
	char key[32] = "Limit";
	size_t size = strcspn(value, "=");

	if (!value[size] || size == 0 || size > sizeof(key) - sizeof("Limit"))
		return error_set(maker->error, EXIT_USAGE, -EINVAL,
			"--limit: %s is not NAME=N[:M], as in nofile=1024", value);
	for (size_t i = 0; i < size; i++)
		key[strlen("Limit") + i] = (char)toupper((unsigned char)value[i]);
	if (unit_key_find("Service", key) == N_UNIT_KEYS)
		return error_set(maker->error, EXIT_USAGE, -EINVAL,
			"--limit: there is no limit %.*s", (int)size, value);
	return assignments_add_key(&maker->assignments, "limit", key, value + size + 1);
}

static int is_number(const char *text)
{
	uint64_t number;

	return number_parse_u64(text, UINT32_MAX - 1, &number) == 0;
}

/* USER[:GROUP], which must exist; only root may name another. */
static int set_user(struct maker *maker, const char *value)
{
	size_t size = strcspn(value, ":");
	const char *group = value[size] ? value + size + 1 : NULL;
	_cleanup_(freep) char *user = strndup(value, size);

	if (!user)
		return no_memory(maker);
	if (!*user || (group && !*group))
		return error_set(
			maker->error, EXIT_USAGE, -EINVAL, "--user: %s is not USER[:GROUP]", value);
	const struct passwd *entry = getpwnam(user);
	if (!entry && !is_number(user))
		return error_set(
			maker->error, EXIT_USAGE, -ESRCH, "--user: there is no user %s", user);
	if (group && !is_number(group) && !getgrnam(group))
		return error_set(
			maker->error, EXIT_USAGE, -ESRCH, "--user: there is no group %s", group);
	uid_t uid = entry ? entry->pw_uid : (uid_t)strtoul(user, NULL, 10);
	if (geteuid() != 0 && uid != geteuid())
		return error_set(maker->error, EXIT_NOT_PERMITTED, -EPERM,
			"--user: only root may run programs as another user");
	int r = assignments_add_literal(&maker->assignments, "user", "User", "", user);
	return r < 0 || !group
		       ? r
		       : assignments_add_literal(&maker->assignments, "user", "Group", "", group);
}

static int set_settle(struct maker *maker, const char *value)
{
	maker->run.settle_us = SETTLE_DEFAULT_US;
	if (!value)
		return 0;
	if (span_parse(value, USEC_PER_SEC, &maker->run.settle_us) < 0 ||
		maker->run.settle_us > INT64_MAX)
		return error_set(maker->error, EXIT_USAGE, -EINVAL,
			"--settle: %s is not a time span, as in 1s or 500ms", value);
	return 0;
}

/* --- the command --- */

static int set_name(struct maker *maker, const char *program)
{
	const char *typed = cli_option(maker->cli, "name");
	const char *slash = strrchr(program, '/');
	static const char suffix[] = ".service";

	int r = unit_name_from_typed(typed   ? typed
				     : slash ? slash + 1
					     : program,
		&maker->run.name, maker->error);
	if (r == -ENOMEM)
		return no_memory(maker);
	if (r < 0 && !typed)
		error_prefix(
			maker->error, "the program's name is no name for a service, give --name");
	if (r < 0)
		return r;
	if (maker->run.name[0] == '-')
		return error_set(maker->error, EXIT_USAGE, -EINVAL,
			"%s: a name that begins with a dash would be taken for an option",
			maker->run.name);
	size_t size = strlen(maker->run.name);
	if (size <= strlen(suffix) || strcmp(maker->run.name + size - strlen(suffix), suffix) != 0)
		return error_set(maker->error, EXIT_USAGE, -EINVAL,
			"%s is not the name of a service: hob run makes services only",
			maker->run.name);
	return 0;
}

static int set_command(struct maker *maker, const char *program, int argc, char **argv)
{
	_cleanup_(buf_done) struct buf line = {0};

	/* ':' : what the caller's shell has expanded is not expanded again */
	buf_append_string(&line, "ExecStart=:");
	exec_quote(&line, program);
	for (int i = 1; i < argc; i++) {
		if (strlen(argv[i]) >= ARGUMENT_SIZE_MAX)
			return error_set(maker->error, EXIT_CANNOT_EXECUTE, -E2BIG,
				"argument %d is too long: the kernel takes %d KiB", i,
				ARGUMENT_SIZE_MAX / 1024);
		buf_append_char(&line, ' ');
		exec_quote(&line, argv[i]);
	}
	if (buf_status(&line) < 0)
		return no_memory(maker);
	/* Before the builder's own limit on a line, which would be said less clearly. */
	if (line.size >= WIRE_CALL_MAX)
		return error_set(maker->error, EXIT_CANNOT_EXECUTE, -E2BIG,
			"the argument list is too long: the limit is %d KiB", WIRE_CALL_MAX / 1024);
	return assignments_add(&maker->assignments, "name", line.data);
}

/* --- all of it --- */

static int set_environment(struct maker *maker, char **caller)
{
	_cleanup_(strv_done) struct strv environment = {0};
	_cleanup_(freep) char *path = NULL;

	int r = environment_collect(maker->cli, caller, &environment, maker->error);
	if (r < 0 || environment.n == 0)
		return r;
	for (size_t i = 0; i < environment.n && r == 0; i++)
		r = envfile_render(&maker->run.environment, environment.items[i]);
	if (r < 0)
		return no_memory(maker);
	const struct place *place = cli_place(maker->cli, maker->error);
	if (!place)
		return maker->error->code;
	if (asprintf(&path, "%s/env/%s", place->runtime, cli_short_name(maker->run.name)) < 0) {
		path = NULL;
		return no_memory(maker);
	}
	return assignments_add_literal(&maker->assignments, "home", "EnvironmentFile", "", path);
}

static int set_options(struct maker *maker)
{
	struct cli *cli = maker->cli;
	const char *value;
	size_t at = 0;
	int r = set_settle(maker, cli_option(cli, "settle"));

	for (size_t i = 0; i < ARRAY_SIZE(plain_options) && r == 0; i++) {
		value = cli_option(cli, plain_options[i].option);
		/* People write "100%" into a description; no key here takes specifiers otherwise.
		 */
		if (value && !*value && strcmp(plain_options[i].option, "description") != 0)
			return error_set(maker->error, EXIT_USAGE, -EINVAL,
				"--%s: the value is empty", plain_options[i].option);
		if (value)
			r = assignments_add_literal(&maker->assignments, plain_options[i].option,
				plain_options[i].key, "", value);
	}
	if (r == 0 && (value = cli_option(cli, "give-up")))
		r = set_give_up(maker, value);
	if (r == 0 && (value = cli_option(cli, "ready")))
		r = set_ready(maker, value);
	if (r == 0 && (value = cli_option(cli, "user")))
		r = set_user(maker, value);
	if (r == 0)
		r = set_directory(maker, cli_option(cli, "chdir"));
	if (r == 0 && (value = cli_option(cli, "stdin")))
		r = set_stdin(maker, value);
	if (r == 0 && (value = cli_option(cli, "pidfile")))
		r = set_pidfile(maker, value);
	while (r == 0 && (value = option_next(&cli->options, "limit", &at)))
		r = set_limit(maker, value);
	at = 0;
	while (r == 0 && (value = option_next(&cli->options, "property", &at)))
		r = assignments_add(&maker->assignments, "property", value);
	if (r == 0)
		r = assignments_add_defaults(
			&maker->assignments, default_assignments, ARRAY_SIZE(default_assignments));
	/* A delay that was asked for is that delay each time. */
	if (r == 0 && !cli_has(cli, "restart-delay"))
		r = assignments_add_defaults(
			&maker->assignments, default_delay, ARRAY_SIZE(default_delay));
	return r;
}

/* The supervisor will read the text in this way. */
static int check_whole(struct maker *maker)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_messages_done) struct unit_messages messages = {0};
	_cleanup_(unit_unrefp) struct unit *unit = NULL;

	int r = unit_builder_new(maker->run.name, &builder, maker->error);
	if (r == 0)
		r = unit_builder_add(builder, maker->run.name, maker->run.text,
			strlen(maker->run.text), &messages, maker->error);
	if (r == 0)
		r = unit_builder_finish(builder, &unit, &messages, maker->error);
	if (r == -ENOMEM)
		return no_memory(maker);
	if (r < 0)
		maker->error->status = EXIT_USAGE;
	return r;
}

int rununit_make(struct cli *cli, int argc, char **argv, char **caller_environment,
	struct rununit *ret_run, struct error *error)
{
	struct maker maker = {.cli = cli, .error = error};
	_cleanup_(freep) char *program = NULL;

	int r = program_find(argv[0], getenv("PATH"), &program, error);
	if (r == 0)
		r = set_name(&maker, argv[0]);
	if (r == 0)
		r = assignments_init(&maker.assignments, maker.run.name, error);
	if (r == 0)
		r = set_command(&maker, program, argc, argv);
	if (r == 0)
		r = set_options(&maker);
	if (r == 0)
		r = set_environment(&maker, caller_environment);
	if (r == 0)
		r = assignments_render(&maker.assignments, &maker.run.text);
	if (r == 0)
		r = check_whole(&maker);
	assignments_done(&maker.assignments);
	if (r < 0) {
		rununit_done(&maker.run);
		return r;
	}
	*ret_run = maker.run;
	return 0;
}

void rununit_done(struct rununit *run)
{
	free(run->name);
	free(run->text);
	buf_done(&run->environment);
	*run = (struct rununit){0};
}
