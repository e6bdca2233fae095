/* Sentences and tables from replies. */
#include "cli/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void exits_are_told(void **state)
{
	static const struct {
		const char *run, *text;
	} rows[] = {
		{"{\"exit\":\"none\"}", ""},
		{"{}", ""},
		{"{\"exit\":\"exited\",\"exit_code\":3}", "exited with status 3"},
		{"{\"exit\":\"killed\",\"exit_signal\":11}", "killed by SIGSEGV"},
		{"{\"exit\":\"dumped\",\"exit_signal\":6}", "killed by SIGABRT (core dumped)"},
		{"{\"exit\":\"killed\",\"exit_signal\":9,\"result\":\"oom-kill\"}",
			"killed by SIGKILL (out of memory)"},
		{"{\"exit\":\"step\",\"step\":\"chdir\",\"errno\":2}",
			"never ran: step chdir failed: No such file or directory"},
		{"{\"exit\":\"unknown\"}", "ended, nobody saw how"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf text = {0};
		json_t *run = json_loads(rows[i].run, 0, NULL);
		print_exit(&text, run);
		assert_string_equal(text.data ? text.data : "", rows[i].text);
		json_decref(run);
	}
}

static void missing_members_are_nothing(void **state)
{
	json_t *object =
		json_pack("{s:n, s:s, s:i, s:b}", "null", "text", "x", "number", 4, "flag", 1);

	assert_string_equal(print_string(object, "null"), "");
	assert_string_equal(print_string(object, "number"), "");
	assert_string_equal(print_string(NULL, "text"), "");
	assert_int_equal(print_int(object, "text"), 0);
	assert_int_equal(print_int(object, "number"), 4);
	assert_true(print_bool(object, "flag"));
	assert_false(print_bool(object, "number"));
	assert_false(print_has(object, "null"));
	assert_true(print_has(object, "text"));
	json_decref(object);
}

static void tables_are_aligned_and_harmless(void **state)
{
	struct table_print table = {.n_columns = 3};
	char *text = NULL;
	size_t size = 0;
	FILE *file = tmpfile();

	assert_non_null(file);
	static const char *const cells[] = {
		"NAME", "N", "COMMAND", "gr\xc3\xbcn", "12", "a b", "x", "3", "\033[2J"};
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		table_cell(&table, cells[i]);
	table_print(&table, file);
	table_done(&table);
	rewind(file);
	static const char *const lines[] = {
		"NAME  N   COMMAND\n", "gr\xc3\xbcn  12  a b\n", "x     3   \\x1b[2J\n"};
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_true(getline(&text, &size, file) > 0);
		assert_string_equal(text, lines[i]);
	}
	assert_true(getline(&text, &size, file) < 0);
	free(text);
	fclose(file);
}

static void colours_only_where_wanted(void **state)
{
	assert_string_equal(print_state_colour(false, "failed"), "");
	assert_string_equal(print_colour_end(false), "");
	assert_string_equal(print_state_colour(true, "failed"), "\033[31m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_are_told),
		cmocka_unit_test(missing_members_are_nothing),
		cmocka_unit_test(tables_are_aligned_and_harmless),
		cmocka_unit_test(colours_only_where_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
