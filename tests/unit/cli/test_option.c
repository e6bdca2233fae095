/* Options and operands from words. */
#include "cli/option.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const struct option_info own[] = {
	{"name", 'n', "NAME", ""},
	{"follow", 'f', NULL, ""},
	{"raw", 0, NULL, ""},
	{"settle", 0, "SPAN", ""},
	{0},
};
static const struct option_info common[] = {{"help", 'h', NULL, ""}, {"home", 0, "DIR", ""}, {0}};

/* Parses a line of words; *n is the number of operands, which then stand first in words. */
static int parse(const char *line, bool options_first, char **words, struct option_values *values,
	int *n, struct error *error)
{
	static char copy[256];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[argc++] = word;
	return option_parse(own, common, options_first, argc, words, values, n, error);
}

static void values_are_found(void **state)
{
	static const char *const lines[] = {
		"--name x",
		"--name=x",
		"-n x",
		"-nx",
		"-fn x",
		"-fnx",
		"--raw -n x",
		"-n y -n x",
		"a -n x b",
	};
	char *words[32];

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct option_values values = {0};
		int n;
		assert_int_equal(parse(lines[i], false, words, &values, &n, NULL), 0);
		assert_string_equal(option_value(&values, "name"), "x");
		assert_null(option_value(&values, "settle"));
		option_values_done(&values);
	}
}

static void operands_stay_in_order(void **state)
{
	struct option_values values = {0};
	char *words[32];
	int n;

	assert_int_equal(parse("a --raw b - -f c -- --raw d", false, words, &values, &n, NULL), 0);
	assert_int_equal(n, 6);
	static const char *const expected[] = {"a", "b", "-", "c", "--raw", "d"};
	for (int i = 0; i < n; i++)
		assert_string_equal(words[i], expected[i]);
	assert_int_equal(values.n, 2);
	option_values_done(&values);
}

static void a_command_keeps_its_options(void **state)
{
	struct option_values values = {0};
	char *words[32];
	int n;

	assert_int_equal(parse("-n x cmd -f --name y -- z", true, words, &values, &n, NULL), 0);
	assert_int_equal(n, 6);
	assert_string_equal(words[0], "cmd");
	assert_string_equal(words[1], "-f");
	assert_string_equal(words[4], "--");
	assert_string_equal(option_value(&values, "name"), "x");
	option_values_done(&values);

	assert_int_equal(parse("-f -- -n cmd", true, words, &values, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(words[0], "-n");
	option_values_done(&values);
}

static void bad_options_are_named(void **state)
{
	static const struct {
		const char *line, *text;
	} rows[] = {
		{"--nmae x", "did you mean --name?"},
		{"--hlep", "did you mean --help?"},
		{"--zzzzzzzz", "--zzzzzzzz"},
		{"-x", "-x"},
		{"-fx", "-x"},
		{"--name", "needs a value"},
		{"-n", "needs a value"},
		{"--raw=1", "takes no value"},
		{"--=", "unknown option"},
		{"--nmae=secret", "--nmae;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct option_values values = {0};
		struct error error = {0};
		char *words[32];
		int n;
		assert_int_equal(parse(rows[i].line, false, words, &values, &n, &error), -EINVAL);
		assert_int_equal(error.status, EXIT_USAGE);
		if (!strstr(error.text, rows[i].text))
			fail_msg("%s: %s", rows[i].line, error.text);
		assert_null(strstr(error.text, "secret"));
	}
}

static void repeated_ones_are_all_there(void **state)
{
	struct option_values values = {0};
	size_t at = 0;
	char *words[32];
	int n;

	assert_int_equal(
		parse("--settle 1 --name a --settle=2 --settle=", false, words, &values, &n, NULL),
		0);
	assert_string_equal(option_next(&values, "settle", &at), "1");
	assert_string_equal(option_next(&values, "settle", &at), "2");
	assert_string_equal(option_next(&values, "settle", &at), "");
	assert_null(option_next(&values, "settle", &at));
	option_values_done(&values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found),
		cmocka_unit_test(operands_stay_in_order),
		cmocka_unit_test(a_command_keeps_its_options),
		cmocka_unit_test(bad_options_are_named),
		cmocka_unit_test(repeated_ones_are_all_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
