/* Nothing here is secret or random: making ids is os/'s, this is only their text. */
#include "base/id128.h"

#include <errno.h>
#include <string.h>

bool id128_is_null(struct id128 id)
{
	return id128_equal(id, (struct id128){0});
}

bool id128_equal(struct id128 a, struct id128 b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

char *id128_render(struct id128 id, char text[static ID128_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < sizeof(id.bytes); i++) {
		text[2 * i] = digits[id.bytes[i] >> 4];
		text[2 * i + 1] = digits[id.bytes[i] & 0xf];
	}
	text[ID128_TEXT_SIZE - 1] = '\0';
	return text;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -EINVAL;
}

/* Where a UUID has its dashes, counted in digits before them (RFC 9562). */
static bool dash_belongs_before(unsigned digit)
{
	return digit == 8 || digit == 12 || digit == 16 || digit == 20;
}

int id128_parse(const char *text, struct id128 *ret_id)
{
	struct id128 id = {0};
	bool with_dashes = strlen(text) == 36;

	for (unsigned digit = 0; digit < 32; digit++) {
		if (with_dashes && dash_belongs_before(digit) && *text++ != '-')
			return -EINVAL;
		int value = hex_value(*text);
		if (value < 0)
			return value;
		id.bytes[digit / 2] = (uint8_t)(id.bytes[digit / 2] << 4 | value);
		text++;
	}
	if (*text != '\0')
		return -EINVAL;
	*ret_id = id;
	return 0;
}
