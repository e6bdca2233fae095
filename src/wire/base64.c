/* Base64 with padding (RFC 4648, section 4), for bytes that JSON strings cannot hold. */
#include "wire/varlink.h"

#include <errno.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int wire_base64_append(struct buf *out, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		unsigned group = (unsigned)bytes[i] << 16;
		if (n > 1)
			group |= (unsigned)bytes[i + 1] << 8;
		if (n > 2)
			group |= bytes[i + 2];
		char text[4] = {digits[group >> 18], digits[group >> 12 & 63],
			n > 1 ? digits[group >> 6 & 63] : '=', n > 2 ? digits[group & 63] : '='};
		int r = buf_append(out, text, sizeof(text));
		if (r < 0)
			return r;
	}
	return buf_status(out);
}

/* The digit's value, or -1. */
static int digit_value(char c)
{
	const char *place = c ? strchr(digits, c) : NULL;

	return place ? (int)(place - digits) : -1;
}

int wire_base64_decode(const char *text, struct buf *ret_bytes)
{
	size_t size = strlen(text);

	if (size % 4 != 0)
		return -EINVAL;
	for (size_t i = 0; i < size; i += 4) {
		bool last = i + 4 == size;
		unsigned n_pad = last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;
		unsigned group = 0;
		for (unsigned k = 0; k < 4; k++) {
			int value = k >= 4 - n_pad ? 0 : digit_value(text[i + k]);
			if (value < 0)
				return -EINVAL;
			group = group << 6 | (unsigned)value;
		}
		unsigned char bytes[3] = {group >> 16 & 255, group >> 8 & 255, group & 255};
		int r = buf_append(ret_bytes, bytes, 3 - n_pad);
		if (r < 0)
			return r;
	}
	return 0;
}
