/* Errors: one line, cut at a character, with context put before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/error.h"
#include "base/text.h"

static void test_set_returns_its_code(void **state)
{
	struct error error = {0};

	assert_int_equal(
		error_set(&error, EXIT_NO_SUCH_UNIT, -ENOENT, "no unit %s", "web"), -ENOENT);
	assert_int_equal(error.status, EXIT_NO_SUCH_UNIT);
	assert_int_equal(error.code, -ENOENT);
	assert_string_equal(error.text, "no unit web");
	assert_int_equal(error_set(NULL, EXIT_USAGE, -EINVAL, "nobody reads this"), -EINVAL);
	error_prefix(NULL, "nor this");
}

static void test_text_is_one_line(void **state)
{
	struct error error = {0};

	error_set(&error, EXIT_USAGE, -EINVAL, "a\nb\x1b[31mc\x7f");
	assert_string_equal(error.text, "a b?[31mc?");
}

static void test_old_text_as_argument(void **state)
{
	struct error error = {0};

	error_set(&error, EXIT_USAGE, -EINVAL, "inner");
	error_set(&error, EXIT_USAGE, -EINVAL, "outer(%s)", error.text);
	assert_string_equal(error.text, "outer(inner)");
	error_prefix(&error, "%s:%d", "file", 3);
	assert_string_equal(error.text, "file:3: outer(inner)");
}

/* Whatever the length, no half character is left at the end. */
static void test_cut_at_a_character(void **state)
{
	static const char *const characters[] = {
		"a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x92\xa9"};
	char text[2 * ERROR_TEXT_MAX];

	for (size_t i = 0; i < 4; i++)
		for (size_t lead = 0; lead < 4; lead++) {
			struct error error = {0};
			memset(text, 'x', lead);
			text[lead] = '\0';
			while (strlen(text) < ERROR_TEXT_MAX + 10)
				strcat(text, characters[i]);
			error_set(&error, EXIT_USAGE, -EINVAL, "%s", text);
			assert_in_range(strlen(error.text), ERROR_TEXT_MAX - 4, ERROR_TEXT_MAX - 1);
			assert_true(text_is_utf8(error.text, strlen(error.text)));
			assert_memory_equal(error.text, text, strlen(error.text));
			error_prefix(&error, "p");
			assert_true(text_is_utf8(error.text, strlen(error.text)));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_returns_its_code),
		cmocka_unit_test(test_text_is_one_line),
		cmocka_unit_test(test_old_text_as_argument),
		cmocka_unit_test(test_cut_at_a_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
