/*
 * Integers are read as systemd reads them: a leading 0 is octal, 0x 0o 0b give the base. That is
 * a matter of meaning the same by the same unit file, not of taste.
 *
 * Sizes are added up in integers: a fraction is a numerator over a power of ten, multiplied in 128
 * bits, so that "0.1G" does not depend on a rounding mode.
 */
#include "base/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/cleanup.h"

#define BLANKS " \t\n\r"

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, BLANKS);
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

static int parse_base(const char **text)
{
	const char *p = *text;

	if (p[0] != '0' || p[1] == '\0' || strchr(BLANKS, p[1]))
		return 10;
	switch (p[1]) {
	case 'x':
	case 'X':
		*text += 2;
		return 16;
	case 'o':
		*text += 2;
		return 8;
	case 'b':
		*text += 2;
		return 2;
	default:
		*text += 1;
		return 8;
	}
}

/* Digits to the end of the text. A number too large is only -ERANGE when it is one at all. */
static int parse_digits(const char *text, int base, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool too_large = false;

	if (digit_value(*text) >= base)
		return -EINVAL;
	for (; digit_value(*text) < base; text++) {
		too_large |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		too_large |= __builtin_add_overflow(value, (uint64_t)digit_value(*text), &value);
	}
	if (*skip_blanks(text) != '\0')
		return -EINVAL;
	if (too_large)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

static int parse_signed(const char *text, bool *ret_negative, uint64_t *ret_magnitude)
{
	text = skip_blanks(text);
	*ret_negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	int base = parse_base(&text);
	return parse_digits(text, base, ret_magnitude);
}

int number_parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	bool negative;
	uint64_t value;

	int r = parse_signed(text, &negative, &value);
	if (r < 0)
		return r;
	if ((negative && value != 0) || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int number_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
	bool negative;
	uint64_t magnitude;

	int r = parse_signed(text, &negative, &magnitude);
	if (r < 0)
		return r;
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	int64_t value = (int64_t)(negative ? -magnitude : magnitude);
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int number_parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[2][6] = {
		{"0", "no", "n", "false", "f", "off"},
		{"1", "yes", "y", "true", "t", "on"},
	};

	text = skip_blanks(text);
	size_t length = strcspn(text, BLANKS);
	if (*skip_blanks(text + length) != '\0')
		return -EINVAL;
	for (unsigned value = 0; value < 2; value++)
		for (unsigned i = 0; i < ARRAY_SIZE(words[value]); i++)
			if (strlen(words[value][i]) == length &&
				strncasecmp(words[value][i], text, length) == 0) {
				*ret_value = value;
				return 0;
			}
	return -EINVAL;
}

int number_parse_mode(const char *text, uint32_t *ret_mode)
{
	uint64_t mode;

	int r = parse_digits(skip_blanks(text), 8, &mode);
	if (r < 0)
		return r;
	if (mode > 07777)
		return -ERANGE;
	*ret_mode = (uint32_t)mode;
	return 0;
}

/* --- sizes --- */

static const struct {
	char suffix;
	unsigned shift;
} size_units[] = {{'E', 60}, {'P', 50}, {'T', 40}, {'G', 30}, {'M', 20}, {'K', 10}, {'B', 0}};

#define N_SIZE_UNITS ARRAY_SIZE(size_units)

/* The unit at *text, which has to be smaller than those before; N_SIZE_UNITS: a bare number. */
static int parse_size_unit(const char **text, size_t first, size_t *ret_unit)
{
	if (first > N_SIZE_UNITS)
		return -EINVAL;
	for (size_t i = first; i < N_SIZE_UNITS; i++)
		if (**text == size_units[i].suffix) {
			*text += 1;
			*ret_unit = i;
			return 0;
		}
	*ret_unit = N_SIZE_UNITS;
	return 0;
}

/* "12.34": whole and, in 10^-n, the fraction's first 18 digits. */
static int parse_decimal(
	const char **text, uint64_t *ret_whole, uint64_t *ret_part, uint64_t *ret_scale)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const char *p = *text;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, UINT64_C(10), &whole) ||
			__builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return -ERANGE;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++)
			if (scale < UINT64_C(1000000000000000000)) {
				part = part * 10 + (uint64_t)(*p - '0');
				scale *= 10;
			}
	*text = p;
	*ret_whole = whole;
	*ret_part = part;
	*ret_scale = scale;
	return 0;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	unsigned __int128 total = 0;
	size_t next_unit = 0;

	text = skip_blanks(text);
	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text = skip_blanks(text)) {
		uint64_t whole, part, scale;
		size_t unit;

		if (*text == '-')
			return -ERANGE;
		text += *text == '+';
		int r = parse_decimal(&text, &whole, &part, &scale);
		if (r < 0)
			return r;
		text = skip_blanks(text);
		r = parse_size_unit(&text, next_unit, &unit);
		if (r < 0)
			return r;
		next_unit = unit + 1;
		unsigned shift = unit < N_SIZE_UNITS ? size_units[unit].shift : 0;
		total += ((unsigned __int128)whole << shift) +
			 (((unsigned __int128)part << shift) / scale);
		if (total > UINT64_MAX)
			return -ERANGE;
	}
	*ret_bytes = (uint64_t)total;
	return 0;
}

int size_render(struct buf *buf, uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned step = 0;
	double value = (double)bytes;

	if (bytes < 1024)
		return buf_printf(buf, "%u B", (unsigned)bytes);
	/* 1023.5 and more would be printed as "1024". */
	for (; value >= 1023.5 && step + 1 < ARRAY_SIZE(names); step++)
		value /= 1024;
	if (value >= 99.95 || step == 0)
		return buf_printf(buf, "%.0f %s", value, names[step]);

	char digits[16];
	int n = snprintf(digits, sizeof(digits), value >= 9.995 ? "%.1f" : "%.2f", value);
	while (n > 0 && digits[n - 1] == '0')
		digits[--n] = '\0';
	if (n > 0 && digits[n - 1] == '.')
		digits[--n] = '\0';
	return buf_printf(buf, "%s %s", digits, names[step]);
}
