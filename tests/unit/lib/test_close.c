/* hob_close_from(), by each of its three ways (C1). The first two are taken away by a system call
 * filter. */
#include "hob.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "probe.h"

/* From here on the two system calls do not exist (-1: no such second). */
static void take_away(int first, int second)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)first, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)second, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(90);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Opens 10..299, closes from 10 but a few, and looks. Ends the process with 0 if all is right. */
static _Noreturn void check(int missing_first, int missing_second)
{
	static const int keep[] = {200, 12, 12, 0, 11, 299, 1000, -1};
	const struct rlimit limit = {1024, 1024};

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		_exit(91);
	for (int fd = 10; fd < 300; fd++)
		if (dup2(0, fd) < 0)
			_exit(92);
	if (missing_first)
		take_away(missing_first, missing_second);
	errno = 77;
	if (hob_close_from(10, keep, sizeof(keep) / sizeof(keep[0])) != 0 || errno != 77)
		_exit(93);
	for (int fd = 0; fd < 1024; fd++) {
		bool wanted = fd == 11 || fd == 12 || fd == 200 || fd == 299;
		if (fd >= 10 && is_open(fd) != wanted)
			_exit(94);
	}
	if (!is_open(0) || !is_open(1) || !is_open(2))
		_exit(95);
	if (hob_close_from(11, NULL, 0) != 0 || is_open(11) || is_open(299))
		_exit(96);
	_exit(0);
}

static void run_check(int missing_first, int missing_second)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		check(missing_first, missing_second);
	assert_int_equal(probe_wait(pid), 0);
}

static void test_by_range(void **state)
{
	run_check(0, 0);
}

static void test_by_proc(void **state)
{
	run_check(SYS_close_range, -1);
}

static void test_by_loop(void **state)
{
	run_check(SYS_close_range, SYS_getdents64);
}

static void test_invalid(void **state)
{
	assert_int_equal(hob_close_from(-1, NULL, 0), -EINVAL);
	assert_int_equal(hob_close_from(3, NULL, 1), -EINVAL);
	assert_int_equal(hob_close_from(INT_MAX, (int[]){INT_MAX}, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_range),
		cmocka_unit_test(test_by_proc),
		cmocka_unit_test(test_by_loop),
		cmocka_unit_test(test_invalid),
	};

	return cmocka_run_group_tests(tests, probe_set_up, NULL);
}
