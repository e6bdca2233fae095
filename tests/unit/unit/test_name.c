/* Unit names, typed and taken apart, and what specifiers make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "unit/name.h"
#include "unit/specifier.h"
#include "unit/unit.h"

static void check_typed(const char *typed, const char *expected)
{
	_cleanup_(freep) char *name = NULL;
	struct error error = {0};
	int r = unit_name_from_typed(typed, &name, &error);

	if (expected) {
		assert_int_equal(r, 0);
		assert_string_equal(name, expected);
	} else {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(error.status, EXIT_USAGE);
		assert_true(strlen(error.text) > 0);
		assert_null(strchr(error.text, '\n'));
		assert_null(name);
	}
}

static void test_typed(void **state)
{
	check_typed("web", "web.service");
	check_typed("web.service", "web.service");
	check_typed("web.timer", "web.timer");
	check_typed("web.8", "web.8.service");
	check_typed("a@b@c", "a@b@c.service");
	check_typed("a_B-1:x\\x2d", "a_B-1:x\\x2d.service");
	check_typed("", NULL);
	check_typed("../x", NULL);
	check_typed(".hidden", NULL);
	check_typed(".service", NULL);
	check_typed("a/b", NULL);
	check_typed("a b", NULL);
	check_typed("a\nb", NULL);
	check_typed("a\x1b[31m", NULL);
	check_typed("\xc3\xbc", NULL);
	check_typed("@x", NULL);
	check_typed("a%i", NULL);
}

static void test_length(void **state)
{
	char typed[400];

	memset(typed, 'x', sizeof(typed));
	typed[300] = '\0';
	check_typed(typed, NULL);
	typed[UNIT_FILE_NAME_MAX - 8 + 1] = '\0';
	check_typed(typed, NULL);
	typed[UNIT_FILE_NAME_MAX - 8] = '\0';
	char *name = NULL;
	assert_int_equal(unit_name_from_typed(typed, &name, NULL), 0);
	assert_int_equal(strlen(name), UNIT_FILE_NAME_MAX);
	free(name);
}

/* hob's own log of events stands beside the logs of services. */
static void test_name_of_the_events_log(void **state)
{
	check_typed("events.jsonl", NULL);
	check_typed("events.jsonl.service", NULL);
	check_typed("events", "events.service");
}

static void check_specifier(
	const char *unit, const char *text, const char *expected, char unsupported)
{
	_cleanup_(buf_done) struct buf buf = {0};
	char got = 'x';

	assert_int_equal(specifier_expand(&buf, unit, text, &got), 0);
	assert_string_equal(buf.data ? buf.data : "", expected);
	assert_int_equal(got, unsupported);
}

static void test_specifiers(void **state)
{
	const char *unit = "a-b\\x2dc@x-y\\x20z.service";

	check_specifier(unit, "%n", unit, 0);
	check_specifier(unit, "%N", "a-b\\x2dc@x-y\\x20z", 0);
	check_specifier(unit, "<%p|%P>", "<a-b\\x2dc|a/b-c>", 0);
	check_specifier(unit, "<%i|%I>", "<x-y\\x20z|x/y z>", 0);
	check_specifier(unit, "<%j|%J>", "<b\\x2dc|b-c>", 0);
	check_specifier(unit, "%f", "/x/y z", 0);
	check_specifier("web.service", "%p,%i,%j,%f,%%n", "web,,web,/web,%n", 0);
	check_specifier("web.service", "%t/x %H", "%t/x %H", 't');
	check_specifier("web.service", "100%", "100%", 0);
	check_specifier("web.service", "%, %1 %%%n", "%, %1 %web.service", 0);
	check_specifier("web.service", "", "", 0);
}

static void test_unescape_of_broken_escapes(void **state)
{
	_cleanup_(buf_done) struct buf buf = {0};
	const char *part = "a\\x2\\xzz\\x00\\";

	assert_int_equal(unit_name_unescape(&buf, part, strlen(part)), 0);
	assert_string_equal(buf.data, part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_name_of_the_events_log),
		cmocka_unit_test(test_specifiers),
		cmocka_unit_test(test_unescape_of_broken_escapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
