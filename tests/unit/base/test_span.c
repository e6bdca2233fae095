/* Spans as text, exact and for people (more of reading them is in test_oracle.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/span.h"

static void test_every_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} rows[] = {
		{"1us", 1},
		{"1usec", 1},
		{"1ms", 1000},
		{"1msec", 1000},
		{"2sec", 2000000},
		{"1 second 2 seconds", 3000000},
		{"1m", 60000000},
		{"1min", 60000000},
		{"2minutes", 120000000},
		{"1minute", 60000000},
		{"1h", 3600000000},
		{"1hr", 3600000000},
		{"1hour", 3600000000},
		{"2hours", 7200000000},
		{"1d", 86400000000},
		{"1day", 86400000000},
		{"2days", 172800000000},
		{"1w", 604800000000},
		{"1week", 604800000000},
		{"1M", 2629800000000},
		{"1month", 2629800000000},
		{"1y", 31557600000000},
		{"1year", 31557600000000},
		{"0.1", 100000},
		{"3.3s", 3300000},
		{"0.0000001", 0},
		{"1.0000009s", 1000000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t us = 0;
		assert_int_equal(span_parse(rows[i].text, USEC_PER_SEC, &us), 0);
		assert_true(us == rows[i].us);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"5 potatoes", "s", "5Min", "5 s s", "infinity5", "1e3",
		"5,5", "\xff", "5\xc2", "infinity infinity"};
	uint64_t us = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(span_parse(bad[i], 1, &us), -EINVAL);
	assert_int_equal(span_parse("18446744073709551615us", 1, &us), -ERANGE);
	assert_int_equal(span_parse("99999999999999999999", 1, &us), -ERANGE);
	assert_int_equal(span_parse("-1", 1, &us), -ERANGE);
	assert_int_equal(us, 77);
	assert_int_equal(span_parse("18446744073709551614us", 1, &us), 0);
}

static void test_render(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{0, "0"},
		{1, "1us"},
		{100000, "100ms"},
		{90000000, "1min 30s"},
		{SPAN_INFINITY, "infinity"},
		{UINT64_C(7776000000000), "12w 6d"},
		{UINT64_C(31557600000000), "1y"},
		{UINT64_C(2629800000000), "1month"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf buf = {0};
		assert_int_equal(span_render(&buf, rows[i].us), 0);
		assert_string_equal(buf.data, rows[i].text);
	}
}

/* What is rendered is read back as the same, over the whole range. */
static void test_render_is_exact(void **state)
{
	uint64_t us = 1;

	for (int i = 0; i < 5000; i++) {
		_cleanup_(buf_done) struct buf buf = {0};
		uint64_t again = 0;
		us = us * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uint64_t value = us >> (i % 64);
		if (value == SPAN_INFINITY)
			continue;
		assert_int_equal(span_render(&buf, value), 0);
		assert_int_equal(span_parse(buf.data, USEC_PER_SEC, &again), 0);
		assert_true(again == value);
	}
}

static void test_render_human(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{0, "0 s"},
		{850, "850 us"},
		{1500, "1.5 ms"},
		{2000, "2 ms"},
		{12345, "12 ms"},
		{999999, "999 ms"},
		{1000000, "1 s"},
		{3210000, "3.2 s"},
		{59990000, "59.9 s"},
		{60000000, "1 min"},
		{303000000, "5 min 3 s"},
		{UINT64_C(7500000000), "2 h 5 min"},
		{UINT64_C(3600000000), "1 h"},
		{UINT64_C(273600000000), "3 d 4 h"},
		{SPAN_INFINITY, "infinity"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf buf = {0};
		assert_int_equal(span_render_human(&buf, rows[i].us), 0);
		assert_string_equal(buf.data, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_unit),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_render_is_exact),
		cmocka_unit_test(test_render_human),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
