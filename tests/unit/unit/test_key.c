/* The key table is whole, and defaults are values of their types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "unit/foreign.h"
#include "unit/key.h"
#include "unit/unit.h"
#include "unit/value.h"

static void test_rows(void **state)
{
	for (size_t i = 0; i < N_UNIT_KEYS; i++) {
		const struct unit_key_info *info = &unit_keys[i];
		assert_non_null(info->name);
		assert_non_null(info->help);
		assert_true(strcmp(info->section, "Unit") == 0 ||
			    strcmp(info->section, "Service") == 0 ||
			    strcmp(info->section, "X-Hob") == 0);
		assert_int_equal(unit_key_find(info->section, info->name), i);
		assert_int_equal(unit_key_find(NULL, info->name), i); /* names are unique */
		assert_false(foreign_key_is_known(info->section, info->name));
	}
	assert_int_equal(unit_key_find("Unit", "Restart"), N_UNIT_KEYS);
	assert_int_equal(unit_key_find(NULL, "restart"), N_UNIT_KEYS);
}

static void test_defaults_parse(void **state)
{
	for (size_t i = 0; i < N_UNIT_KEYS; i++) {
		struct error error = {0};
		struct value value = {0};
		struct value_input in = {
			.key = (enum unit_key)i, .unit_name = "x.service", .error = &error};
		if (!unit_keys[i].default_text)
			continue;
		if (value_parse(&in, unit_keys[i].default_text, &value) < 0)
			fail_msg("%s=%s %s", unit_keys[i].name, unit_keys[i].default_text,
				error.text);
		value_reset(&value);
	}
}

static void test_targets(void **state)
{
	enum unit_key keys[UNIT_KEY_TARGETS_MAX];

	assert_int_equal(unit_key_targets("Service", "TimeoutSec", keys), 2);
	assert_int_equal(keys[0], UNIT_TIMEOUT_START_SEC);
	assert_int_equal(keys[1], UNIT_TIMEOUT_STOP_SEC);
	assert_int_equal(unit_key_targets("Service", "StartLimitInterval", keys), 1);
	assert_int_equal(keys[0], UNIT_START_LIMIT_INTERVAL);
	assert_int_equal(unit_key_targets(NULL, "Restart", keys), 1);
	assert_int_equal(unit_key_targets("Service", "Nonsense", keys), 0);
}

static void test_words(void **state)
{
	static const enum unit_value_type types[] = {VALUE_SERVICE_TYPE, VALUE_RESTART,
		VALUE_KILL_MODE, VALUE_NOTIFY_ACCESS, VALUE_BACKOFF};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const char *const *words = unit_value_words(types[i]);
		for (size_t k = 0; words[k]; k++)
			assert_string_equal(unit_value_word(types[i], k), words[k]);
		assert_null(unit_value_word(types[i], 99));
	}
	assert_string_equal(unit_value_word(VALUE_RESTART, RESTART_ALWAYS), "always");
	assert_string_equal(unit_value_word(VALUE_SERVICE_TYPE, SERVICE_IDLE), "idle");
	assert_null(unit_value_words(VALUE_BOOL));
	assert_null(unit_value_word(VALUE_BOOL, 0));
}

static void test_nearest(void **state)
{
	assert_string_equal(unit_key_nearest("Service", "Retsart"), "Restart");
	assert_string_equal(unit_key_nearest(NULL, "execstart"), "ExecStart");
	assert_null(unit_key_nearest(NULL, "Frobnicate"));
}

static void test_foreign(void **state)
{
	assert_true(foreign_key_is_known("Service", "ExecStop"));
	assert_true(foreign_key_is_known("Service", "BusName"));  /* the first */
	assert_true(foreign_key_is_known("Service", "TasksMax")); /* the last */
	assert_true(foreign_key_is_known("Unit", "After"));
	assert_true(foreign_key_is_known("Unit", "ConditionPathExists"));
	assert_true(foreign_key_is_known("Unit", "AssertUser"));
	assert_false(foreign_key_is_known("Unit", "ConditionNonsense"));
	assert_false(foreign_key_is_known("Unit", "ExecStop"));
	assert_false(foreign_key_is_known("Service", ""));
	assert_false(foreign_key_is_known("Install", "WantedBy"));
	assert_true(foreign_section_is_known("Install"));
	assert_false(foreign_section_is_known("Nonsense"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_defaults_parse),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_foreign),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
