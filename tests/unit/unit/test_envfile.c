/* Environment files: what is written is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "unit/exec.h"

static void check(const char *text, const char *expected)
{
	_cleanup_(strv_done) struct strv env = {0};
	_cleanup_(buf_done) struct buf got = {0};
	struct error error = {0};

	assert_int_equal(envfile_parse("x", text, strlen(text), &env, &error), 0);
	for (size_t i = 0; i < env.n; i++)
		buf_printf(&got, "%s;", env.items[i]);
	assert_string_equal(got.data ? got.data : "", expected);
}

static void test_forms(void **state)
{
	check("", "");
	check("A=1\nB=2", "A=1;B=2;");
	check("A=1\nB=2\nA=3\n", "A=3;B=2;");
	check("export A=1\nB=2\n", "B=2;");
	check("  A = b  \n", "A=b;");
	check("A='x'\"y\"z\n", "A=xyz;");
	check("A=x\"y\"\n", "A=x\"y\";");
	check("A=\"$B\"\n", "A=$B;");
	check("A='open", "A=open;");
	check("A=b # c\n", "A=b # c;");
	check("=x\nA B=1\nC=1\r\nD=2\r\n", "C=1;D=2;");
	check("a.b=1\n", "a.b=1;");
	check("A=\"one\\\ntwo\"\n", "A=onetwo;");
	check("A=one\\\n  two  \n", "A=one  two;");
	check("novalue\nA=1\n", "A=1;");
}

static void test_errors(void **state)
{
	_cleanup_(strv_done) struct strv env = {0};
	struct error error = {0};

	assert_int_equal(envfile_parse("/e", "A=1\nB=\0", 7, &env, &error), -EBADMSG);
	assert_string_equal(error.text, "/e:2: a NUL byte");
	assert_int_equal(error.status, EXIT_USAGE);
}

static void test_too_many(void **state)
{
	_cleanup_(strv_done) struct strv env = {0};
	_cleanup_(buf_done) struct buf text = {0};
	struct error error = {0};

	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "V%d=x\n", i);
	assert_int_equal(envfile_parse("/e", text.data, text.size, &env, &error), -EBADMSG);
	assert_memory_equal(error.text, "/e:4097: ", 9);
}

static void round_trip(const char *assignment)
{
	_cleanup_(strv_done) struct strv env = {0};
	_cleanup_(buf_done) struct buf text = {0};

	/* With neighbours, so that a value that runs over is seen. */
	assert_int_equal(envfile_render(&text, "FIRST=1"), 0);
	assert_int_equal(envfile_render(&text, assignment), 0);
	assert_int_equal(envfile_render(&text, "LAST=2"), 0);
	assert_int_equal(envfile_parse("x", text.data, text.size, &env, NULL), 0);
	assert_int_equal(env.n, 3);
	assert_string_equal(env.items[1], assignment);
	assert_string_equal(env.items[2], "LAST=2");
}

static void test_round_trip(void **state)
{
	round_trip("A=");
	round_trip("A=  blanks  ");
	round_trip("A=\"'\\`$x\\");
	round_trip("A=two\nlines\r\n\n");
	round_trip("A=#;=");
	round_trip("A=\xff\xfe\x01\x7f");
	round_trip("BASH_FUNC_x%%=() {  echo \"$1\"\n}");
	round_trip("a.b-c=1");
	for (unsigned a = 1; a < 256; a++)
		for (unsigned b = 1; b < 256; b += 7) {
			char text[] = {'A', '=', (char)a, (char)b, '\0'};
			round_trip(text);
		}
}

static void test_names_that_no_file_can_hold(void **state)
{
	static const char *const bad[] = {
		"", "A", "=x", "A B=1", "#A=1", ";A=1", "A\n=1", "\"A=1", "A\\=1", "A\t=1"};
	_cleanup_(buf_done) struct buf text = {0};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(envfile_render(&text, bad[i]), -EINVAL);
	assert_int_equal(text.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_names_that_no_file_can_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
