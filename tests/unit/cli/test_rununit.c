/* The unit and the environment that the options of `hob run` make. */
#include "cli/rununit.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "cli/environment.h"
#include "cli/verb.h"
#include "unit/exec.h"
#include "unit/unit.h"

static char home[] = "/tmp/hob-rununit-XXXXXX";
static char *const no_environment[] = {NULL};

static int set_up(void **state)
{
	return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "cd / && rm -rf '%s'", home);
	return system(command);
}

/* Makes it from words (ended by NULL), which are changed. */
static int make_from(
	char **words, char *const *environment, struct rununit *run, struct error *error)
{
	struct cli cli = {.home = home};
	int argc = 0, n;

	while (words[argc])
		argc++;
	int r = option_parse(
		run_options, common_options, true, argc, words, &cli.options, &n, error);
	if (r == 0)
		r = rununit_make(&cli, n, words, (char **)environment, run, error);
	option_values_done(&cli.options);
	if (cli.has_place)
		place_done(&cli.place);
	return r;
}
#define MAKE(run, error, ...) make_from((char *[]){__VA_ARGS__, NULL}, no_environment, run, error)

/* The unit that the text means. */
static struct unit *parse(const struct rununit *run)
{
	struct unit_builder *builder = NULL;
	struct unit_messages messages = {0};
	struct unit *unit = NULL;
	struct error error = {0};

	assert_int_equal(unit_builder_new(run->name, &builder, &error), 0);
	assert_int_equal(
		unit_builder_add(builder, "x", run->text, strlen(run->text), &messages, &error), 0);
	assert_int_equal(unit_builder_finish(builder, &unit, &messages, &error), 0);
	assert_int_equal(messages.n, 0);
	unit_messages_done(&messages);
	unit_builder_freep(&builder);
	return unit;
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct rununit run = {0};
	struct error error = {0};

	assert_int_equal(MAKE(&run, &error, "sh", "-c", "x"), 0);
	assert_string_equal(run.name, "sh.service");
	assert_int_equal(run.settle_us, 1000000);
	assert_int_equal(run.environment.size, 0);
	_cleanup_(unit_unrefp) struct unit *unit = parse(&run);
	assert_int_equal(unit_u64(unit, UNIT_TYPE), SERVICE_EXEC);
	assert_int_equal(unit_u64(unit, UNIT_RESTART), RESTART_ON_FAILURE);
	assert_int_equal(unit_u64(unit, UNIT_RESTART_SEC), 100000);
	assert_int_equal(unit_u64(unit, UNIT_RESTART_MAX_DELAY_SEC), 30000000);
	assert_int_equal(unit_u64(unit, UNIT_START_LIMIT_INTERVAL), 0);
	assert_int_equal(unit_u64(unit, UNIT_X_JITTER), 10);
	assert_int_equal(unit_u64(unit, UNIT_X_IMMEDIATE), 10000000);
	assert_int_equal(unit_u64(unit, UNIT_X_RESET), 60000000);
	assert_int_equal(unit_u64(unit, UNIT_TIMEOUT_START_SEC), 90000000);
	assert_int_equal(unit_u64(unit, UNIT_TIMEOUT_STOP_SEC), 90000000);
	assert_int_equal(unit_u64(unit, UNIT_UMASK), 022);
	assert_string_equal(unit_string(unit, UNIT_WORKING_DIRECTORY), home);
	rununit_done(&run);
}

static void options_become_keys(void **state)
{
	struct rununit run = {0};
	struct error error = {0};

	assert_int_equal(MAKE(&run, &error, "--name", "web", "--description", "100% \"it\"",
				 "--restart=always", "--restart-delay", "2s", "--give-up", "5/1min",
				 "--ready", "fd:3", "--timeout", "5", "--stop-timeout", "7",
				 "--stop-signal", "INT", "--settle", "0", "--umask", "077",
				 "--limit", "nofile=10:20", "--limit", "core=0", "--nice", "-5",
				 "--oom-score", "100", "--pidfile", "p.pid", "--log-size", "1M",
				 "--log-keep", "2", "--chdir", "/", "-p", "RuntimeMaxSec=9", "sh"),
		0);
	assert_string_equal(run.name, "web.service");
	assert_int_equal(run.settle_us, 0);
	_cleanup_(unit_unrefp) struct unit *unit = parse(&run);
	assert_string_equal(unit_string(unit, UNIT_DESCRIPTION), "100% \"it\"");
	assert_int_equal(unit_u64(unit, UNIT_RESTART), RESTART_ALWAYS);
	assert_int_equal(unit_u64(unit, UNIT_RESTART_SEC), 2000000);
	assert_int_equal(unit_u64(unit, UNIT_X_JITTER), 0);
	assert_int_equal(unit_u64(unit, UNIT_X_IMMEDIATE), UINT64_MAX);
	assert_int_equal(unit_u64(unit, UNIT_START_LIMIT_BURST), 5);
	assert_int_equal(unit_u64(unit, UNIT_START_LIMIT_INTERVAL), 60000000);
	assert_int_equal(unit_u64(unit, UNIT_TIMEOUT_START_SEC), 5000000);
	assert_int_equal(unit_u64(unit, UNIT_TIMEOUT_STOP_SEC), 7000000);
	assert_int_equal(unit_u64(unit, UNIT_KILL_SIGNAL), 2);
	assert_int_equal(unit_u64(unit, UNIT_UMASK), 077);
	assert_int_equal((int64_t)unit_u64(unit, UNIT_NICE), -5);
	assert_int_equal(unit_u64(unit, UNIT_OOM_SCORE_ADJUST), 100);
	assert_int_equal(unit_u64(unit, UNIT_X_LOG_SIZE), 1 << 20);
	assert_int_equal(unit_u64(unit, UNIT_X_LOG_KEEP), 2);
	assert_int_equal(unit_u64(unit, UNIT_RUNTIME_MAX_SEC), 9000000);
	assert_string_equal(unit_string(unit, UNIT_WORKING_DIRECTORY), "/");
	const struct unit_limit *limits;
	assert_int_equal(unit_limits(unit, &limits), 2);
	char pidfile[300];
	snprintf(pidfile, sizeof(pidfile), "%s/p.pid", home);
	assert_string_equal(unit_string(unit, UNIT_X_PID_FILE), pidfile);
	rununit_done(&run);
}

/* Whatever an argument holds, the program gets it as it was typed. */
static void arguments_arrive_unchanged(void **state)
{
	static const char *const arguments[] = {
		"",
		" ",
		"a b",
		"\"",
		"'",
		"\\",
		"\\n",
		"a\nb",
		"\t",
		"%n %%",
		"$HOME",
		"${HOME}",
		"$$",
		";",
		"#x",
		"-p",
		"--",
		"*",
		"\x01\x7f",
		"\xff\xfe",
		"gr\xc3\xbc\xc3\x9f",
		"trailing\\",
		"=",
		"@x",
		"!x",
		"+x",
	};
	char *words[ARRAY_SIZE(arguments) + 4] = {(char *)"--", (char *)"sh"};
	struct rununit run = {0};
	struct error error = {0};
	const struct exec_command *commands;

	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		words[i + 2] = (char *)arguments[i];
	assert_int_equal(make_from(words, no_environment, &run, &error), 0);
	_cleanup_(unit_unrefp) struct unit *unit = parse(&run);
	assert_int_equal(unit_commands(unit, UNIT_EXEC_START, &commands), 1);
	_cleanup_(strv_done) struct strv env = {0}, argv = {0};
	strv_append(&env, "HOME=/wrong");
	assert_int_equal(exec_expand(&commands[0], &env, &argv), 0);
	assert_int_equal(argv.n, ARRAY_SIZE(arguments) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		assert_string_equal(argv.items[i + 1], arguments[i]);
	rununit_done(&run);
}

static void environment_goes_into_its_file_only(void **state)
{
	static char *const callers[] = {
		(char *)"HOME=/h",
		(char *)"TERM=xterm",
		(char *)"NOTIFY_SOCKET=/x",
		(char *)"LISTEN_FDS=1",
		(char *)"INVOCATION_ID=0",
		(char *)"SECRET=a \"b\" $c\nd\\ \xff",
		(char *)"BASH_FUNC_x%%=() { }",
		(char *)"A=1",
		NULL,
	};
	struct rununit run = {0};
	struct error error = {0};
	FILE *file = fopen("env", "w");

	fputs("# comment\nA=2\nB='x y'\n", file);
	fclose(file);
	char *words[] = {(char *)"--env-file", (char *)"env", (char *)"--env", (char *)"B=3",
		(char *)"sh", NULL};
	assert_int_equal(make_from(words, callers, &run, &error), 0);
	_cleanup_(strv_done) struct strv env = {0};
	assert_int_equal(
		envfile_parse("x", run.environment.data, run.environment.size, &env, &error), 0);
	assert_int_equal(env.n, 4);
	assert_string_equal(strv_get_env(&env, "HOME"), "/h");
	assert_string_equal(strv_get_env(&env, "SECRET"), "a \"b\" $c\nd\\ \xff");
	assert_string_equal(strv_get_env(&env, "A"), "2");
	assert_string_equal(strv_get_env(&env, "B"), "3");
	assert_null(strstr(run.text, "SECRET"));
	assert_non_null(strstr(run.text, "/run/env/sh\n"));
	rununit_done(&run);

	char *clean[] = {(char *)"--clean-env", (char *)"--env", (char *)"Z=", (char *)"sh", NULL};
	assert_int_equal(make_from(clean, callers, &run, &error), 0);
	strv_done(&env);
	assert_int_equal(
		envfile_parse("x", run.environment.data, run.environment.size, &env, &error), 0);
	assert_int_equal(env.n, 1);
	assert_string_equal(env.items[0], "Z=");
	rununit_done(&run);
}

static void variables_of_the_user_stay_with_the_user(void **state)
{
	assert_true(environment_keeps("HOME=/root", false));
	assert_false(environment_keeps("HOME=/root", true));
	assert_true(environment_keeps("HOMES=/root", true));
	assert_true(environment_keeps("TERMS=x", false));
	assert_false(environment_keeps("TERM=x", false));
	assert_false(environment_keeps("LISTEN_PID=1", false));
	assert_false(environment_keeps("1A=x", false));
	assert_false(environment_keeps("=x", false));
	assert_false(environment_keeps("A", false));
}

/* Each is refused with this status, and the text names what was wrong. */
static void bad_input_is_refused(void **state)
{
	static const struct {
		const char *words[5];
		int status;
		const char *text;
	} rows[] = {
		{{"--name", "../x", "sh"}, 2, "../x"},
		{{"--name", "", "sh"}, 2, "empty"},
		{{"--name", "a b", "sh"}, 2, "a b"},
		{{"--name", "x.timer", "sh"}, 2, "x.timer"},
		{{"/nowhere/at all"}, 127, "/nowhere/at all"},
		{{"/tmp"}, 126, "directory"},
		{{"--restart", "sometimes", "sh"}, 2, "--restart"},
		{{"--restart-delay", "x", "sh"}, 2, "--restart-delay"},
		{{"--give-up", "3", "sh"}, 2, "--give-up"},
		{{"--give-up", "0/1s", "sh"}, 2, "--give-up"},
		{{"--ready", "fd:x", "sh"}, 2, "--ready"},
		{{"--timeout", "1 parsec", "sh"}, 2, "--timeout"},
		{{"--settle", "-1", "sh"}, 2, "--settle"},
		{{"--stop-signal", "SIGNOT", "sh"}, 2, "--stop-signal"},
		{{"--user", "no-such-user", "sh"}, 2, "no-such-user"},
		{{"--user", ":x", "sh"}, 2, "--user"},
		{{"--chdir", "/no/such/dir", "sh"}, 2, "/no/such/dir"},
		{{"--chdir", "/etc/passwd", "sh"}, 2, "not a directory"},
		{{"--umask", "9", "sh"}, 2, "--umask"},
		{{"--env", "X", "sh"}, 2, "--env"},
		{{"--env", "1X=2", "sh"}, 2, "--env"},
		{{"--env-file", "/no/such/file", "sh"}, 2, "/no/such/file"},
		{{"--env-file", "/tmp", "sh"}, 2, "/tmp"},
		{{"--stdin", "/no/such/file", "sh"}, 2, "/no/such/file"},
		{{"--limit", "nofile", "sh"}, 2, "--limit"},
		{{"--limit", "bogus=1", "sh"}, 2, "bogus"},
		{{"--limit", "nofile=x", "sh"}, 2, "--limit"},
		{{"--nice", "40", "sh"}, 2, "--nice"},
		{{"--oom-score", "4000", "sh"}, 2, "--oom-score"},
		{{"--log-size", "big", "sh"}, 2, "--log-size"},
		{{"--description", "a\nExecStart=/bin/false", "sh"}, 2, "--description"},
		{{"--description", "ends\\", "sh"}, 2, "--description"},
		{{"-p", "Restrat=no", "sh"}, 2, "Restart"},
		{{"-p", "Nonsense", "sh"}, 2, "Nonsense"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rununit run = {0};
		struct error error = {0};
		char *words[6] = {NULL};
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].words); k++)
			words[k] = (char *)rows[i].words[k];
		if (make_from(words, no_environment, &run, &error) >= 0)
			fail_msg("%s %s was taken", words[0], words[1]);
		if ((int)error.status != rows[i].status || !strstr(error.text, rows[i].text))
			fail_msg("%s %s: %d %s", words[0], words[1], error.status, error.text);
		assert_null(run.text);
	}
}

static void too_long_arguments_are_refused(void **state)
{
	_cleanup_(freep) char *big = malloc(130 * 1024 + 1);
	char *many[14] = {(char *)"sh"};
	struct rununit run = {0};
	struct error error = {0};

	memset(big, 'x', 130 * 1024);
	big[130 * 1024] = '\0';
	assert_true(MAKE(&run, &error, "sh", big) < 0);
	big[100 * 1024] = '\0';
	assert_int_equal(error.status, EXIT_CANNOT_EXECUTE);
	for (int i = 1; i < 13; i++)
		many[i] = big;
	assert_true(make_from(many, no_environment, &run, &error) < 0);
	assert_int_equal(error.status, EXIT_CANNOT_EXECUTE);
	assert_non_null(strstr(error.text, "too long"));
}

/* Directories with odd names survive being written into a unit. */
static void odd_directories_come_back(void **state)
{
	static const char *const names[] = {
		"a b", "100%n", "ends\\", "ends ", "\"q\"", "gr\xc3\xbc\xc3\x9f"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct rununit run = {0};
		struct error error = {0};
		char path[300];
		snprintf(path, sizeof(path), "%s/%s", home, names[i]);
		assert_int_equal(mkdir(path, 0755), 0);
		if (MAKE(&run, &error, "--chdir", path, "sh") < 0)
			fail_msg("%s: %s", path, error.text);
		_cleanup_(unit_unrefp) struct unit *unit = parse(&run);
		const char *directory = unit_string(unit, UNIT_WORKING_DIRECTORY);
		struct stat wanted, got;
		assert_int_equal(stat(path, &wanted), 0);
		if (stat(directory, &got) < 0)
			fail_msg("%s became %s", path, directory);
		assert_true(wanted.st_ino == got.st_ino);
		rununit_done(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(options_become_keys),
		cmocka_unit_test(arguments_arrive_unchanged),
		cmocka_unit_test(environment_goes_into_its_file_only),
		cmocka_unit_test(variables_of_the_user_stay_with_the_user),
		cmocka_unit_test(bad_input_is_refused),
		cmocka_unit_test(too_long_arguments_are_refused),
		cmocka_unit_test(odd_directories_come_back),
	};

	unsetenv("HOB_HOME");
	unsetenv("HOB_UNIT_PATH");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
