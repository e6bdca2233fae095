/* Where an instance's things are, and what is refused there. */
#include "os/place.h"

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

static char directory[] = "/tmp/hob-place-XXXXXX";

static int set_up(void **state)
{
	unsetenv("HOB_HOME");
	unsetenv("HOB_UNIT_PATH");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static void homes_are_made_absolute(void **state)
{
	struct place place = {0};
	struct error error = {0};
	char here[512], expected[600];

	assert_int_equal(place_find("/a/b//", &place, &error), 0);
	assert_string_equal(place.home, "/a/b");
	assert_string_equal(place.runtime, "/a/b/run");
	assert_string_equal(place.log, "/a/b/log");
	assert_string_equal(place.unit_path[0], "/a/b/units");
	assert_string_equal(place.unit_path[1], "/a/b/run/transient");
	assert_null(place.unit_path[2]);
	assert_false(place.is_root_instance);
	char *path = place_runtime_path(&place, "control");
	assert_string_equal(path, "/a/b/run/control");
	free(path);
	place_done(&place);

	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(directory), 0);
	setenv("HOB_HOME", "x", 1);
	assert_int_equal(place_find(NULL, &place, &error), 0);
	snprintf(expected, sizeof(expected), "%s/x/run", directory);
	assert_string_equal(place.runtime, expected);
	place_done(&place);
	unsetenv("HOB_HOME");
	assert_int_equal(chdir(here), 0);
	assert_int_equal(place_find("", &place, &error), -EINVAL);
	assert_int_equal(error.status, EXIT_USAGE);
}

static void the_environment_does_not_move_a_users_place(void **state)
{
	struct place place = {0};
	struct error error = {0};

	setenv("HOME", directory, 1);
	setenv("XDG_RUNTIME_DIR", directory, 1);
	int r = place_find(NULL, &place, &error);
	if (geteuid() == 0)
		assert_string_equal(place.runtime, "/run/hob");
	if (r == 0)
		assert_null(strstr(place.runtime, directory));
	place_done(&place);
}

static void the_unit_path_can_be_replaced(void **state)
{
	struct place place = {0}, given = {0};
	struct error error = {0};

	setenv("HOB_UNIT_PATH", "/x:relative::/y", 1);
	assert_int_equal(place_find("/h", &place, &error), 0);
	assert_string_equal(place.unit_path[0], "/x");
	assert_string_equal(place.unit_path[1], "/y");
	assert_string_equal(place.unit_path[2], "/h/run/transient");
	assert_null(place.unit_path[3]);
	assert_int_equal(place_given("/h/run", "/h/log", &given), 0);
	assert_string_equal(given.unit_path[1], "/y");
	assert_string_equal(given.log, "/h/log");
	place_done(&given);
	place_done(&place);
	unsetenv("HOB_UNIT_PATH");
}

static void directories_are_made_and_closed(void **state)
{
	struct place place = {0};
	struct error error = {0};
	char home[300], path[400];
	struct stat st;

	snprintf(home, sizeof(home), "%s/deep/er", directory);
	assert_int_equal(place_find(home, &place, &error), 0);
	assert_int_equal(place_prepare(&place, &error), 0);
	assert_int_equal(place_prepare(&place, &error), 0);
	assert_int_equal(stat(place.runtime, &st), 0);
	assert_int_equal(st.st_mode & 0777, geteuid() == 0 ? 0755 : 0700);
	static const char *const closed[] = {"fifo", "env", "loaded", "transient"};
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
		snprintf(path, sizeof(path), "%s/%s", place.runtime, closed[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		/* One that was opened meanwhile is closed again. */
		assert_int_equal(chmod(path, 0755), 0);
	}
	assert_int_equal(place_prepare(&place, &error), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	place_done(&place);
}

/* Makes DIR/NAME/run by `make` and expects place_prepare() to refuse it. */
static void expect_refusal(
	const char *name, int (*make)(const char *path), int code, const char *text)
{
	struct place place = {0};
	struct error error = {0};
	char home[300], run[400];

	snprintf(home, sizeof(home), "%s/%s", directory, name);
	snprintf(run, sizeof(run), "%s/run", home);
	assert_int_equal(mkdir(home, 0755), 0);
	if (make(run) < 0)
		skip();
	assert_int_equal(place_find(home, &place, &error), 0);
	assert_int_equal(place_prepare(&place, &error), code);
	assert_int_equal(error.status, EXIT_NOT_PERMITTED);
	if (!strstr(error.text, text))
		fail_msg("%s", error.text);
	place_done(&place);
}

static int make_link(const char *path)
{
	return symlink(directory, path);
}

static int make_open(const char *path)
{
	return mkdir(path, 0755) < 0 || chmod(path, 0777) < 0 ? -1 : 0;
}

static int make_foreign(const char *path)
{
	return geteuid() != 0 || mkdir(path, 0700) < 0 || chown(path, 65534, 65534) < 0 ? -1 : 0;
}

static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	return fd < 0 ? -1 : close(fd);
}

static void links_are_refused(void **state)
{
	expect_refusal("link", make_link, -ELOOP, "symbolic link");
}

static void open_directories_are_refused(void **state)
{
	expect_refusal("open", make_open, -EPERM, "others can write");
}

static void files_are_refused(void **state)
{
	expect_refusal("file", make_file, -ENOTDIR, "not a directory");
}

static void directories_of_others_are_refused(void **state)
{
	expect_refusal("foreign", make_foreign, -EPERM, "65534");
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void an_earlier_boots_state_is_forgotten(void **state)
{
	struct place place = {0};
	struct error error = {0};
	char home[300], path[400];

	snprintf(home, sizeof(home), "%s/boot", directory);
	assert_int_equal(place_find(home, &place, &error), 0);
	assert_int_equal(place_prepare(&place, &error), 0);
	assert_int_equal(place_forget_earlier_boot(&place, &error), 0);
	write_file(place.runtime, "records", "x");
	write_file(place.runtime, "env/web", "x");
	write_file(place.log, "kept", "x");
	snprintf(path, sizeof(path), "%s/records", place.runtime);
	/* The same boot: all stays. */
	assert_int_equal(place_forget_earlier_boot(&place, &error), 0);
	assert_int_equal(access(path, F_OK), 0);
	write_file(place.runtime, "boot", "another");
	assert_int_equal(place_forget_earlier_boot(&place, &error), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/env/web", place.runtime);
	assert_int_not_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/kept", place.log);
	assert_int_equal(access(path, F_OK), 0);
	place_done(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(homes_are_made_absolute),
		cmocka_unit_test(the_environment_does_not_move_a_users_place),
		cmocka_unit_test(the_unit_path_can_be_replaced),
		cmocka_unit_test(directories_are_made_and_closed),
		cmocka_unit_test(links_are_refused),
		cmocka_unit_test(open_directories_are_refused),
		cmocka_unit_test(files_are_refused),
		cmocka_unit_test(directories_of_others_are_refused),
		cmocka_unit_test(an_earlier_boots_state_is_forgotten),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
