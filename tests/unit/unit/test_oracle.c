/* Splitting, Exec lines, environments, names and limits against vectors made by others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "base/cleanup.h"
#include "unit/exec.h"
#include "unit/name.h"
#include "unit/specifier.h"
#include "unit/value.h"
#include "unit/word.h"
#include "../oracle.h"

/* --- words --- */

/* Our flags for a row's; -1: one that hob does not have. */
static int word_flags(const char *text)
{
	static const struct {
		const char *name;
		int flag;
	} known[] = {{"0", 0}, {"EXTRACT_UNQUOTE", WORD_UNQUOTE},
		{"EXTRACT_CUNESCAPE", WORD_CUNESCAPE},
		{"EXTRACT_UNESCAPE_RELAX", WORD_KEEP_UNKNOWN}, {"EXTRACT_RELAX", WORD_RELAX}};
	int flags = 0;

	while (*text) {
		size_t size = strcspn(text, "|"), i = 0;
		while (i < ARRAY_SIZE(known) &&
			(strlen(known[i].name) != size || strncmp(known[i].name, text, size) != 0))
			i++;
		if (i == ARRAY_SIZE(known))
			return -1;
		flags |= known[i].flag;
		text += size + (text[size] == '|');
	}
	return flags;
}

/* As the callers of word_next() do: an unknown escape is kept at the second try. */
static int next_and_warn(const char **text, unsigned flags, char **ret_word)
{
	const char *start = *text;
	int r = word_next(text, flags, ret_word);

	if (r != -EINVAL)
		return r;
	*text = start;
	return word_next(text, flags | WORD_KEEP_UNKNOWN, ret_word);
}

static bool check_step(const char *input, const char **position, json_t *step)
{
	int flags = word_flags(oracle_string(step, "flags"));
	const char *result = oracle_string(step, "result"), *word = oracle_string(step, "word");
	json_t *offset = json_object_get(step, "rest_offset");
	_cleanup_(freep) char *got = NULL;

	if (flags < 0 || !json_is_null(json_object_get(step, "separators")))
		return false;
	bool warns = strcmp(oracle_string(step, "fn"), "extract_and_warn") == 0;
	int r = (warns ? next_and_warn : word_next)(position, (unsigned)flags, &got);
	if (strcmp(result, "word") == 0) {
		if (r != 1 || strcmp(got, word) != 0)
			fail_msg("%s: %d \"%s\", not \"%s\"", input, r, got ? got : "", word);
	} else {
		assert_int_equal(r, strcmp(result, "end") == 0 ? 0 : -EINVAL);
	}
	if (offset)
		assert_int_equal(*position - input, json_integer_value(offset));
	if (json_is_true(json_object_get(step, "rest_empty")))
		assert_string_equal(*position, "");
	return true;
}

static void test_words(void **state)
{
	json_t *rows = oracle_load("extract_word"), *row, *step;
	size_t i, k, n = 0;

	json_array_foreach(rows, i, row)
	{
		const char *input = oracle_string(row, "input"), *position = input;
		json_array_foreach(json_object_get(row, "steps"), k, step)
		{
			if (!check_step(input, &position, step))
				break;
			n++;
		}
	}
	assert_true(n > 70);
	json_decref(rows);
}

/* --- Exec lines --- */

static void check_commands(const char *name, const struct command_list *list, json_t *expected)
{
	json_t *command, *arg;
	size_t i, k;

	if (list->n != json_array_size(expected))
		fail_msg("%s: %zu commands, not %zu", name, list->n, json_array_size(expected));
	json_array_foreach(expected, i, command)
	{
		json_t *argv = json_object_get(command, "argv");
		bool ignores = list->items[i].flags & EXEC_IGNORE_FAILURE;
		assert_string_equal(list->items[i].path, oracle_string(command, "path"));
		assert_int_equal(ignores, json_is_true(json_object_get(command, "ignore_failure")));
		assert_int_equal(list->items[i].argv.n, json_array_size(argv));
		json_array_foreach(argv, k, arg)
			assert_string_equal(list->items[i].argv.items[k], json_string_value(arg));
	}
}

static void test_exec_lines(void **state)
{
	json_t *rows = oracle_load("exec_parse"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *name = oracle_string(row, "case"),
			   *result = oracle_string(row, "result");
		struct unit_messages messages = {0};
		struct error error = {0};
		struct value value = {0};
		struct value_input in = {.key = UNIT_EXEC_START,
			.unit_name = "x.service",
			.path = "x",
			.line = 1,
			.messages = &messages,
			.error = &error};

		int r = value_parse(&in, oracle_string(row, "value"), &value);
		if (r != (strcmp(result, "ENOEXEC") == 0 ? -EBADMSG : 0))
			fail_msg("%s: \"%s\" gave %d", name, oracle_string(row, "value"), r);
		check_commands(name, &value.commands, json_object_get(row, "commands"));
		if (strncmp(result, "ignored", 7) == 0)
			assert_true(messages.n > 0);
		value_reset(&value);
		unit_messages_done(&messages);
	}
	json_decref(rows);
}

static void test_expansion(void **state)
{
	json_t *rows = oracle_load("exec_argv_env_expansion"), *row, *item;
	size_t i, k;
	const char *key;

	json_array_foreach(rows, i, row)
	{
		struct strv argv = {0}, env = {0}, got = {0};
		json_t *expected = json_object_get(row, "expected_argv");

		json_array_foreach(json_object_get(row, "argv"), k, item)
			assert_int_equal(strv_append(&argv, json_string_value(item)), 0);
		json_object_foreach(json_object_get(row, "env"), key, item)
		{
			char text[256];
			snprintf(text, sizeof(text), "%s=%s", key, json_string_value(item));
			assert_int_equal(strv_append(&env, text), 0);
		}
		struct exec_command command = {.path = "/x", .argv = (const char **)argv.items};
		assert_int_equal(exec_expand(&command, &env, &got), 0);
		assert_int_equal(got.n, json_array_size(expected));
		json_array_foreach(expected, k, item)
			assert_string_equal(got.items[k], json_string_value(item));
		strv_done(&argv);
		strv_done(&env);
		strv_done(&got);
	}
	json_decref(rows);
}

/* --- environments --- */

static void test_environment_files(void **state)
{
	json_t *rows = oracle_load("env_file"), *row, *item;
	size_t i, k;

	json_array_foreach(rows, i, row)
	{
		json_t *content = json_object_get(row, "content");
		json_t *expected = json_object_get(row, "expect");
		struct strv env = {0};
		struct error error = {0};

		/* hob keeps bytes: what is no text to systemd is no error here. */
		if (!expected)
			continue;
		assert_int_equal(envfile_parse("x", json_string_value(content),
					 json_string_length(content), &env, &error),
			0);
		assert_int_equal(env.n, json_array_size(expected));
		json_array_foreach(expected, k, item)
			assert_string_equal(env.items[k], json_string_value(item));
		strv_done(&env);
	}
	json_decref(rows);
}

static void test_environment_names(void **state)
{
	json_t *rows = oracle_load("env_names"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_t *input = json_object_get(row, "input");
		const char *text = json_string_value(input);
		bool valid = json_is_true(json_object_get(row, "valid"));
		char buffer[256];

		if (!text || strcmp(oracle_string(row, "fn"), "env_value_is_valid") == 0)
			continue;
		bool is_name = strcmp(oracle_string(row, "fn"), "env_name_is_valid") == 0;
		snprintf(buffer, sizeof(buffer), "%s%s", text, is_name ? "=x" : "");
		if (value_is_assignment(buffer) != valid)
			fail_msg("\"%s\" is %svalid", text, valid ? "" : "in");
	}
	json_decref(rows);
}

/* --- names --- */

static bool is_of_kind(const struct unit_name_parts *parts, const char *flags)
{
	bool is_instance = parts->instance && parts->instance_size > 0;

	if (strstr(flags, "ANY"))
		return true;
	return (strstr(flags, "PLAIN") && !parts->instance) ||
	       (strstr(flags, "INSTANCE") && is_instance) ||
	       (strstr(flags, "TEMPLATE") && parts->instance && !is_instance);
}

static void check_mangled(json_t *row)
{
	const char *typed = oracle_string(row, "name");
	const char *expected = oracle_string(row, "expected");
	char *name = NULL;
	struct error error;
	int r = unit_name_from_typed(typed, &name, &error);

	/* hob escapes nothing and knows no globs: what needs either is refused. */
	bool is_plain = expected && strncmp(expected, typed, strlen(typed)) == 0 &&
			!strchr(typed, '*') && typed[0] != '.';
	if (is_plain && (r < 0 || strcmp(name, expected) != 0))
		fail_msg("\"%s\" became \"%s\"", typed, name ? name : error.text);
	if (!is_plain)
		assert_int_equal(r, -EINVAL);
	free(name);
}

static void test_names(void **state)
{
	json_t *rows = oracle_load("unit_name"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *fn = oracle_string(row, "fn"), *name = oracle_string(row, "name");
		struct unit_name_parts parts;

		if (strcmp(fn, "unit_name_is_valid") == 0) {
			const char *flags = oracle_string(row, "flags");
			bool valid =
				unit_name_split(name, &parts) == 0 && is_of_kind(&parts, flags);
			if (valid != json_is_true(json_object_get(row, "valid")))
				fail_msg("\"%s\" as %s: %d", name, flags, valid);
		} else if (strcmp(fn, "unit_name_mangle") == 0) {
			check_mangled(row);
		}
	}
	json_decref(rows);
}

/* Only patterns of specifiers that hob replaces. */
static bool is_supported(const char *pattern)
{
	for (const char *p = strchr(pattern, '%'); p; p = strchr(p + 2, '%')) {
		if (p[1] == '\0' || !strchr("nNpPiIjJf%", p[1]))
			return false;
	}
	return true;
}

static void test_specifiers(void **state)
{
	json_t *rows = oracle_load("specifier"), *row;
	size_t i, n = 0;

	json_array_foreach(rows, i, row)
	{
		const char *unit = oracle_string(row, "unit"),
			   *pattern = oracle_string(row, "pattern");
		const char *expected = oracle_string(row, "expected");
		struct unit_name_parts parts;
		_cleanup_(buf_done) struct buf buf = {0};
		char unsupported;

		if (!unit || !pattern || !expected || !is_supported(pattern) ||
			unit_name_split(unit, &parts) < 0)
			continue;
		assert_int_equal(specifier_expand(&buf, unit, pattern, &unsupported), 0);
		if (strcmp(buf.data ? buf.data : "", expected) != 0)
			fail_msg("%s in %s is \"%s\", not \"%s\"", pattern, unit, buf.data,
				expected);
		n++;
	}
	assert_true(n > 10);
	json_decref(rows);
}

/* --- limits --- */

static uint64_t limit_value(const char *text)
{
	if (strcmp(text, "RLIM_INFINITY") == 0)
		return UINT64_MAX;
	if (strstr(text, "25*USEC_PER_MINUTE"))
		return 25 * 60;
	if (strstr(text, "13*USEC_PER_HOUR"))
		return 13 * 3600;
	return strtoull(text, NULL, 10);
}

static void test_limits(void **state)
{
	json_t *rows = oracle_load("rlimit"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *resource = oracle_string(row, "resource");
		const char *input = oracle_string(row, "input"), *ret = oracle_string(row, "ret");
		struct error error = {0};
		struct value value = {0};
		_cleanup_(buf_done) struct buf text = {0};
		struct value_input in = {.unit_name = "x.service",
			.error = &error,
			.key = strstr(resource, "CPU")	  ? UNIT_LIMIT_CPU
			       : strstr(resource, "NICE") ? UNIT_LIMIT_NICE
							  : UNIT_LIMIT_NOFILE};

		if (*input == '\0') /* empty text unsets, one level above */
			continue;
		int r = value_parse(&in, input, &value);
		if ((strcmp(ret, "0") == 0) != (r == 0))
			fail_msg("%s %s gave %d", resource, input, r);
		if (r < 0)
			continue;
		assert_true(value.limit.soft == limit_value(oracle_string(row, "soft")));
		assert_true(value.limit.hard == limit_value(oracle_string(row, "hard")));
		value_render_limit(&value.limit, &text);
		assert_string_equal(text.data, oracle_string(row, "formatted"));
	}
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_exec_lines),
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_environment_files),
		cmocka_unit_test(test_environment_names),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_specifiers),
		cmocka_unit_test(test_limits),
	};
	if (oracle_is_missing())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
