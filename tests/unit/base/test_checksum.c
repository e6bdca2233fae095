/* The checksum: known values, chaining, and that it sees small changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/checksum.h"

/* FNV-1a's published value for "foobar", with the offset basis taken away. */
static void test_known_value(void **state)
{
	assert_true(checksum64(0, "foobar", 6) ==
		    (UINT64_C(0x85944171f73967e8) ^ UINT64_C(0xcbf29ce484222325)));
	assert_true(checksum64(0, "", 0) == 0);
}

static void test_chaining(void **state)
{
	static const char text[] = "hello, world";
	uint64_t whole = checksum64(0, text, 12);

	for (size_t i = 0; i <= 12; i++)
		assert_true(checksum64(checksum64(0, text, i), text + i, 12 - i) == whole);
}

static void test_sees_changes(void **state)
{
	uint8_t data[512] = {0};
	uint64_t zeros = checksum64(0, data, sizeof(data));

	/* A slot of zeros with a checksum of zero must not be valid. */
	assert_true(zeros != 0);
	assert_true(zeros != checksum64(0, data, sizeof(data) - 1));
	for (size_t bit = 0; bit < 8 * sizeof(data); bit += 37) {
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(checksum64(0, data, sizeof(data)) != zeros);
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_value),
		cmocka_unit_test(test_chaining),
		cmocka_unit_test(test_sees_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
