/*
 * Points in time as text: the second half of base/span.h. Broken-down time is libc's business
 * (mktime, timegm, localtime_r); what is read is checked here first, since mktime takes any number
 * and would silently make 2026-02-31 a day in March.
 */
#include "base/span.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"

#define BLANKS " \t"
#define TEXT_MAX 128

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Between min and max digits. */
static int parse_digits(const char **text, unsigned min, unsigned max, int *ret_value)
{
	unsigned n = 0;
	int value = 0;

	for (; n < max && is_digit((*text)[n]); n++)
		value = value * 10 + ((*text)[n] - '0');
	if (n < min)
		return -EINVAL;
	*text += n;
	*ret_value = value;
	return 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap);
}

/* YYYY-MM-DD. -EAGAIN: there is no date here, perhaps a time. */
static int parse_date(const char **text, struct tm *tm)
{
	int year, month, day;
	const char *p = *text;

	if (parse_digits(&p, 4, 4, &year) < 0 || *p != '-')
		return -EAGAIN;
	p++;
	if (parse_digits(&p, 1, 2, &month) < 0 || *p++ != '-' || parse_digits(&p, 1, 2, &day) < 0)
		return -EINVAL;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return -EINVAL;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	*text = p;
	return 0;
}

/* ".123" as microseconds; nothing there is 0. */
static int parse_fraction(const char **text, uint64_t *ret_us)
{
	uint64_t us = 0, unit = USEC_PER_SEC / 10;
	const char *p = *text;

	if (*p == '.') {
		if (!is_digit(p[1]))
			return -EINVAL;
		for (p++; is_digit(*p); p++, unit /= 10)
			us += unit * (uint64_t)(*p - '0');
	}
	*text = p;
	*ret_us = us;
	return 0;
}

/* HH:MM[:SS[.frac]]; a leap second is taken. */
static int parse_clock(const char **text, struct tm *tm, uint64_t *ret_us)
{
	const char *p = *text;
	int hour, minute, second = 0;

	*ret_us = 0;
	if (parse_digits(&p, 1, 2, &hour) < 0 || *p != ':')
		return -EINVAL;
	p++;
	if (parse_digits(&p, 2, 2, &minute) < 0)
		return -EINVAL;
	if (*p == ':') {
		p++;
		if (parse_digits(&p, 2, 2, &second) < 0 || parse_fraction(&p, ret_us) < 0)
			return -EINVAL;
	}
	if (hour > 23 || minute > 59 || second > 60)
		return -EINVAL;
	tm->tm_hour = hour;
	tm->tm_min = minute;
	tm->tm_sec = second;
	*text = p;
	return 0;
}

/* The end of the text: nothing (local time), "UTC", "Z", "+02:00". */
static int parse_zone(const char *text, bool *ret_is_local, int *ret_east_s)
{
	int hours, minutes = 0;

	text += strspn(text, BLANKS);
	*ret_is_local = *text == '\0';
	*ret_east_s = 0;
	if (*text == '\0' || strcmp(text, "UTC") == 0 || strcmp(text, "Z") == 0)
		return 0;
	if (*text != '+' && *text != '-')
		return -EINVAL;
	int sign = *text++ == '-' ? -1 : 1;
	if (parse_digits(&text, 2, 2, &hours) < 0)
		return -EINVAL;
	text += *text == ':';
	if (*text != '\0' && parse_digits(&text, 2, 2, &minutes) < 0)
		return -EINVAL;
	if (*text != '\0' || hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_east_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int make_time(
	struct tm *tm, bool is_local, int east_s, uint64_t fraction_us, uint64_t *ret_us)
{
	tm->tm_isdst = -1;
	errno = 0;
	time_t seconds = is_local ? mktime(tm) : timegm(tm);
	if (seconds == (time_t)-1 && errno != 0)
		return -ERANGE;
	seconds -= east_s;
	if (seconds < 0)
		return -ERANGE;
	*ret_us = (uint64_t)seconds * USEC_PER_SEC + fraction_us;
	return 0;
}

/* Today's date as it is in local time or UTC, at midnight. */
static int start_of_day(uint64_t now_us, bool is_local, struct tm *ret_tm)
{
	time_t now = (time_t)(now_us / USEC_PER_SEC);
	struct tm tm;

	if (!(is_local ? localtime_r(&now, &tm) : gmtime_r(&now, &tm)))
		return -ERANGE;
	*ret_tm = (struct tm){.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
	return 0;
}

static int parse_absolute(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	struct tm tm = {0}, clock = {0};
	uint64_t fraction_us = 0;
	bool is_local;
	int east_s;

	int date = parse_date(&text, &tm);
	if (date == -EINVAL)
		return date;
	if (date == 0 && *text == 'T')
		text++;
	else if (date == 0)
		text += strspn(text, BLANKS);
	if (date < 0 || is_digit(*text)) {
		int r = parse_clock(&text, &clock, &fraction_us);
		if (r < 0)
			return r;
	}
	int r = parse_zone(text, &is_local, &east_s);
	if (r < 0)
		return r;
	if (date < 0) {
		r = start_of_day(now_us + (uint64_t)(int64_t)east_s * USEC_PER_SEC, is_local, &tm);
		if (r < 0)
			return r;
	}
	tm.tm_hour = clock.tm_hour;
	tm.tm_min = clock.tm_min;
	tm.tm_sec = clock.tm_sec;
	return make_time(&tm, is_local, east_s, fraction_us, ret_us);
}

/* "@SECONDS[.frac]" */
static int parse_epoch(const char *text, uint64_t *ret_us)
{
	uint64_t seconds = 0, fraction_us;

	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text); text++)
		if (__builtin_mul_overflow(seconds, UINT64_C(10), &seconds) ||
			__builtin_add_overflow(seconds, (uint64_t)(*text - '0'), &seconds))
			return -ERANGE;
	int r = parse_fraction(&text, &fraction_us);
	if (r < 0)
		return r;
	if (*text != '\0')
		return -EINVAL;
	if (__builtin_mul_overflow(seconds, USEC_PER_SEC, &seconds) ||
		__builtin_add_overflow(seconds, fraction_us, ret_us))
		return -ERANGE;
	return 0;
}

static int parse_relative(const char *text, bool is_past, uint64_t now_us, uint64_t *ret_us)
{
	uint64_t span_us;

	int r = span_parse(text, USEC_PER_SEC, &span_us);
	if (r < 0)
		return r;
	if (span_us == SPAN_INFINITY)
		return -EINVAL;
	if (is_past ? span_us > now_us : span_us > SPAN_INFINITY - 1 - now_us)
		return -ERANGE;
	*ret_us = is_past ? now_us - span_us : now_us + span_us;
	return 0;
}

static int parse_day_name(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	static const struct {
		const char *name;
		int days;
	} days[] = {{"yesterday", -1}, {"today", 0}, {"tomorrow", 1}};
	struct tm tm;

	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		if (strcmp(text, days[i].name) != 0)
			continue;
		int r = start_of_day(now_us, true, &tm);
		if (r < 0)
			return r;
		tm.tm_mday +=
			days[i].days; /* mktime makes a date of it, over a change of hours too */
		return make_time(&tm, true, 0, 0, ret_us);
	}
	return -EAGAIN;
}

/* Cuts a word off the end, and the blanks before it. */
static bool cut_last_word(char *text, const char *word)
{
	size_t length = strlen(text), word_length = strlen(word);

	if (length <= word_length || strcmp(text + length - word_length, word) != 0 ||
		!strchr(BLANKS, text[length - word_length - 1]))
		return false;
	text[length - word_length] = '\0';
	return true;
}

int span_parse_time(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	char copy[TEXT_MAX];

	text += strspn(text, BLANKS);
	size_t length = strlen(text);
	while (length > 0 && strchr(BLANKS, text[length - 1]))
		length--;
	if (length == 0 || length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';

	if (strcmp(copy, "now") == 0) {
		*ret_us = now_us;
		return 0;
	}
	int r = parse_day_name(copy, now_us, ret_us);
	if (r != -EAGAIN)
		return r;
	if (copy[0] == '@')
		return parse_epoch(copy + 1, ret_us);
	if (copy[0] == '-' || copy[0] == '+')
		return parse_relative(copy + 1, copy[0] == '-', now_us, ret_us);
	if (cut_last_word(copy, "ago"))
		return parse_relative(copy, true, now_us, ret_us);
	return parse_absolute(copy, now_us, ret_us);
}

int span_render_time(struct buf *buf, uint64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / USEC_PER_SEC);
	struct tm tm;

	/* A time that no calendar has: far beyond the year 10^9. */
	if (!localtime_r(&seconds, &tm))
		return buf_printf(buf, "@%llu", (unsigned long long)(wall_us / USEC_PER_SEC));
	return buf_printf(buf, "%04d-%02d-%02d %02d:%02d:%02d.%03d", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		(int)(wall_us % USEC_PER_SEC / USEC_PER_MSEC));
}
