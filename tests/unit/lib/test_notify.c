/* hob_notify(): what arrives, at which kinds of address, and what goes wrong. */
#include "hob.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "probe.h"

static int bind_to(const char *path, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(size <= sizeof(address.sun_path));
	memcpy(address.sun_path, path, size);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
		0);
	return fd;
}

static void assert_received(int fd, const char *wanted)
{
	char text[256];

	ssize_t size = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(size >= 0);
	text[size] = '\0';
	assert_string_equal(text, wanted);
}

static void test_no_manager(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(hob_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(hob_notify("READY=1"), 0);
}

static void test_path(void **state)
{
	char directory[] = "/tmp/test_notify.XXXXXX", path[64];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/notify", directory);
	int fd = bind_to(path, strlen(path) + 1);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(hob_notify("READY=1\nSTATUS=%d clients", 3), 0);
	assert_received(fd, "READY=1\nSTATUS=3 clients");
	close(fd);
	assert_int_equal(hob_notify("READY=1"), -ECONNREFUSED);
	unlink(path);
	assert_int_equal(hob_notify("READY=1"), -ENOENT);
	rmdir(directory);
}

static void test_abstract(void **state)
{
	char name[64];

	name[0] = '\0';
	snprintf(name + 1, sizeof(name) - 1, "test_notify.%d", (int)getpid());
	int fd = bind_to(name, 1 + strlen(name + 1));
	name[0] = '@';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(hob_notify("STOPPING=1"), 0);
	assert_received(fd, "STOPPING=1");
	close(fd);
}

/* A path longer than sun_path: bound under a short name, reached by its long one. */
static void test_long_path(void **state)
{
	char directory[] = "/tmp/test_notify.XXXXXX", deep[256], path[300], cwd[4096];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_non_null(mkdtemp(directory));
	snprintf(deep, sizeof(deep), "%s/%0150d", directory, 0);
	assert_int_equal(mkdir(deep, 0700), 0);
	assert_int_equal(chdir(deep), 0);
	int fd = bind_to("notify", sizeof("notify"));
	assert_int_equal(chdir(cwd), 0);
	snprintf(path, sizeof(path), "%s/notify", deep);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(hob_notify("WATCHDOG=1"), 0);
	assert_received(fd, "WATCHDOG=1");
	close(fd);
	unlink(path);
	rmdir(deep);
	rmdir(directory);
}

static void test_bad_address(void **state)
{
	char long_name[200];

	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(hob_notify("READY=1"), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "/", 1);
	assert_int_equal(hob_notify("READY=1"), -EAFNOSUPPORT);
	memset(long_name, 'x', sizeof(long_name));
	long_name[0] = '@';
	long_name[sizeof(long_name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", long_name, 1);
	assert_int_equal(hob_notify("READY=1"), -ENAMETOOLONG);
	long_name[0] = '/';
	setenv("NOTIFY_SOCKET", long_name, 1);
	assert_int_equal(hob_notify("READY=1"), -ENAMETOOLONG);
}

/* Nothing stays open. */
static void test_no_leak(void **state)
{
	int before = dup(0);

	close(before);
	test_long_path(state);
	test_bad_address(state);
	int after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_manager),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_abstract),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_bad_address),
		cmocka_unit_test(test_no_leak),
	};

	return cmocka_run_group_tests(tests, probe_set_up, NULL);
}
