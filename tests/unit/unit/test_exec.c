/* Exec lines: quoting gives back what was meant; expansion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "unit/exec.h"
#include "unit/value.h"

static uint32_t random_state = 4711;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

/* "ExecStart=:/bin/x WORD" through a whole unit file, as `hob run` does it. */
static void round_trip(const char *word)
{
	_cleanup_(buf_done) struct buf text = {0};
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	struct unit_messages messages = {0};
	const struct exec_command *commands;
	struct error error = {0};

	buf_append_string(&text, "[Service]\nExecStart=:/bin/x ");
	exec_quote(&text, word);
	buf_append_string(&text, " end\n");
	assert_int_equal(unit_builder_new("x.service", &builder, &error), 0);
	assert_int_equal(
		unit_builder_add(builder, "x", text.data, text.size, &messages, &error), 0);
	assert_int_equal(unit_builder_finish(builder, &unit, &messages, &error), 0);
	if (messages.n > 0)
		fail_msg("%s: %s", text.data, messages.items[0].text);
	assert_int_equal(unit_commands(unit, UNIT_EXEC_START, &commands), 1);
	assert_string_equal(commands[0].argv[1], word);
	assert_string_equal(commands[0].argv[2], "end");
	assert_null(commands[0].argv[3]);
}

static void test_quote_round_trip(void **state)
{
	static const char *const words[] = {"", " ", "a b", "\"", "'", "\\", "\\\\", "a\\", "%n",
		"%%", "%", ";", "\\;", "$HOME", "${X}", "#x", "-x", "@", "\t", "\n", "\r\n", "\xff",
		"\xc3\xbc", "\xc3", "a\x01z", "\x7f", "~", "*", "[x]", "\"a\\\"b'"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		round_trip(words[i]);
}

static void test_quote_round_trip_of_random_bytes(void **state)
{
	for (int i = 0; i < 3000; i++) {
		char word[24];
		size_t size = next_random() % (sizeof(word) - 1);
		for (size_t k = 0; k < size; k++) {
			static const char likely[] = "\\\"' %;$x\n\xc3\xbc";
			word[k] = next_random() % 2 ? likely[next_random() % (sizeof(likely) - 1)]
						    : (char)(next_random() % 255 + 1);
		}
		word[size] = '\0';
		round_trip(word);
	}
}

static void test_bare_where_it_can_be(void **state)
{
	_cleanup_(buf_done) struct buf buf = {0};

	exec_quote(&buf, "/usr/bin/python3.11-x_y:z,@a=b");
	assert_string_equal(buf.data, "/usr/bin/python3.11-x_y:z,@a=b");
	buf_clear(&buf);
	exec_quote(&buf, "50%");
	assert_string_equal(buf.data, "\"50%%\"");
}

static void test_environment_round_trip(void **state)
{
	static const char *const assignments[] = {"A=", "A=b c", "A=%n\\\"'$x", "A=\xff\n;"};
	_cleanup_(buf_done) struct buf text = {0};
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	struct error error = {0};
	const char *const *items;

	buf_append_string(&text, "[Service]\nExecStart=/bin/x\n");
	for (size_t i = 0; i < ARRAY_SIZE(assignments); i++) {
		buf_append_string(&text, "Environment=");
		exec_quote_environment(&text, assignments[i]);
		buf_printf(&text, " N%zu=1\n", i);
	}
	assert_int_equal(unit_builder_new("x.service", &builder, &error), 0);
	assert_int_equal(unit_builder_add(builder, "x", text.data, text.size, NULL, &error), 0);
	assert_int_equal(unit_builder_finish(builder, &unit, NULL, &error), 0);
	assert_int_equal(unit_list(unit, UNIT_ENVIRONMENT, &items), 1 + ARRAY_SIZE(assignments));
	assert_string_equal(items[0], assignments[3]); /* the last A= wins, in the first's place */
	assert_string_equal(items[1], "N0=1");
	assert_null(items[5]);
}

/* argv as one text, a word in each <>. */
static void check_expansion(uint32_t flags, const char *const *argv, const char *expected)
{
	_cleanup_(strv_done) struct strv env = {0}, got = {0};
	_cleanup_(buf_done) struct buf text = {0};
	struct exec_command command = {.path = "/bin/x", .argv = argv, .flags = flags};

	strv_append(&env, "TWO=a  'b c'");
	strv_append(&env, "EMPTY=");
	strv_append(&env, "ONE=1");
	assert_int_equal(exec_expand(&command, &env, &got), 0);
	for (size_t i = 0; i < got.n; i++)
		buf_printf(&text, "<%s>", got.items[i]);
	assert_string_equal(text.data, expected);
}

static void test_expansion(void **state)
{
	check_expansion(0, (const char *[]){"x", "$TWO", "${TWO}", NULL}, "<x><a><b c><a  'b c'>");
	check_expansion(0, (const char *[]){"x", "$EMPTY", "$NONE", "${NONE}", "${EMPTY}", NULL},
		"<x><><>");
	check_expansion(0, (const char *[]){"x", "a$ONE", "a${ONE}b", "$$ONE", "$", NULL},
		"<x><a$ONE><a1b><$ONE>");
	check_expansion(0,
		(const char *[]){"x", "${ONE", "${ONE:-2}", "$ONE$ONE", "a$$", "b$", NULL},
		"<x><${ONE><${ONE:-2}><a$><b$>");
	check_expansion(EXEC_NO_EXPANSION, (const char *[]){"x", "$ONE", "${ONE}", "$$", NULL},
		"<x><$ONE><${ONE}><$$>");
	check_expansion(EXEC_ARGV0, (const char *[]){"$EMPTY", NULL}, "</bin/x>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote_round_trip),
		cmocka_unit_test(test_quote_round_trip_of_random_bytes),
		cmocka_unit_test(test_bare_where_it_can_be),
		cmocka_unit_test(test_environment_round_trip),
		cmocka_unit_test(test_expansion),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
