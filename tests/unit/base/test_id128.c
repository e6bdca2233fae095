/* 128-bit ids as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/id128.h"

static void test_round_trip(void **state)
{
	struct id128 id, again;
	char text[ID128_TEXT_SIZE];

	for (unsigned i = 0; i < 16; i++)
		id.bytes[i] = (uint8_t)(i * 17 + 3);
	assert_int_equal(strlen(id128_render(id, text)), 32);
	assert_int_equal(id128_parse(text, &again), 0);
	assert_true(id128_equal(id, again));
	assert_false(id128_is_null(id));
}

static void test_uuid_form(void **state)
{
	struct id128 a, b;

	assert_int_equal(id128_parse("00112233-4455-6677-8899-aAbBcCdDeEfF", &a), 0);
	assert_int_equal(id128_parse("00112233445566778899aabbccddeeff", &b), 0);
	assert_true(id128_equal(a, b));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"", "0", "00112233445566778899aabbccddeef",
		"00112233445566778899aabbccddeeff0", "00112233445566778899aabbccddeefg",
		"0011223344556677-8899aabbccddeeff", "00112233-4455-6677-8899aabbccddeeff0123",
		"00112233-4455-6677-8899-aabbccddeef-", "{0112233445566778899aabbccddeef}"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct id128 id = {{42}};
		assert_int_equal(id128_parse(bad[i], &id), -EINVAL);
		assert_int_equal(id.bytes[0], 42);
	}
	assert_true(id128_is_null((struct id128){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_uuid_form),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
