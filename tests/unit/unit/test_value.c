/* Values: what is taken, what is refused with a warning, what is fatal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "base/cleanup.h"
#include "base/span.h"
#include "unit/unit.h"
#include "unit/value.h"

/* Parses KEY=VALUE for the strict reader; the result as it is rendered, or "error". */
static void check(enum unit_key key, const char *text, const char *expected)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	_cleanup_(buf_done) struct buf got = {0};
	struct error error = {0};
	char assignment[512];

	assert_int_equal(unit_builder_new("x.service", &builder, &error), 0);
	if (key != UNIT_EXEC_START)
		assert_int_equal(unit_builder_set(builder, "ExecStart=/bin/x", &error), 0);
	snprintf(assignment, sizeof(assignment), "%s=%s", unit_keys[key].name, text);
	int r = unit_builder_set(builder, assignment, &error);
	if (!expected) {
		if (r != -EINVAL)
			fail_msg("%s was taken", assignment);
		assert_int_equal(error.status, EXIT_USAGE);
		return;
	}
	if (r < 0)
		fail_msg("%s", error.text);
	assert_int_equal(unit_builder_finish(builder, &unit, NULL, &error), 0);
	unit_render_key(unit, key, &got);
	buf_consume(&got, strlen(unit_keys[key].name) + 1);
	got.data[got.size - 1] = '\0';
	assert_string_equal(got.data, expected);
}

static void test_numbers(void **state)
{
	check(UNIT_REMAIN_AFTER_EXIT, "on", "yes");
	check(UNIT_REMAIN_AFTER_EXIT, "perhaps", NULL);
	check(UNIT_RESTART_SEC, "1.5", "1s 500ms");
	check(UNIT_RESTART_SEC, "0", "0");
	check(UNIT_RESTART_SEC, "fast", NULL);
	check(UNIT_TIMEOUT_STOP_SEC, "0", "infinity");
	check(UNIT_TIMEOUT_STOP_SEC, "2min", "2min");
	check(UNIT_UMASK, "27", "0027");
	check(UNIT_UMASK, "99", NULL);
	check(UNIT_KILL_SIGNAL, "INT", "SIGINT");
	check(UNIT_KILL_SIGNAL, "SIGNONE", NULL);
	check(UNIT_NICE, "-5", "-5");
	check(UNIT_NICE, "20", NULL);
	check(UNIT_OOM_SCORE_ADJUST, "1001", NULL);
	check(UNIT_START_LIMIT_BURST, "3", "3");
	check(UNIT_START_LIMIT_BURST, "-3", NULL);
	check(UNIT_X_LOG_SIZE, "1536", "1536");
	check(UNIT_X_LOG_SIZE, "2048K", "2M");
	check(UNIT_X_LOG_SIZE, "0", NULL);
	check(UNIT_X_JITTER, "10%", "10%");
	check(UNIT_X_JITTER, "101%", NULL);
	check(UNIT_X_JITTER, "10", NULL);
	check(UNIT_RESTART, "on-failure", "on-failure");
	check(UNIT_RESTART, "On-Failure", NULL);
	check(UNIT_X_BACKOFF, "double", "double");
}

static void test_texts(void **state)
{
	check(UNIT_DESCRIPTION, "100%% of %n", "100% of x.service");
	check(UNIT_WORKING_DIRECTORY, "/a//b/./c/", "/a/b/c");
	check(UNIT_WORKING_DIRECTORY, "-/tmp", "-/tmp");
	check(UNIT_WORKING_DIRECTORY, "~", "~");
	check(UNIT_WORKING_DIRECTORY, "/", "/");
	check(UNIT_WORKING_DIRECTORY, "///", "/");
	check(UNIT_WORKING_DIRECTORY, "/.", "/");
	check(UNIT_WORKING_DIRECTORY, "tmp", NULL);
	check(UNIT_WORKING_DIRECTORY, "%h", NULL);
	check(UNIT_X_PID_FILE, "/run/x.pid", "/run/x.pid");
	check(UNIT_X_PID_FILE, "x.pid", NULL);
	check(UNIT_STANDARD_INPUT, "file:/etc/passwd", "file:/etc/passwd");
	check(UNIT_STANDARD_INPUT, "tty", NULL);
	check(UNIT_STANDARD_OUTPUT, "append:/var/log/x", "append:/var/log/x");
	check(UNIT_STANDARD_OUTPUT, "append:x", NULL);
	check(UNIT_STANDARD_ERROR, "syslog", "journal");
	check(UNIT_STANDARD_ERROR, "socket", NULL);
	check(UNIT_USER, "www-data", "www-data");
	check(UNIT_USER, "bad user", "bad user");
	check(UNIT_USER, "1000", "1000");
	check(UNIT_USER, "4294967295", NULL);
	check(UNIT_USER, "65535", NULL);
	check(UNIT_USER, "a:b", NULL);
	check(UNIT_USER, "../x", NULL);
	check(UNIT_X_READY, "fd:3", "fd:3");
	check(UNIT_X_READY, "fd:2", NULL);
	check(UNIT_X_READY, "fd:", NULL);
	check(UNIT_X_READY, "fd:3x", NULL);
	check(UNIT_X_READY, "port", NULL);
}

static void test_lists(void **state)
{
	check(UNIT_SUPPLEMENTARY_GROUPS, "a 'b c'", "a \"b c\"");
	check(UNIT_SUPPLEMENTARY_GROUPS, "'a", NULL);
	check(UNIT_ENVIRONMENT, "A=secret 'B=x y'", "A=... B=...");
	check(UNIT_ENVIRONMENT, "A=1 B", NULL);
	check(UNIT_ENVIRONMENT, "1A=1", NULL);
	check(UNIT_ENVIRONMENT_FILE, "-/etc/default/x", "-/etc/default/x");
	check(UNIT_ENVIRONMENT_FILE, "x", NULL);
	check(UNIT_SUCCESS_EXIT_STATUS, "3 TEMPFAIL SIGHUP RTMIN 255", "3 75 255 SIGHUP SIGRTMIN");
	check(UNIT_SUCCESS_EXIT_STATUS, "256", NULL);
	check(UNIT_SUCCESS_EXIT_STATUS, "3 SIGFOO", NULL);
	check(UNIT_EXEC_START, "@-/bin/x 'argv 0' a", "-@/bin/x \"argv 0\" a");
	check(UNIT_EXEC_START, "!!:/bin/x $A", ":!!/bin/x $A");
	check(UNIT_EXEC_START, "bin/x", NULL);
	check(UNIT_EXEC_START, "-bin/x", NULL);
}

static void test_limits(void **state)
{
	check(UNIT_LIMIT_NOFILE, "1024:4096", "1024:4096");
	check(UNIT_LIMIT_NOFILE, "4096:1024", NULL);
	check(UNIT_LIMIT_NOFILE, "many", NULL);
	check(UNIT_LIMIT_CORE, "infinity", "infinity");
	check(UNIT_LIMIT_MEMLOCK, "64K", "65536");
	check(UNIT_LIMIT_CPU, "1500ms", "2");
	check(UNIT_LIMIT_RTTIME, "1ms", "1000");
	check(UNIT_LIMIT_NICE, "-5", "25");
}

/* The numbers that unit/limit.c has of its own are the system's. */
static void test_resource_numbers(void **state)
{
	static const struct {
		enum unit_key key;
		int resource;
	} rows[] = {
		{UNIT_LIMIT_CPU, RLIMIT_CPU},
		{UNIT_LIMIT_FSIZE, RLIMIT_FSIZE},
		{UNIT_LIMIT_DATA, RLIMIT_DATA},
		{UNIT_LIMIT_STACK, RLIMIT_STACK},
		{UNIT_LIMIT_CORE, RLIMIT_CORE},
		{UNIT_LIMIT_RSS, RLIMIT_RSS},
		{UNIT_LIMIT_NOFILE, RLIMIT_NOFILE},
		{UNIT_LIMIT_AS, RLIMIT_AS},
		{UNIT_LIMIT_NPROC, RLIMIT_NPROC},
		{UNIT_LIMIT_MEMLOCK, RLIMIT_MEMLOCK},
		{UNIT_LIMIT_SIGPENDING, RLIMIT_SIGPENDING},
		{UNIT_LIMIT_MSGQUEUE, RLIMIT_MSGQUEUE},
		{UNIT_LIMIT_NICE, RLIMIT_NICE},
		{UNIT_LIMIT_RTPRIO, RLIMIT_RTPRIO},
		{UNIT_LIMIT_RTTIME, RLIMIT_RTTIME},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error error = {0};
		struct value value = {0};
		struct value_input in = {
			.key = rows[i].key, .unit_name = "x.service", .error = &error};
		assert_int_equal(value_parse(&in, "1", &value), 0);
		assert_int_equal(value.limit.resource, rows[i].resource);
	}
}

static void test_unset_by_empty(void **state)
{
	struct error error = {0};
	struct value value = {0};
	struct value_input in = {
		.key = UNIT_ENVIRONMENT, .unit_name = "x.service", .error = &error};

	assert_int_equal(value_parse(&in, "A=1", &value), 0);
	assert_true(value.is_set);
	assert_int_equal(value_parse(&in, "", &value), 0);
	assert_false(value.is_set);
	assert_int_equal(value.strings.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_resource_numbers),
		cmocka_unit_test(test_unset_by_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
