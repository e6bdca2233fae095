/* Unit-file lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "unit/lex.h"
#include "unit/unit.h"

/* All tokens as one text: [section], key=value and the names of what is refused. */
static char *lex_all(const char *text, size_t size)
{
	static const char *const refused[] = {[LEX_NO_EQUALS] = "no-equals",
		[LEX_NO_KEY] = "no-key",
		[LEX_NOT_UTF8] = "not-utf8",
		[LEX_BAD_SECTION] = "bad-section",
		[LEX_TOO_LONG] = "too-long"};
	_cleanup_(lexer_done) struct lexer lexer = {.data = text, .size = size};
	_cleanup_(buf_done) struct buf out = {0};
	struct lex_token token;

	do {
		assert_int_equal(lexer_next(&lexer, &token), 0);
		if (token.kind == LEX_SECTION)
			buf_printf(&out, "%u[%s];", token.line, token.name);
		else if (token.kind == LEX_ASSIGNMENT)
			buf_printf(&out, "%u %s=%s;", token.line, token.name, token.value);
		else if (token.kind != LEX_END)
			buf_printf(&out, "%u %s;", token.line, refused[token.kind]);
	} while (token.kind != LEX_END && token.kind != LEX_BAD_SECTION &&
		 token.kind != LEX_TOO_LONG);
	return buf_take_string(&out);
}

static void check(const char *text, const char *expected)
{
	/* Without a NUL behind it, so that reading beyond the end is seen. */
	size_t size = strlen(text);
	char *exact = malloc(size ? size : 1);
	memcpy(exact, text, size);
	_cleanup_(freep) char *got = lex_all(exact, size);

	free(exact);
	assert_string_equal(got, expected);
}

static void test_plain(void **state)
{
	check("", "");
	check("[Unit]\nA=1\n", "1[Unit];2 A=1;");
	check("[Unit]\nA=1", "1[Unit];2 A=1;");
	check("  [Unit]  \n\n\t A =  b c  \n", "1[Unit];3 A=b c;");
	check("A=b=c\n", "1 A=b=c;");
	check("A=\n", "1 A=;");
	check("A=b # no comment\n", "1 A=b # no comment;");
}

static void test_comments(void **state)
{
	check("# one\n  ; two\nA=1\n", "3 A=1;");
	check("#\n;\n", "");
	check("# a comment does not continue \\\nA=1\n", "2 A=1;");
}

static void test_continuation(void **state)
{
	check("A=one \\\n  two\nB=1\n", "1 A=one    two;3 B=1;");
	check("A=one\\\n# in between\n; also\n  two\n", "1 A=one   two;");
	check("A=one\\\n\nB=1\n", "1 A=one;3 B=1;");
	check("A=one\\\\\nB=1\n", "1 A=one\\\\;2 B=1;");
	check("A=one\\\\\\\ntwo\n", "1 A=one\\\\ two;");
	check("A=one\\", "1 A=one;");
	check("A=one\\\n", "1 A=one;");
	check("[Un\\\nit]\n", "1[Un it];");
}

static void test_line_ends(void **state)
{
	check("A=1\r\nB=2\rC=3\n\rD=4\r\n", "1 A=1;2 B=2;3 C=3;4 D=4;");
	check("A=1\\\r\n2\r\n", "1 A=1 2;");
	check("\xef\xbb\xbf"
	      "A=1\n",
		"1 A=1;");
	check("\xef\xbb\xbf# comment\nA=1\n", "2 A=1;");
	check("A=\xef\xbb\xbf\n", "1 A=\xef\xbb\xbf;");
}

static void test_refused_lines(void **state)
{
	check("hello\n=x\nA=\xff\nB=1\n", "1 no-equals;2 no-key;3 not-utf8;4 B=1;");
	check("[Unit\nA=1\n", "1 bad-section;");
	check("[\n", "1 bad-section;");
	check("[]\n", "1[];");
}

static void test_nul_ends_a_line(void **state)
{
	_cleanup_(freep) char *got = lex_all("A=1\0B=2", 7);

	assert_string_equal(got, "1 A=1;2 B=2;");
}

static void test_too_long(void **state)
{
	size_t size = UNIT_LINE_MAX + UNIT_LINE_MAX / 10;
	char *text = malloc(size);

	memset(text, 'x', size);
	memcpy(text, "A=", 2);
	char *got = lex_all(text, size);
	assert_string_equal(got, "1 too-long;");
	free(got);

	/* Many lines joined are one line. */
	for (size_t i = 100; i + 2 < size; i += 100)
		memcpy(text + i, "\\\n", 2);
	got = lex_all(text, size);
	assert_string_equal(got, "1 too-long;");
	free(got);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_continuation),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_refused_lines),
		cmocka_unit_test(test_nul_ends_a_line),
		cmocka_unit_test(test_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
