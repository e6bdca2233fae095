/* A 128-bit identifier: run ids, epochs, request ids, boot ids. Text form: 32 lower-case hex
 * digits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ID128_TEXT_SIZE 33 /* with the final NUL */

struct id128 {
	uint8_t bytes[16];
};

bool id128_is_null(struct id128 id);
bool id128_equal(struct id128 a, struct id128 b);
/* Writes 32 digits and a NUL into text and returns it. */
char *id128_render(struct id128 id, char text[static ID128_TEXT_SIZE]);
/* Accepts 32 hex digits, with or without the dashes of a UUID. 0, or -EINVAL (id untouched). */
int id128_parse(const char *text, struct id128 *ret_id);
