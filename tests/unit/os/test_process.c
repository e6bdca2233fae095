/* Processes and their identities. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/process.h"

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool same(const struct process_identity *a, const struct process_identity *b)
{
	return a->pidfd_inode == b->pidfd_inode && a->start_ticks == b->start_ticks;
}

static void test_identity(void **state)
{
	struct process_identity one, again, two, zombie, by_fd;
	pid_t a = start_sleeper(), b = start_sleeper();
	siginfo_t info;

	assert_int_equal(process_identify(a, &one), 0);
	assert_int_equal(process_identify(a, &again), 0);
	assert_int_equal(process_identify(b, &two), 0);
	assert_true(one.pidfd_inode || one.start_ticks);
	assert_true(same(&one, &again));
	if (one.pidfd_inode)
		assert_false(same(&one, &two));
	int pidfd = process_open(a, &one);
	assert_true(pidfd >= 0);
	assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	/* Another's identity, or none, is no proof. */
	if (one.pidfd_inode) {
		assert_int_equal(process_open(a, &two), -ESRCH);
		assert_int_equal(process_identify_pidfd(pidfd, &by_fd), 0);
		assert_true(same(&one, &by_fd));
	}
	assert_int_equal(process_open(a, &(struct process_identity){0}), -ESRCH);
	assert_int_equal(process_open(a, &(struct process_identity){.start_ticks = 1}), -ESRCH);

	assert_int_equal(process_signal(pidfd, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)a, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_identify(a, &zombie), 0);
	assert_true(same(&one, &zombie));
	waitpid(a, NULL, 0);
	assert_int_equal(process_signal(pidfd, SIGKILL), -ESRCH);
	assert_int_equal(process_identify(a, &zombie), -ESRCH);
	assert_int_equal(process_open(a, &one), -ESRCH);
	close(pidfd);
	end(b);
}

static void test_open_by_start_time(void **state)
{
	struct process_stat stat;
	pid_t pid = start_sleeper();

	assert_int_equal(process_stat(pid, &stat), 0);
	struct process_identity identity = {.start_ticks = stat.start_ticks};
	int pidfd = process_open(pid, &identity);
	assert_true(pidfd >= 0);
	close(pidfd);
	identity.start_ticks++;
	assert_int_equal(process_open(pid, &identity), -ESRCH);
	end(pid);
}

/* A name that looks like the end of the field must not shift the others. */
static void test_stat_of_an_odd_name(void **state)
{
	struct process_stat stat;
	int ready[2];

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		prctl(PR_SET_NAME, "a) S 1 (b 2 3");
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &(char){0}, 1), 1);
	assert_int_equal(process_stat(pid, &stat), 0);
	assert_string_equal(stat.comm, "a) S 1 (b 2 3");
	assert_int_equal(stat.ppid, getpid());
	assert_int_equal(stat.pgrp, pid);
	assert_int_equal(stat.session, pid);
	assert_true(strchr("RS", stat.state));
	assert_true(stat.flags & 0x40); /* PF_FORKNOEXEC */
	assert_true(stat.start_ticks > 0);
	end(pid);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(process_stat(pid, &stat), -ESRCH);
}

static void test_own_stat_is_past_exec(void **state)
{
	struct process_stat stat;

	assert_int_equal(process_stat(getpid(), &stat), 0);
	assert_int_equal(stat.flags & 0x40, 0);
	assert_int_equal(stat.ppid, getppid());
}

static void test_command(void **state)
{
	char text[64], tiny[5];
	int input[2];

	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(input[0], STDIN_FILENO); /* nothing comes: it waits for ever */
		execl("/bin/sh", "my\033shell", "-c", "read x; exit 0 # \n", NULL);
		_exit(1);
	}
	/* Until it has exec'd, its arguments are ours; for a moment after, it has none yet. */
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(process_command(pid, text, sizeof(text)), 0);
		if (strncmp(text, "my", 2) == 0)
			break;
		usleep(1000);
	}
	assert_string_equal(text, "my?shell -c read x; exit 0 # ?");
	assert_int_equal(process_command(pid, tiny, sizeof(tiny)), 0);
	assert_int_equal(strlen(tiny), 4);
	siginfo_t info;
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(process_command(pid, text, sizeof(text)), 0);
	assert_string_equal(text, "[sh]");
	waitpid(pid, NULL, 0);
	assert_int_equal(process_command(pid, text, sizeof(text)), -ESRCH);
	close(input[0]);
	close(input[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_open_by_start_time),
		cmocka_unit_test(test_stat_of_an_odd_name),
		cmocka_unit_test(test_own_stat_is_past_exec),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
