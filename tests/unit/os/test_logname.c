/* Names of rotated logs: their order is that of time, and nothing else in a directory is one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/logname.h"

static void test_renders_and_parses(void **state)
{
	struct logname name;
	uint64_t wall_us;
	unsigned number;

	logname_render(UINT64_C(1795342500123456), 0, &name);
	assert_string_equal(name.first, "20261122T101500.123456Z");
	assert_int_equal(logname_parse(name.first, &wall_us, &number), 0);
	assert_int_equal(wall_us, UINT64_C(1795342500123456));
	assert_int_equal(number, 0);
	logname_render(wall_us, 12, &name);
	assert_string_equal(name.first, "20261122T101500.123456Z-12");
	assert_int_equal(logname_parse(name.first, &wall_us, &number), 0);
	assert_int_equal(number, 12);
	logname_render(UINT64_MAX, 0, &name);
	assert_int_equal(logname_parse(name.first, &wall_us, &number), 0);
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {"", "current", "20261122T101500.123456", "20261122T101500.123456Z-",
		"20261122T101500.123456Z-0", "20261122T101500.123456Z-01", "20261122T101500.123456Zx",
		"2026x122T101500.123456Z", "20261322T101500.123456Z", "20261122T101500,123456Z",
		"20261122T101500.123456Z-1234567890", "20261122T101500.123456Z-1x"};
	uint64_t wall_us;
	unsigned number;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(logname_parse(bad[i], &wall_us, &number), -EINVAL);
}

static void test_lists_in_order(void **state)
{
	static const char *const files[] = {"20261122T101500.123456Z-10.log", "20261122T101500.123456Z-9.log",
		"20261122T101500.123456Z.log", "20261121T235959.999999Z.log", "current.log",
		"20261122T101500.123456Z.idx", "note.log", "20261122T101500.123456Z.log.gz"};
	char directory[] = "/tmp/hob-logname-XXXXXX";
	struct logname *names;
	size_t n;

	assert_non_null(mkdtemp(directory));
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		close(openat(fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	int r = logname_list(fd, "", ".log", &names, &n);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(fd, files[i], 0);
	close(fd);
	rmdir(directory);
	assert_int_equal(r, 0);
	assert_int_equal(n, 4);
	assert_string_equal(names[0].first, "20261121T235959.999999Z");
	assert_string_equal(names[1].first, "20261122T101500.123456Z");
	assert_string_equal(names[2].first, "20261122T101500.123456Z-9");
	assert_string_equal(names[3].first, "20261122T101500.123456Z-10");
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renders_and_parses),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_lists_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
