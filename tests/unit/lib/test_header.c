/*
 * hob.h compiles by itself, as strict C and as C++, and has C linkage there. The C++ part needs a
 * compiler; where there is none (a machine that only builds hob has none), there is nothing to see.
 */
#include "hob.h"

#include <libgen.h>
#include <limits.h>

#include "probe.h"

/* The source tree, from where this file was compiled (relative to the build directory). */
static void find_header(char path[static PATH_MAX])
{
	char here[] = __FILE__, joined[PATH_MAX];
	const char *build = getenv("HOB_BUILD");

	snprintf(joined, sizeof(joined), "%s%s%s/../../../include/hob.h",
		here[0] != '/' && build ? build : "", here[0] != '/' && build ? "/" : "",
		dirname(here));
	assert_non_null(realpath(joined, path));
}

/* Feeds a program of one line to a compiler: its exit status, 127: there is no such compiler. */
static int compile(const char *compiler, const char *language, const char *line)
{
	char header[PATH_MAX], command[2 * PATH_MAX];

	find_header(header);
	snprintf(command, sizeof(command),
		"command -v %s >/dev/null || exit 127; printf '#include \"%%s\"\\n%%s\\n' '%s' "
		"'%s' | "
		"%s -x %s -Wall -Wextra -Werror -pedantic -fsyntax-only - 2>&1",
		compiler, header, line, compiler, language);
	int status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_c(void **state)
{
	assert_int_equal(compile("cc -std=c99", "c", "struct hob_daemon_opts o = {0};"), 0);
}

static void test_cpp(void **state)
{
	static const char line[] =
		"extern \"C\" { extern int (*p)(const hob_daemon_opts *, hob_daemon **); } "
		"int (*p)(const hob_daemon_opts *, hob_daemon **) = hob_daemonize;";

	int r = compile("c++ -std=c++11", "c++", line);
	assert_true(r == 0 || r == 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_c), cmocka_unit_test(test_cpp)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
