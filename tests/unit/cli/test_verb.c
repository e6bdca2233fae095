/* The table of verbs: whole, and told of in the manual. */
#include "cli/verb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* This file's path leads to the tree; a relative one counts from the build directory. */
static int read_manual(struct buf *manual)
{
	const char *build = getenv("HOB_BUILD");
	const char *end = strstr(__FILE__, "tests/unit/");
	char path[1024], piece[4096];

	snprintf(path, sizeof(path), "%s%s%.*sdocs/man/hob.1.scd",
		__FILE__[0] == '/' || !build ? "" : build, __FILE__[0] == '/' || !build ? "" : "/",
		(int)(end - __FILE__), __FILE__);
	FILE *file = fopen(path, "r");
	if (!file)
		return -1;
	for (size_t n; (n = fread(piece, 1, sizeof(piece), file)) > 0;)
		buf_append(manual, piece, n);
	fclose(file);
	return 0;
}

static void rows_are_whole(void **state)
{
	for (const struct verb_info *verb = verbs; verb->name; verb++) {
		assert_non_null(verb->operands);
		assert_non_null(verb->summary);
		assert_non_null(verb->run);
		assert_true(verb->n_max == VERB_ANY || verb->n_max >= verb->n_min);
		assert_ptr_equal(verb_find(verb->name), verb);
		for (const struct option_info *o = verb->options; o && o->name; o++) {
			assert_non_null(o->help);
			for (const struct option_info *other = verb->options; other != o; other++) {
				assert_string_not_equal(o->name, other->name);
				assert_true(o->letter == 0 || o->letter != other->letter);
			}
			for (const struct option_info *c = common_options; c->name; c++) {
				assert_string_not_equal(o->name, c->name);
				assert_true(o->letter == 0 || o->letter != c->letter);
			}
		}
	}
	assert_null(verb_find("nothing"));
}

static void every_verb_of_the_design_is_there(void **state)
{
	static const char *const names[] = {"run", "start", "stop", "restart", "reload", "kill",
		"status", "list", "why", "show", "cat", "logs", "wait", "forget", "shutdown",
		"version", "help"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_non_null(verb_find(names[i]));
}

static void check_options(const char *manual, const char *verb, const struct option_info *options)
{
	for (const struct option_info *o = options; o && o->name; o++) {
		char text[64];
		snprintf(text, sizeof(text), "--%s", o->name);
		const char *at = strstr(manual, text);
		while (at && (at[strlen(text)] == '-' ||
				     (at[strlen(text)] >= 'a' && at[strlen(text)] <= 'z')))
			at = strstr(at + 1, text);
		if (!at)
			fail_msg("hob(1) does not tell of %s of hob %s", text, verb);
		snprintf(text, sizeof(text), "*-%c*, *--%s*", o->letter, o->name);
		if (o->letter && !strstr(manual, text))
			fail_msg("hob(1) does not tell of -%c of hob %s", o->letter, verb);
	}
}

static void the_manual_tells_of_all(void **state)
{
	_cleanup_(buf_done) struct buf manual = {0};

	if (read_manual(&manual) < 0)
		fail_msg("hob.1.scd is not where it should be, seen from %s", __FILE__);
	check_options(manual.data, "VERB", common_options);
	for (const struct verb_info *verb = verbs; verb->name; verb++) {
		char text[64];
		snprintf(text, sizeof(text), "*hob %s*", verb->name);
		char *grouped = strstr(manual.data, "*hob start*|*stop*|*restart*|*reload*|*kill*");
		if (!strstr(manual.data, text)) {
			snprintf(text, sizeof(text), "|*%s*", verb->name);
			assert_non_null(grouped);
			if (!strstr(grouped, text))
				fail_msg("hob(1) does not tell of hob %s", verb->name);
		}
		check_options(manual.data, verb->name, verb->options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(every_verb_of_the_design_is_there),
		cmocka_unit_test(the_manual_tells_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
