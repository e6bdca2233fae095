/* UTF-8, and bytes made harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"

static bool is_utf8(const char *text)
{
	return text_is_utf8(text, strlen(text));
}

static void test_utf8(void **state)
{
	assert_true(is_utf8(""));
	assert_true(is_utf8("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x92\xa9z"));
	assert_true(is_utf8("\xf4\x8f\xbf\xbf"));
	assert_false(is_utf8("\xc0\x80"));	   /* overlong */
	assert_false(is_utf8("\xe0\x9f\xbf"));	   /* overlong */
	assert_false(is_utf8("\xf0\x8f\xbf\xbf")); /* overlong */
	assert_false(is_utf8("\xed\xa0\x80"));	   /* a surrogate */
	assert_false(is_utf8("\xf4\x90\x80\x80")); /* beyond U+10FFFF */
	assert_false(is_utf8("\xf5\x80\x80\x80"));
	assert_false(is_utf8("\x80"));
	assert_false(is_utf8("\xc3"));
	assert_false(is_utf8("\xe2\x82"));
	assert_false(is_utf8("\xf0\x9f\x92"));
	assert_false(is_utf8("\xc3\x28"));
}

static void check_harmless(const char *data, size_t size, const char *expected)
{
	_cleanup_(buf_done) struct buf buf = {0};

	assert_int_equal(text_append_harmless(&buf, data, size), 0);
	assert_string_equal(buf.data, expected);
}

static void test_harmless(void **state)
{
	check_harmless("", 0, "");
	check_harmless("a\tb", 3, "a\tb");
	check_harmless("\x1b[31mred\n", 9, "\\x1b[31mred\\x0a");
	check_harmless("a\0b", 3, "a\\x00b");
	check_harmless("\xc2\x9b", 2, "\\xc2\\x9b"); /* CSI in eight bits */
	check_harmless("\xc2\xa0\xc3\xbc", 4, "\xc2\xa0\xc3\xbc");
	check_harmless("\xff\xc3", 2, "\\xff\\xc3");
	check_harmless("\x7f", 1, "\\x7f");
}

/* Whatever comes in, what comes out is UTF-8 without a control but tab. */
static void test_harmless_for_all_pairs(void **state)
{
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		char data[2] = {(char)(pair >> 8), (char)pair};
		_cleanup_(buf_done) struct buf buf = {0};
		assert_int_equal(text_append_harmless(&buf, data, 2), 0);
		assert_true(is_utf8(buf.data));
		for (const char *c = buf.data; *c; c++)
			assert_true((unsigned char)*c >= 0x20 ? *c != 0x7f : *c == '\t');
	}
}

static void check_quoted(const char *word, const char *expected)
{
	_cleanup_(buf_done) struct buf buf = {0};

	assert_int_equal(text_append_shell_quoted(&buf, word), 0);
	assert_string_equal(buf.data, expected);
}

static void test_shell_quoted(void **state)
{
	check_quoted("/usr/bin/x-1.2:y", "/usr/bin/x-1.2:y");
	check_quoted("", "''");
	check_quoted("a b", "'a b'");
	check_quoted("$x", "'$x'");
	check_quoted("it's", "'it'\\''s'");
	check_quoted("~", "'~'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_harmless_for_all_pairs),
		cmocka_unit_test(test_shell_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
