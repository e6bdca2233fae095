/*
 * A span is a sum of terms, NUMBER[UNIT], each added up in 128-bit integers: no floating point, so
 * that "3.3s" is 3300000 us everywhere. Fractions keep 18 digits; the rest is below a microsecond.
 *
 * Points in time are in base/when.c.
 */
#include "base/span.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "base/cleanup.h"

#define BLANKS " \t\n\r"
#define MINUTE (60 * USEC_PER_SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
#define MONTH (UINT64_C(2629800) * USEC_PER_SEC) /* 30.44 days, systemd.time(7) */
#define YEAR (UINT64_C(31557600) * USEC_PER_SEC) /* 365.25 days */

static const struct {
	const char *name;
	uint64_t us;
} units[] = {
	{"s", USEC_PER_SEC},
	{"sec", USEC_PER_SEC},
	{"second", USEC_PER_SEC},
	{"seconds", USEC_PER_SEC},
	{"ms", USEC_PER_MSEC},
	{"msec", USEC_PER_MSEC},
	{"us", 1},
	{"usec", 1},
	{"\xc2\xb5s", 1},
	{"\xce\xbcs", 1}, /* the micro sign and the Greek letter */
	{"m", MINUTE},
	{"min", MINUTE},
	{"minute", MINUTE},
	{"minutes", MINUTE},
	{"h", HOUR},
	{"hr", HOUR},
	{"hour", HOUR},
	{"hours", HOUR},
	{"d", DAY},
	{"day", DAY},
	{"days", DAY},
	{"w", WEEK},
	{"week", WEEK},
	{"weeks", WEEK},
	{"M", MONTH},
	{"month", MONTH},
	{"months", MONTH},
	{"y", YEAR},
	{"year", YEAR},
	{"years", YEAR},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

struct term {
	uint64_t whole, part, scale; /* whole + part/scale */
	uint64_t unit_us;
};

/* "12", "12.5", ".5"; not "12." */
static int parse_number(const char **text, struct term *term)
{
	const char *p = *text;

	*term = (struct term){.scale = 1};
	p += *p == '+';
	if (!is_digit(*p) && *p != '.')
		return -EINVAL;
	for (; is_digit(*p); p++)
		if (__builtin_mul_overflow(term->whole, UINT64_C(10), &term->whole) ||
			__builtin_add_overflow(term->whole, (uint64_t)(*p - '0'), &term->whole))
			return -ERANGE;
	if (*p == '.') {
		p++;
		if (!is_digit(*p))
			return -EINVAL;
		for (; is_digit(*p); p++)
			if (term->scale < UINT64_C(1000000000000000000)) {
				term->part = term->part * 10 + (uint64_t)(*p - '0');
				term->scale *= 10;
			}
	}
	*text = p;
	return 0;
}

static int parse_unit(const char **text, uint64_t default_unit_us, uint64_t *ret_us)
{
	const char *p = *text + strspn(*text, BLANKS);
	size_t length = 0;

	while (is_letter(p[length]))
		length++;
	if (length == 0) {
		/* "12.34.56" is a typing error; "12.34 .56" and "12.34s.56" are sums. */
		if (p == *text && *p == '.')
			return -EINVAL;
		*ret_us = default_unit_us;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strlen(units[i].name) == length && memcmp(units[i].name, p, length) == 0) {
			*text = p + length;
			*ret_us = units[i].us;
			return 0;
		}
	return -EINVAL;
}

static bool is_infinity(const char *text)
{
	static const char word[] = "infinity";

	return strncmp(text, word, strlen(word)) == 0 &&
	       text[strlen(word) + strspn(text + strlen(word), BLANKS)] == '\0';
}

int span_parse(const char *text, uint64_t default_unit_us, uint64_t *ret_us)
{
	unsigned __int128 total = 0;

	text += strspn(text, BLANKS);
	if (*text == '\0')
		return -EINVAL;
	if (is_infinity(text)) {
		*ret_us = SPAN_INFINITY;
		return 0;
	}
	for (; *text != '\0'; text += strspn(text, BLANKS)) {
		struct term term;

		if (*text == '-')
			return -ERANGE;
		int r = parse_number(&text, &term);
		if (r < 0)
			return r;
		r = parse_unit(&text, default_unit_us, &term.unit_us);
		if (r < 0)
			return r;
		total += (unsigned __int128)term.whole * term.unit_us +
			 (unsigned __int128)term.part * term.unit_us / term.scale;
		if (total >= SPAN_INFINITY)
			return -ERANGE;
	}
	*ret_us = (uint64_t)total;
	return 0;
}

/* --- as text --- */

int span_render(struct buf *buf, uint64_t us)
{
	static const struct {
		const char *name;
		uint64_t us;
		bool only_whole; /* months and years are no round number of days */
	} steps[] = {
		{"y", YEAR, true},
		{"month", MONTH, true},
		{"w", WEEK},
		{"d", DAY},
		{"h", HOUR},
		{"min", MINUTE},
		{"s", USEC_PER_SEC},
		{"ms", USEC_PER_MSEC},
		{"us", 1},
	};
	const char *blank = "";

	if (us == SPAN_INFINITY)
		return buf_append_string(buf, "infinity");
	if (us == 0)
		return buf_append_string(buf, "0");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		uint64_t n = us / steps[i].us;
		if (n == 0 || (steps[i].only_whole && us % steps[i].us != 0))
			continue;
		buf_printf(buf, "%s%llu%s", blank, (unsigned long long)n, steps[i].name);
		us %= steps[i].us;
		blank = " ";
	}
	return buf_status(buf);
}

/* "2 h 5 min": the second number only where it is not 0. */
static int render_two(struct buf *buf, uint64_t us, uint64_t large_us, const char *large,
	uint64_t small_us, const char *small)
{
	buf_printf(buf, "%llu %s", (unsigned long long)(us / large_us), large);
	uint64_t rest = us % large_us / small_us;
	if (rest > 0)
		buf_printf(buf, " %llu %s", (unsigned long long)rest, small);
	return buf_status(buf);
}

/* "3.2 s": one decimal, cut off rather than rounded, so that "1.0 s" is never said of 0.96 s. */
static int render_tenths(struct buf *buf, uint64_t us, uint64_t unit_us, const char *unit)
{
	unsigned long long tenths = us * 10 / unit_us;

	if (tenths % 10 == 0)
		return buf_printf(buf, "%llu %s", tenths / 10, unit);
	return buf_printf(buf, "%llu.%llu %s", tenths / 10, tenths % 10, unit);
}

int span_render_human(struct buf *buf, uint64_t us)
{
	if (us == SPAN_INFINITY)
		return buf_append_string(buf, "infinity");
	if (us == 0)
		return buf_append_string(buf, "0 s");
	if (us < USEC_PER_MSEC)
		return buf_printf(buf, "%llu us", (unsigned long long)us);
	if (us < 10 * USEC_PER_MSEC)
		return render_tenths(buf, us, USEC_PER_MSEC, "ms");
	if (us < USEC_PER_SEC)
		return buf_printf(buf, "%llu ms", (unsigned long long)(us / USEC_PER_MSEC));
	if (us < MINUTE)
		return render_tenths(buf, us, USEC_PER_SEC, "s");
	if (us < HOUR)
		return render_two(buf, us, MINUTE, "min", USEC_PER_SEC, "s");
	if (us < DAY)
		return render_two(buf, us, HOUR, "h", MINUTE, "min");
	return render_two(buf, us, DAY, "d", HOUR, "h");
}
