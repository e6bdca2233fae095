/* The growing buffer: contents, the NUL behind them, and failures that stick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"

static void test_appends_are_terminated(void **state)
{
	_cleanup_(buf_done) struct buf buf = {0};

	assert_int_equal(buf_append_string(&buf, "one"), 0);
	assert_int_equal(buf_append_char(&buf, ' '), 0);
	assert_int_equal(buf_printf(&buf, "%d", 2), 0);
	assert_int_equal(buf_append(&buf, "\0x", 2), 0);
	assert_int_equal(buf.size, 7);
	assert_memory_equal(buf.data, "one 2\0x", 8);
}

static void test_printf_longer_than_the_room(void **state)
{
	_cleanup_(buf_done) struct buf buf = {0};
	char digits[3000];

	memset(digits, '7', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	assert_int_equal(buf_append_string(&buf, "<"), 0);
	assert_int_equal(buf_printf(&buf, "%s>", digits), 0);
	assert_int_equal(buf.size, sizeof(digits) + 1);
	assert_int_equal(buf.data[buf.size - 1], '>');
	assert_int_equal(buf.data[buf.size], '\0');
}

static void test_consume(void **state)
{
	_cleanup_(buf_done) struct buf buf = {0};

	buf_consume(&buf, 0);
	buf_append_string(&buf, "abcdef");
	buf_consume(&buf, 2);
	assert_string_equal(buf.data, "cdef");
	buf_consume(&buf, 4);
	assert_int_equal(buf.size, 0);
	assert_string_equal(buf.data, "");
}

static void test_failure_sticks(void **state)
{
	_cleanup_(buf_done) struct buf buf = {0};

	buf_append_string(&buf, "x");
	assert_int_equal(buf_reserve(&buf, BUF_SIZE_MAX), -EOVERFLOW);
	assert_int_equal(buf_append_string(&buf, "y"), -EOVERFLOW);
	assert_int_equal(buf_printf(&buf, "z"), -EOVERFLOW);
	assert_int_equal(buf_status(&buf), -EOVERFLOW);
	assert_string_equal(buf.data, "x");
	assert_null(buf_take_string(&buf));
	assert_int_equal(buf_status(&buf), 0);
	assert_int_equal(buf_append_string(&buf, "again"), 0);
	assert_string_equal(buf.data, "again");
}

static void test_take_string(void **state)
{
	struct buf buf = {0};
	char *text = buf_take_string(&buf);

	assert_string_equal(text, "");
	free(text);
	buf_append_string(&buf, "mine");
	text = buf_take_string(&buf);
	assert_string_equal(text, "mine");
	assert_null(buf.data);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends_are_terminated),
		cmocka_unit_test(test_printf_longer_than_the_room),
		cmocka_unit_test(test_consume),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_take_string),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
