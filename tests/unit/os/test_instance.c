/*
 * Many that start an instance at once, with a hob-init of our own: this program in another role. It
 * answers each connection with its pid, and ends when a client sends a byte.
 */
#include "os/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define N_CLIENTS 40
#define INIT_LIFE_S 60 /* it ends by itself, whatever happens to the test */

static char directory[] = "/tmp/hob-instance-XXXXXX";
static char program[256];

/* --- the other role --- */

static void check_started_as_daemon(char **argv)
{
	struct stat st;

	/* Exactly 0-5 are open; all is as hob-init may expect it. */
	if (fcntl(6, F_GETFD) >= 0 || getsid(0) == getpid() || getpgrp() == getpid())
		_exit(20);
	if (fstat(5, &st) < 0 || !S_ISSOCK(st.st_mode) || fstat(3, &st) < 0 || !S_ISREG(st.st_mode))
		_exit(21);
	if (access(argv[2], W_OK) < 0 || access(argv[3], W_OK) < 0 || strcmp(argv[4], "") == 0)
		_exit(22);
}

static int play_init(char **argv)
{
	alarm(INIT_LIFE_S);
	check_started_as_daemon(argv);
	for (;;) {
		int fd = accept(4, NULL, NULL);
		char byte;
		pid_t pid = getpid();
		if (fd < 0)
			continue;
		if (write(fd, &pid, sizeof(pid)) == sizeof(pid) && read(fd, &byte, 1) == 1)
			return 0;
		close(fd);
	}
}

/* --- the tests --- */

static int set_up(void **state)
{
	char path[300], self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (!mkdtemp(directory) || n < 0)
		return -1;
	self[n] = '\0';
	snprintf(program, sizeof(program), "%s/hob", directory);
	snprintf(path, sizeof(path), "%s/hob-init", directory);
	return symlink(self, path);
}

static int tear_down(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

/* The pid that the instance answers with, or a negative errno. */
static pid_t ask(const struct place *place, bool start)
{
	struct error error = {0};
	int fd = start ? instance_connect_or_start(place, program, &error)
		       : instance_connect(place, &error);
	pid_t pid = -1;

	if (fd < 0)
		return fd;
	if (read(fd, &pid, sizeof(pid)) != sizeof(pid))
		pid = -EIO;
	close(fd);
	return pid;
}

static void end_instance(const struct place *place)
{
	struct error error = {0};
	pid_t pid;
	int fd = instance_connect(place, &error);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(instance_wait_end(place, 10000000), 0);
}

static void open_place(const char *name, struct place *place)
{
	struct error error = {0};
	char home[512];

	snprintf(home, sizeof(home), "%s/%s", directory, name);
	assert_int_equal(place_find(home, place, &error), 0);
}

static void there_is_none_at_first(void **state)
{
	struct place place;

	open_place("none", &place);
	assert_int_equal(ask(&place, false), -ENOENT);
	place_done(&place);
}

static void one_of_many_makes_it(void **state)
{
	struct place place;
	int pipes[2];
	pid_t first = 0;

	open_place("many", &place);
	assert_int_equal(pipe(pipes), 0);
	/* Whoever starts an instance loses its descriptors 3-5. */
	int answers = fcntl(pipes[1], F_DUPFD, 10);
	assert_true(answers >= 0);
	close(pipes[1]);
	for (int i = 0; i < N_CLIENTS; i++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			pid_t answer = ask(&place, true);
			_exit(write(answers, &answer, sizeof(answer)) != sizeof(answer));
		}
	}
	close(answers);
	for (int i = 0; i < N_CLIENTS; i++) {
		pid_t answer;
		assert_int_equal(read(pipes[0], &answer, sizeof(answer)), sizeof(answer));
		assert_true(answer > 0);
		first = first ? first : answer;
		assert_int_equal(answer, first);
	}
	for (int i = 0; i < N_CLIENTS; i++)
		assert_true(wait(NULL) > 0);
	close(pipes[0]);
	assert_int_equal(ask(&place, false), first);
	end_instance(&place);
	place_done(&place);
}

static void a_dead_socket_is_replaced(void **state)
{
	struct place place;

	open_place("dead", &place);
	assert_true(ask(&place, true) > 0);
	end_instance(&place);
	/* The stand-in leaves its sockets behind, as one that was killed would. */
	assert_int_equal(ask(&place, false), -ENOENT);
	assert_true(ask(&place, true) > 0);
	end_instance(&place);
	place_done(&place);
}

static void long_paths_work(void **state)
{
	struct place place;
	char name[160];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	open_place(name, &place);
	assert_true(ask(&place, true) > 0);
	assert_true(ask(&place, false) > 0);
	end_instance(&place);
	place_done(&place);
}

static void sockets_have_their_modes(void **state)
{
	struct place place;
	struct stat st;

	open_place("modes", &place);
	assert_true(ask(&place, true) > 0);
	_cleanup_(freep) char *control = place_runtime_path(&place, "control");
	_cleanup_(freep) char *notify = place_runtime_path(&place, "notify");
	assert_int_equal(stat(control, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(notify, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	end_instance(&place);
	place_done(&place);
}

static void a_missing_init_is_told(void **state)
{
	struct place place;
	struct error error = {0};

	open_place("noinit", &place);
	assert_int_equal(instance_connect_or_start(&place, "/nowhere/bin/hob", &error), -ENOENT);
	assert_non_null(strstr(error.text, "hob-init"));
	/* Nothing is left that looks like an instance. */
	assert_int_equal(ask(&place, false), -ENOENT);
	assert_true(ask(&place, true) > 0);
	end_instance(&place);
	place_done(&place);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_none_at_first),
		cmocka_unit_test(one_of_many_makes_it),
		cmocka_unit_test(a_dead_socket_is_replaced),
		cmocka_unit_test(long_paths_work),
		cmocka_unit_test(sockets_have_their_modes),
		cmocka_unit_test(a_missing_init_is_told),
	};

	if (argc == 5 && strcmp(argv[1], "init") == 0)
		return play_init(argv);
	unsetenv("HOB_HOME");
	unsetenv("HOB_UNIT_PATH");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
