/* Numbers, spans and signals against vectors made by others (tests/unit/oracle.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "base/number.h"
#include "base/signame.h"
#include "base/span.h"
#include "../oracle.h"

/* What a row expects of a span, in us; -1: a failure. unit_divisor: of the row's unit in a us. */
static void check_span(json_t *row, uint64_t default_unit_us, uint64_t divisor)
{
	const char *input = oracle_string(row, "input");
	json_t *value = json_object_get(row, "value");
	uint64_t us = 12345;
	int r = span_parse(input, default_unit_us, &us);

	if (!json_is_true(json_object_get(row, "ok"))) {
		if (r >= 0)
			fail_msg("\"%s\" was taken as %llu us", input, (unsigned long long)us);
		assert_int_equal(us, 12345);
		return;
	}
	if (r < 0)
		fail_msg("\"%s\" was refused: %d", input, r);
	if (json_is_string(value))
		assert_true(us == SPAN_INFINITY);
	else if (value && (uint64_t)json_integer_value(value) % divisor == 0 &&
		 us != (uint64_t)json_integer_value(value) / divisor)
		fail_msg("\"%s\" gave %llu us", input, (unsigned long long)us);
}

static void test_spans_in_seconds(void **state)
{
	json_t *rows = oracle_load("timespan_sec"), *row;
	size_t i;

	json_array_foreach(rows, i, row) check_span(row, USEC_PER_SEC, 1);
	json_decref(rows);
}

/* The rows count nanoseconds; those that are whole microseconds are compared. */
static void test_spans_in_nanoseconds(void **state)
{
	json_t *rows = oracle_load("timespan_nsec"), *row;
	size_t i;

	json_array_foreach(rows, i, row) check_span(row, 1, 1000);
	json_decref(rows);
}

static void test_spans_with_default_unit(void **state)
{
	json_t *rows = oracle_load("timespan_default_unit"), *row;
	size_t i;

	json_array_foreach(rows, i, row) check_span(
		row, (uint64_t)json_integer_value(json_object_get(row, "default_unit_usec")), 1);
	json_decref(rows);
}

static void test_signals(void **state)
{
	json_t *rows = oracle_load("signal_names"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *input = oracle_string(row, "input");
		const char *expected = oracle_string(row, "expected");
		int signo = signame_parse(input);

		/* Out of range is "no such signal" here, with one errno. */
		if (expected[0] == '-')
			assert_int_equal(signo, -EINVAL);
		else if (signo != signame_parse(expected))
			fail_msg("\"%s\" is %d, not %s", input, signo, expected);
		else
			assert_true(signo > 0);
	}
	json_decref(rows);
}

static int parse_scalar(const char *fn, const char *input, uint64_t *ret_value)
{
	int64_t number = 0;
	uint32_t mode = 0;
	bool truth = false;
	int r;

	if (strcmp(fn, "parse_size") == 0)
		return size_parse(input, ret_value);
	if (strcmp(fn, "parse_boolean") == 0) {
		r = number_parse_bool(input, &truth);
		return r < 0 ? r : truth;
	}
	if (strcmp(fn, "parse_mode") == 0)
		return number_parse_mode(input, &mode);
	if (strcmp(fn, "parse_nice") == 0) {
		r = number_parse_i64(input, -20, 19, &number);
		return r;
	}
	return 1000; /* not a function that hob has */
}

static void test_scalars(void **state)
{
	json_t *rows = oracle_load("parse_scalars"), *row;
	size_t i, n_checked = 0;

	json_array_foreach(rows, i, row)
	{
		const char *fn = oracle_string(row, "fn"), *input = oracle_string(row, "input");
		const char *ret = oracle_string(row, "ret");
		json_t *base = json_object_get(row, "base"), *value = json_object_get(row, "value");
		uint64_t number = 0;
		int r = parse_scalar(fn, input, &number);

		/* hob reads sizes to the base 1024 only, and no names of errnos. */
		if (r == 1000 || (base && json_integer_value(base) != 1024))
			continue;
		n_checked++;
		bool matches = strcmp(ret, "==0") == 0	       ? r == 0
			       : strcmp(ret, "==1") == 0       ? r == 1
			       : strcmp(ret, ">=0") == 0       ? r >= 0
			       : strcmp(ret, "<0") == 0	       ? r < 0
			       : strcmp(ret, "==-EINVAL") == 0 ? r == -EINVAL
			       : strcmp(ret, "==-ERANGE") == 0 ? r == -ERANGE
							       : false;
		if (!matches)
			fail_msg("%s(\"%s\") is %d, not %s", fn, input, r, ret);
		if (value && json_is_integer(value) && r == 0)
			assert_int_equal(number, json_integer_value(value));
	}
	assert_true(n_checked > 60);
	json_decref(rows);
}

/* The integers of systemd's table, as far as hob's contract is the same. */
static void test_integers(void **state)
{
	json_t *rows = oracle_load("parse_scalars"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *input = oracle_string(row, "input");
		const char *error = json_string_value(json_object_get(row, "value"));
		uint64_t number;

		if (strcmp(oracle_string(row, "fn"), "safe_atou64") != 0)
			continue;
		int expected = !error ? 0 : strcmp(error, "-ERANGE") == 0 ? -ERANGE : -EINVAL;
		assert_int_equal(number_parse_u64(input, UINT64_MAX, &number), expected);
	}
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans_in_seconds),
		cmocka_unit_test(test_spans_in_nanoseconds),
		cmocka_unit_test(test_spans_with_default_unit),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_integers),
	};
	if (oracle_is_missing())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
