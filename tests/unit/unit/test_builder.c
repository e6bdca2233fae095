/* Whole units: merging, messages, load checks, defaults, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/span.h"
#include "unit/unit.h"

struct load {
	struct unit *unit;
	struct unit_messages messages;
	struct error error;
	int r;
};

static void load_done(struct load *load)
{
	unit_unref(load->unit);
	unit_messages_done(&load->messages);
}

/* A fragment and, where it is not NULL, a drop-in. */
static struct load load_text(const char *text, const char *dropin)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	struct load load = {0};

	assert_int_equal(unit_builder_new("web.service", &builder, &load.error), 0);
	load.r = unit_builder_add(
		builder, "web.service", text, strlen(text), &load.messages, &load.error);
	if (load.r == 0 && dropin)
		load.r = unit_builder_add(
			builder, "10.conf", dropin, strlen(dropin), &load.messages, &load.error);
	if (load.r == 0)
		load.r = unit_builder_finish(builder, &load.unit, &load.messages, &load.error);
	return load;
}

static void check_refused(const char *text, const char *expected)
{
	_cleanup_(load_done) struct load load = load_text(text, NULL);

	assert_int_equal(load.r, -EBADMSG);
	assert_null(load.unit);
	assert_int_equal(load.error.status, EXIT_USAGE);
	if (!strstr(load.error.text, expected))
		fail_msg("\"%s\" does not say \"%s\"", load.error.text, expected);
}

static void check_message(const char *text, const char *expected)
{
	_cleanup_(load_done) struct load load = load_text(text, NULL);

	if (load.r < 0)
		fail_msg("%s", load.error.text);
	if (!expected) {
		if (load.messages.n > 0)
			fail_msg("%s", load.messages.items[0].text);
		return;
	}
	assert_int_equal(load.messages.n, 1);
	assert_string_equal(load.messages.items[0].text, expected);
	assert_int_equal(load.messages.items[0].severity, UNIT_WARNING);
}

#define RUN "[Service]\nExecStart=/bin/x\n"

static void test_messages(void **state)
{
	check_message(RUN, NULL);
	check_message(RUN "X-Mine=1\n[X-Other]\nA=1\n[Install]\nWantedBy=x\n", NULL);
	check_message(RUN "Retsart=no\n",
		"web.service:3: unknown key Retsart= in [Service], ignored; "
		"did you mean Restart= of [Service]?");
	check_message(RUN "Zzz=no\n", "web.service:3: unknown key Zzz= in [Service], ignored");
	check_message(RUN "Description=x\n",
		"web.service:3: Description= is a key of [Unit], in [Service] it is ignored");
	check_message(RUN "ExecStop=/bin/y\n", "web.service:3: hob does not run ExecStop= yet");
	check_message(RUN "PrivateTmp=yes\n", "web.service:3: hob does not act on PrivateTmp=");
	check_message(RUN "Restart=x\n",
		"web.service:3: Restart=x: is not one of no, on-success, on-failure, on-abnormal, "
		"on-abort, on-watchdog, always; ignored");
	check_message(
		RUN "hello\n", "web.service:3: neither [Section] nor Key=Value, ignored: hello");
	check_message(
		RUN "[Nonsense]\nA=1\n", "web.service:3: unknown section [Nonsense], skipped");
	check_message("A=1\n" RUN, "web.service:1: A= stands before any [Section], ignored");
	check_message(RUN "User=%u\n",
		"web.service:3: User=: hob does not replace the specifier %u, it is kept as it is");
	check_message(RUN "Environment=A=1 2B=secret C=3\n",
		"web.service:3: Environment=: \"2B\" is not a NAME=VALUE assignment, ignored");
	check_message(RUN "Environment=\"\n",
		"web.service:3: Environment=: the quotes are not balanced, "
		"or an escape is unknown: \"\"");
	check_message(RUN "Type=idle\n", "web.service: Type=idle is treated as Type=simple");
	check_message(RUN "Type=notify-reload\n",
		"web.service: Type=notify-reload is treated as Type=notify");
	check_message("[Service]\nExecStart=/bin/x\nExecStart=-relative/y\n",
		"web.service:3: ExecStart=: the program's path is neither absolute nor a bare "
		"name; "
		"the line is ignored");
}

static void test_refused(void **state)
{
	check_refused("", "no ExecStart=");
	check_refused("[Service]\nExecStop=/bin/x\n", "no ExecStart=");
	check_refused(RUN "ExecStart=/bin/y\n", "more than one ExecStart=");
	check_refused(RUN "Type=forking\n",
		"Type=forking is not supported by this version of hob; start the program in the "
		"foreground and use Type=exec");
	check_refused(RUN "Type=dbus\nBusName=x.y\n", "Type=dbus is not supported");
	check_refused(RUN "BusName=x.y\n", "because of BusName=");
	check_refused(RUN "Type=oneshot\nRestart=always\n", "Type=oneshot");
	check_refused(RUN "Type=oneshot\nRestartForceExitStatus=1\n", "Type=oneshot");
	check_refused(RUN "User=a:b\n", "web.service:3: User=a:b: ");
	check_refused("[Service]\nExecStart=bin/x\n", "web.service:2: ExecStart=bin/x: ");
	check_refused("[Service]\nExecStart=/bin/x 'y\n", "quotes");
	check_refused("[Service\n", "web.service:1: ");
}

static void test_names_that_cannot_be_loaded(void **state)
{
	static const char *const names[] = {
		"web", "web.socket", "web@.service", "", ".service", "a b.service", "../x.service"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct unit_builder *builder = NULL;
		struct error error = {0};
		assert_int_equal(unit_builder_new(names[i], &builder, &error), -EINVAL);
		assert_null(builder);
		assert_int_equal(error.code, -EINVAL);
	}
}

static void test_merging(void **state)
{
	_cleanup_(load_done) struct load load = load_text(
		"[Service]\nExecStart=/bin/old\nEnvironment=A=1 B=2\nRestart=always\nNice=5\n"
		"SuccessExitStatus=1\n",
		"[Service]\nExecStart=\nExecStart=/bin/new %n\nEnvironment=A=3\nNice=\n"
		"SuccessExitStatus=2\n");
	const struct exec_command *commands;
	const char *const *items;

	assert_int_equal(load.r, 0);
	assert_int_equal(unit_commands(load.unit, UNIT_EXEC_START, &commands), 1);
	assert_string_equal(commands[0].path, "/bin/new");
	assert_string_equal(commands[0].argv[1], "web.service");
	assert_int_equal(unit_list(load.unit, UNIT_ENVIRONMENT, &items), 2);
	assert_string_equal(items[0], "A=3");
	assert_string_equal(items[1], "B=2");
	assert_int_equal(unit_u64(load.unit, UNIT_RESTART), RESTART_ALWAYS);
	assert_false(unit_has(load.unit, UNIT_NICE));
	assert_true(unit_exit_set_has(load.unit, UNIT_SUCCESS_EXIT_STATUS, false, 1));
	assert_true(unit_exit_set_has(load.unit, UNIT_SUCCESS_EXIT_STATUS, false, 2));
	assert_false(unit_exit_set_has(load.unit, UNIT_SUCCESS_EXIT_STATUS, true, 1));
	assert_false(unit_exit_set_has(load.unit, UNIT_SUCCESS_EXIT_STATUS, false, 300));
	assert_false(unit_exit_set_has(load.unit, UNIT_SUCCESS_EXIT_STATUS, false, -1));
}

static void test_defaults(void **state)
{
	_cleanup_(load_done) struct load load = load_text(RUN, NULL);
	const struct unit_limit *limits;
	const char *const *items;

	assert_int_equal(load.r, 0);
	assert_int_equal(unit_u64(load.unit, UNIT_TYPE), SERVICE_SIMPLE);
	assert_int_equal(unit_u64(load.unit, UNIT_RESTART), RESTART_NO);
	assert_int_equal(unit_u64(load.unit, UNIT_RESTART_SEC), 100000);
	assert_int_equal(unit_u64(load.unit, UNIT_TIMEOUT_START_SEC), 90 * USEC_PER_SEC);
	assert_int_equal(unit_u64(load.unit, UNIT_NOTIFY_ACCESS), NOTIFY_NONE);
	assert_int_equal(unit_u64(load.unit, UNIT_UMASK), 0022);
	assert_int_equal(unit_u64(load.unit, UNIT_NICE), 0);
	assert_true(unit_u64(load.unit, UNIT_RUNTIME_MAX_SEC) == SPAN_INFINITY);
	assert_int_equal(unit_u64(load.unit, UNIT_X_LOG_SIZE), 10 << 20);
	assert_string_equal(unit_string(load.unit, UNIT_STANDARD_OUTPUT), "journal");
	assert_null(unit_string(load.unit, UNIT_DESCRIPTION));
	assert_int_equal(unit_list(load.unit, UNIT_ENVIRONMENT, &items), 0);
	assert_null(items[0]);
	assert_int_equal(unit_limits(load.unit, &limits), 0);
	assert_string_equal(unit_name(load.unit), "web.service");
}

static void test_defaults_that_depend(void **state)
{
	_cleanup_(load_done) struct load oneshot = load_text(RUN "Type=oneshot\n", NULL);
	_cleanup_(load_done) struct load notify = load_text(RUN "Type=notify\n", NULL);
	_cleanup_(load_done) struct load watchdog = load_text(RUN "WatchdogSec=5\n", NULL);
	_cleanup_(load_done) struct load set =
		load_text(RUN "Type=oneshot\nTimeoutSec=5\nNotifyAccess=all\n", NULL);

	assert_true(unit_u64(oneshot.unit, UNIT_TIMEOUT_START_SEC) == SPAN_INFINITY);
	assert_int_equal(unit_u64(oneshot.unit, UNIT_TIMEOUT_STOP_SEC), 90 * USEC_PER_SEC);
	assert_int_equal(unit_u64(notify.unit, UNIT_NOTIFY_ACCESS), NOTIFY_MAIN);
	assert_int_equal(unit_u64(watchdog.unit, UNIT_NOTIFY_ACCESS), NOTIFY_MAIN);
	assert_int_equal(unit_u64(set.unit, UNIT_TIMEOUT_START_SEC), 5 * USEC_PER_SEC);
	assert_int_equal(unit_u64(set.unit, UNIT_TIMEOUT_STOP_SEC), 5 * USEC_PER_SEC);
	assert_int_equal(unit_u64(set.unit, UNIT_NOTIFY_ACCESS), NOTIFY_ALL);
}

static void test_ready(void **state)
{
	_cleanup_(load_done) struct load notify = load_text(RUN "[X-Hob]\nReady=notify\n", NULL);
	_cleanup_(load_done) struct load exec = load_text(RUN "[X-Hob]\nReady=exec\n", NULL);
	_cleanup_(load_done) struct load fd =
		load_text(RUN "Type=exec\n[X-Hob]\nReady=fd:3\n", NULL);
	_cleanup_(load_done) struct load clash =
		load_text(RUN "Type=notify\n[X-Hob]\nReady=fd:3\n", NULL);

	assert_int_equal(unit_u64(notify.unit, UNIT_TYPE), SERVICE_NOTIFY);
	assert_false(unit_has(notify.unit, UNIT_X_READY));
	assert_int_equal(unit_u64(exec.unit, UNIT_TYPE), SERVICE_EXEC);
	assert_string_equal(unit_string(fd.unit, UNIT_X_READY), "fd:3");
	assert_false(unit_has(clash.unit, UNIT_X_READY));
	assert_int_equal(clash.messages.n, 1);
}

static void test_limits_lie_together(void **state)
{
	_cleanup_(load_done) struct load load = load_text(
		RUN "LimitNPROC=5\nUser=root\nLimitCPU=1\nLimitNOFILE=2:3\nUMask=0\n", NULL);
	const struct unit_limit *limits;

	assert_int_equal(unit_limits(load.unit, &limits), 3);
	assert_int_equal(limits[0].soft, 1);
	assert_int_equal(limits[1].soft, 2);
	assert_int_equal(limits[1].hard, 3);
	assert_int_equal(limits[2].hard, 5);
}

static void test_set_by_a_person(void **state)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	struct error error = {0};

	assert_int_equal(unit_builder_new("x.service", &builder, &error), 0);
	assert_int_equal(unit_builder_set(builder, "Retsart=no", &error), -EINVAL);
	assert_string_equal(error.text, "unknown unit key \"Retsart\"; did you mean Restart?");
	assert_int_equal(unit_builder_set(builder, "PrivateTmp=yes", &error), -EINVAL);
	assert_string_equal(error.text, "hob does not act on PrivateTmp=");
	assert_int_equal(unit_builder_set(builder, "Restart", &error), -EINVAL);
	assert_int_equal(unit_builder_set(builder, "=x", &error), -EINVAL);
	assert_int_equal(unit_builder_set(builder, "Environment=A=1 secret", &error), -EINVAL);
	assert_int_equal(unit_builder_set(builder, "TimeoutSec=5", &error), 0);
	assert_int_equal(unit_builder_set(builder, "RestartJitter= 5%", &error), 0);
}

static uint64_t hash_of(const char *name, const char *first, const char *second)
{
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_unrefp) struct unit *unit = NULL;

	assert_int_equal(unit_builder_new(name, &builder, NULL), 0);
	assert_int_equal(unit_builder_add(builder, "x", first, strlen(first), NULL, NULL), 0);
	if (second)
		assert_int_equal(
			unit_builder_add(builder, "y", second, strlen(second), NULL, NULL), 0);
	assert_int_equal(unit_builder_finish(builder, &unit, NULL, NULL), 0);
	return unit_text_hash(unit);
}

static void test_hash(void **state)
{
	uint64_t hash = hash_of("a.service", RUN, NULL);

	assert_true(hash == hash_of("a.service", RUN, NULL));
	assert_true(hash != hash_of("b.service", RUN, NULL));
	assert_true(hash != hash_of("a.service", RUN "\n", NULL));
	assert_true(hash != hash_of("a.service", RUN, "\n"));
	assert_true(hash_of("a.service", RUN, "\n\n") != hash_of("a.service", RUN "\n", "\n"));
}

/* As `hob run` writes one: well under 1 KiB each. */
static void test_memory(void **state)
{
	_cleanup_(load_done) struct load load = load_text(
		"[Unit]\nDescription=python3 -m http.server\nStartLimitIntervalSec=0\n"
		"[Service]\nType=exec\nExecStart=:/usr/bin/python3 -m http.server\n"
		"WorkingDirectory=/home/somebody\nUMask=0022\nEnvironmentFile=/run/hob/env/web\n"
		"Restart=on-failure\nRestartSec=100ms\nRestartMaxDelaySec=30s\nTimeoutStartSec="
		"90s\n"
		"TimeoutStopSec=90s\nKillSignal=SIGTERM\n"
		"[X-Hob]\nRestartBackoff=double\nRestartImmediateAfterSec=10s\nRestartJitter=10%\n"
		"RestartResetSec=60s\n",
		NULL);

	assert_int_equal(load.r, 0);
	assert_int_equal(load.messages.n, 0);
	assert_in_range(malloc_usable_size(load.unit), 1, 640);
}

static void test_render(void **state)
{
	_cleanup_(load_done) struct load load = load_text(
		"[Unit]\nDescription=a b\n" RUN "Environment=PASSWORD=hunter2\nNice=-5\n", NULL);
	_cleanup_(buf_done) struct buf buf = {0};

	assert_int_equal(unit_render(load.unit, &buf), 0);
	assert_string_equal(
		buf.data, "Description=a b\nExecStart=/bin/x\nEnvironment=PASSWORD=...\nNice=-5\n");
	buf_clear(&buf);
	assert_int_equal(unit_render_key(load.unit, UNIT_TIMEOUT_STOP_SEC, &buf), 0);
	assert_int_equal(unit_render_key(load.unit, UNIT_TYPE, &buf), 0);
	assert_int_equal(unit_render_key(load.unit, UNIT_USER, &buf), 0);
	assert_int_equal(unit_render_key(load.unit, UNIT_OOM_SCORE_ADJUST, &buf), 0);
	assert_string_equal(
		buf.data, "TimeoutStopSec=1min 30s\nType=simple\nUser=\nOOMScoreAdjust=\n");
}

static void test_references(void **state)
{
	struct load load = load_text(RUN, NULL);
	struct unit *unit = unit_ref(load.unit);

	load_done(&load);
	assert_string_equal(unit_name(unit), "web.service");
	assert_null(unit_unref(unit));
	assert_null(unit_unref(NULL));
}

/* Complaints are bounded, whatever the file. */
static void test_messages_are_bounded(void **state)
{
	_cleanup_(buf_done) struct buf text = {0};

	buf_append_string(&text, RUN);
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "Zzz%d=1\n", i);
	_cleanup_(load_done) struct load load = load_text(text.data, NULL);
	assert_int_equal(load.r, 0);
	assert_int_equal(load.messages.n, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_names_that_cannot_be_loaded),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_defaults_that_depend),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_limits_lie_together),
		cmocka_unit_test(test_set_by_a_person),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_messages_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
