/* Numbers and sizes (those of the vectors are in test_oracle.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "base/cleanup.h"
#include "base/number.h"

static void test_u64(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} rows[] = {
		{"0", 0, 0},
		{" 42 ", 0, 42},
		{"+7", 0, 7},
		{"-0", 0, 0},
		{"0x1F", 0, 31},
		{"0b101", 0, 5},
		{"0o17", 0, 15},
		{"010", 0, 8},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE},
		{"-1", -ERANGE},
		{"", -EINVAL},
		{" ", -EINVAL},
		{"1 2", -EINVAL},
		{"1x", -EINVAL},
		{"0x", -EINVAL},
		{"08", -EINVAL},
		{"--1", -EINVAL},
		{"+ 1", -EINVAL},
		{"99999999999999999999x", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 99;
		int r = number_parse_u64(rows[i].text, UINT64_MAX, &value);
		if (r != rows[i].r || value != (r == 0 ? rows[i].value : 99))
			fail_msg("\"%s\": %d, %llu", rows[i].text, r, (unsigned long long)value);
	}
	uint64_t value;
	assert_int_equal(number_parse_u64("256", 255, &value), -ERANGE);
	assert_int_equal(number_parse_u64("255", 255, &value), 0);
}

static void test_i64(void **state)
{
	int64_t value = 5;

	assert_int_equal(number_parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(
		number_parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &value), -ERANGE);
	assert_int_equal(
		number_parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &value), -ERANGE);
	assert_int_equal(number_parse_i64("-20", -20, 19, &value), 0);
	assert_int_equal(value, -20);
	assert_int_equal(number_parse_i64("-21", -20, 19, &value), -ERANGE);
	assert_int_equal(number_parse_i64("x", -20, 19, &value), -EINVAL);
	assert_int_equal(value, -20);
}

static void test_bool_with_blanks(void **state)
{
	bool value = false;

	assert_int_equal(number_parse_bool("  Yes ", &value), 0);
	assert_true(value);
	assert_int_equal(number_parse_bool("yes no", &value), -EINVAL);
	assert_int_equal(number_parse_bool("ye", &value), -EINVAL);
	assert_true(value);
}

static void test_size_limits(void **state)
{
	uint64_t bytes = 1;

	assert_int_equal(size_parse("15E 1023P", &bytes), 0);
	assert_int_equal(size_parse("16E", &bytes), -ERANGE);
	assert_int_equal(size_parse("0.1G", &bytes), 0);
	assert_int_equal(bytes, 107374182);
	assert_int_equal(size_parse("18446744073709551615", &bytes), 0);
	assert_true(bytes == UINT64_MAX);
	assert_int_equal(size_parse("18446744073709551616", &bytes), -ERANGE);
	assert_int_equal(size_parse("K", &bytes), -EINVAL);
	assert_int_equal(size_parse("5 5", &bytes), -EINVAL);
	assert_int_equal(size_parse("0.00000000000000000000000001E", &bytes), 0);
	assert_int_equal(bytes, 0);
}

static void test_size_render(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{0, "0 B"},
		{512, "512 B"},
		{1023, "1023 B"},
		{1024, "1 KiB"},
		{1536, "1.5 KiB"},
		{1572864, "1.5 MiB"},
		{1023 * 1024, "1023 KiB"},
		{1024 * 1024 - 1, "1 MiB"},
		{UINT64_C(10) << 30, "10 GiB"},
		{1234567, "1.18 MiB"},
		{12345678, "11.8 MiB"},
		{123456789, "118 MiB"},
		{100 * 1024, "100 KiB"},
		{UINT64_MAX, "16 EiB"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf buf = {0};
		assert_int_equal(size_render(&buf, rows[i].bytes), 0);
		assert_string_equal(buf.data, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_i64),
		cmocka_unit_test(test_bool_with_blanks),
		cmocka_unit_test(test_size_limits),
		cmocka_unit_test(test_size_render),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
