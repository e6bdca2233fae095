/* String vectors and environments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "base/strv.h"

static void test_append(void **state)
{
	_cleanup_(strv_done) struct strv strv = {0};
	char text[32];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "item %d", i);
		assert_int_equal(strv_append(&strv, text), 0);
		assert_null(strv.items[strv.n]);
	}
	assert_int_equal(strv.n, 100);
	assert_string_equal(strv.items[99], "item 99");
	assert_int_equal(strv_append_n(&strv, "abcdef", 3), 0);
	assert_string_equal(strv.items[100], "abc");
	assert_int_equal(strv_append_n(&strv, NULL, 0), 0);
	assert_string_equal(strv.items[101], "");
}

static void test_environment(void **state)
{
	_cleanup_(strv_done) struct strv env = {0};

	assert_int_equal(strv_set_env(&env, "A=1"), 0);
	assert_int_equal(strv_set_env(&env, "AB=2"), 0);
	assert_int_equal(strv_set_env(&env, "B=x=y"), 0);
	assert_int_equal(strv_set_env(&env, "A=3"), 0);
	assert_int_equal(strv_set_env(&env, "none"), -EINVAL);
	assert_int_equal(env.n, 3);
	assert_string_equal(env.items[0], "A=3");
	assert_string_equal(strv_get_env(&env, "B"), "x=y");
	assert_string_equal(strv_get_env(&env, "AB"), "2");
	assert_null(strv_get_env(&env, "ABC"));
	strv_unset_env(&env, "AB");
	strv_unset_env(&env, "nothing");
	assert_int_equal(env.n, 2);
	assert_null(env.items[2]);
	assert_string_equal(env.items[1], "B=x=y");
}

static void test_empty(void **state)
{
	_cleanup_(strv_done) struct strv strv = {0};

	assert_null(strv_get_env(&strv, "A"));
	strv_unset_env(&strv, "A");
	assert_int_equal(strv.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
