/* Points in time as text, in a zone with summer time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/span.h"

#define SECONDS(n) ((uint64_t)(n)*USEC_PER_SEC)

/* 2026-11-22 10:15:00 UTC, a Sunday; in the zone set below 11:15. */
static const uint64_t now_us = SECONDS(1795342500);

/* A zone of our own: no zone files are needed. */
static void set_zone(void)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
}

static void check(const char *text, uint64_t expected)
{
	uint64_t us = 0;
	int r = span_parse_time(text, now_us, &us);

	if (r < 0 || us != expected)
		fail_msg("\"%s\": %d, %llu, not %llu", text, r, (unsigned long long)us,
			(unsigned long long)expected);
}

static void test_absolute(void **state)
{
	set_zone();
	check("2026-11-22 11:15:00", now_us);
	check("2026-11-22 11:15", now_us);
	check("2026-11-22T11:15:00.25", now_us + 250000);
	check("2026-11-22 10:15:00 UTC", now_us);
	check("2026-11-22T10:15:00Z", now_us);
	check("2026-11-22 12:15:00+02:00", now_us);
	check("2026-11-22 05:15:00-0500", now_us);
	check("2026-11-22", SECONDS(1795302000));
	check("2026-07-01 12:00:00", SECONDS(1782900000)); /* summer: two hours east */
	check("1970-01-01 00:00:01 UTC", SECONDS(1));
	check("2024-02-29 00:00 UTC", SECONDS(1709164800));
}

static void test_time_of_today(void **state)
{
	set_zone();
	check("11:15", now_us);
	check(" 11:15:30 ", now_us + SECONDS(30));
	check("10:15 UTC", now_us);
}

static void test_words_and_spans(void **state)
{
	set_zone();
	check("now", now_us);
	check("today", SECONDS(1795302000));
	check("yesterday", SECONDS(1795302000 - 86400));
	check("tomorrow", SECONDS(1795302000 + 86400));
	check("-5min", now_us - SECONDS(300));
	check("+1h", now_us + SECONDS(3600));
	check("5min ago", now_us - SECONDS(300));
	check("1h 30min ago", now_us - SECONDS(5400));
	check("@1795342500", now_us);
	check("@1795342500.5", now_us + 500000);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"", " ", "noon", "2026-02-30", "2026-13-01", "2026-00-10",
		"24:00", "10:60", "10", "5min", "2026-11-22 25:00", "2026-11-22 10:15 Mars", "@",
		"@x", "@1x", "ago", "-", "-infinity", "2026-11-22x", "2026-11-22 10:15:00.", "1:2",
		"2026-11-22 10:15+99:00", "10:15:00:00"};
	uint64_t us = 5;

	set_zone();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (span_parse_time(bad[i], now_us, &us) >= 0)
			fail_msg("\"%s\" was taken as %llu", bad[i], (unsigned long long)us);
	assert_int_equal(span_parse_time("1960-01-01", now_us, &us), -ERANGE);
	assert_int_equal(span_parse_time("-100y", now_us, &us), -ERANGE);
	assert_int_equal(span_parse_time("@99999999999999999999", now_us, &us), -ERANGE);
	char endless[4096];
	memset(endless, '1', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(span_parse_time(endless, now_us, &us), -EINVAL);
	assert_int_equal(us, 5);
}

static void test_render(void **state)
{
	_cleanup_(buf_done) struct buf buf = {0};
	uint64_t us = 0;

	set_zone();
	assert_int_equal(span_render_time(&buf, now_us + 123456), 0);
	assert_string_equal(buf.data, "2026-11-22 11:15:00.123");
	assert_int_equal(span_parse_time(buf.data, 0, &us), 0);
	assert_true(us == now_us + 123000);
	buf_clear(&buf);
	assert_int_equal(span_render_time(&buf, UINT64_MAX), 0);
	assert_true(buf.size > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_time_of_today),
		cmocka_unit_test(test_words_and_spans),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_render),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
