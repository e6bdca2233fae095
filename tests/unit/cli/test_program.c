/* Programs looked up in directories of our own making. */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

static char directory[] = "/tmp/hob-program-XXXXXX";

static void make_file(const char *name, const char *text, mode_t mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int set_up(void **state)
{
	char path[256];

	if (!mkdtemp(directory))
		return -1;
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%c", directory, "abd"[i]);
		if (mkdir(path, 0755) < 0)
			return -1;
	}
	snprintf(path, sizeof(path), "%s/a/folder", directory);
	mkdir(path, 0755);
	make_file("a/tool", "#!/bin/sh\n", 0644);
	make_file("b/tool", "#!/bin/sh\n", 0755);
	make_file("b/folder", "#! /bin/sh -e\n", 0755);
	make_file("a/plain", "text\n", 0644);
	make_file("b/orphan", "#!/no/such/shell -x\n", 0755);
	make_file("b/crlf", "#!/bin/sh\r\necho\r\n", 0755);
	make_file("b/badshell", "#!/tmp\n", 0755);
	return 0;
}

static int tear_down(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

/* Looks up with PATH = a:missing:b and compares. expected NULL: it fails with this status and text.
 */
static void look_up(const char *name, const char *expected, int status, const char *text)
{
	char search[512], path[512];
	_cleanup_(freep) char *found = NULL;
	struct error error = {0};

	snprintf(search, sizeof(search), "%s/a:%s/missing:%s/b", directory, directory, directory);
	int r = program_find(name, search, &found, &error);
	if (expected) {
		snprintf(path, sizeof(path), "%s/%s", directory, expected);
		assert_int_equal(r, 0);
		assert_string_equal(found, path);
		return;
	}
	assert_true(r < 0);
	assert_null(found);
	assert_int_equal(error.status, status);
	if (!strstr(error.text, text))
		fail_msg("%s: %s", name, error.text);
}

static void search_goes_on_as_execvp_does(void **state)
{
	look_up("tool", "b/tool", 0, NULL);	/* after EACCES in a */
	look_up("folder", "b/folder", 0, NULL); /* after a directory in a */
	look_up("plain", NULL, 126, "not executable");
	look_up("nothing", NULL, 127, "no such program");
	look_up("", NULL, 127, "empty");
	look_up("orphan", NULL, 127, "/no/such/shell does not exist");
	look_up("crlf", NULL, 127, "CR LF");
	look_up("badshell", NULL, 126, "/tmp cannot be executed");
}

static void paths_are_taken_as_they_are(void **state)
{
	_cleanup_(freep) char *found = NULL;
	struct error error = {0};
	char here[512], expected[600];

	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(program_find("b/tool", "/nowhere", &found, &error), 0);
	snprintf(expected, sizeof(expected), "%s/b/tool", directory);
	assert_string_equal(found, expected);
	free(take(found));
	assert_true(program_find("a/folder", NULL, &found, &error) < 0);
	assert_int_equal(error.status, EXIT_CANNOT_EXECUTE);
	assert_true(program_find("./none", NULL, &found, &error) < 0);
	assert_int_equal(error.status, EXIT_NOT_FOUND);
	/* An empty directory in PATH is the working directory. */
	assert_int_equal(chdir("b"), 0);
	assert_int_equal(program_find("tool", "/nowhere::", &found, &error), 0);
	assert_non_null(strstr(found, "/b/./tool"));
	assert_int_equal(chdir(here), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_goes_on_as_execvp_does),
		cmocka_unit_test(paths_are_taken_as_they_are),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
