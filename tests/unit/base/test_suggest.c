/* The nearest word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/suggest.h"

static const char *const words[] = {"start", "stop", "status", "restart", "reload", "list", "logs"};

static void check(const char *typed, const char *expected)
{
	const char *nearest = suggest_nearest(typed, words, ARRAY_SIZE(words));

	if (expected)
		assert_string_equal(nearest ? nearest : "nothing", expected);
	else
		assert_null(nearest);
}

static void test_typing_errors(void **state)
{
	check("strat", "start");
	check("stpo", "stop");
	check("satus", "status");
	check("restat", "restart");
	check("RELOAD", "reload");
	check("lst", "list");
	check("lgos", "logs");
}

/* What was begun wins over what is near. */
static void test_beginnings(void **state)
{
	check("stat", "status");
	check("sta", "start");
	check("re", "restart");
}

static void test_nothing_is_near(void **state)
{
	char endless[1000];

	check("", NULL);
	check("x", NULL);
	check("frobnicate", NULL);
	memset(endless, 's', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	check(endless, NULL);
	assert_null(suggest_nearest("start", words, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typing_errors),
		cmocka_unit_test(test_beginnings),
		cmocka_unit_test(test_nothing_is_near),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
