/* hob_reset_signals() (C3, C4): whatever the caller ignored, handled or blocked is back to normal.
 */
#include "hob.h"

#include "probe.h"

static void on_signal(int signo)
{
}

static _Noreturn void get_dirty_and_reset(int fd)
{
	sigset_t all;

	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, signo % 2 ? SIG_IGN : on_signal);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (hob_reset_signals() != 0)
		_exit(90);
	probe_stay(fd);
}

static void test_reset(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		get_dirty_and_reset(fds[1]);
	assert_int_equal(probe_read_pid(fds[0]), pid);
	assert_status(pid, "SigIgn", "0000000000000000");
	assert_status(pid, "SigCgt", "0000000000000000");
	assert_status(pid, "SigBlk", "0000000000000000");
	probe_end(pid);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reset)};

	return cmocka_run_group_tests(tests, probe_set_up, NULL);
}
