/*
 * The child between fork and exec, with real programs: what they find themselves to be, and how
 * each step that fails is told. The test is the single-threaded parent; results come through files.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/child.h"

#define OUT_MAX 65536

struct fixture {
	char dir[64], out[80], table_path[80];
	struct table table;
	struct table_row *row;
	struct spawn_spec spec;
	const char *argv[5];
	const char *envp[5];
	struct child_failure failure; /* what came down the exec pipe; step 0: nothing */
	int status;		      /* of waitpid(2) */
	int lock_fd;
	bool filtered; /* the child runs where newer calls answer ENOSYS */
	bool with_ready;
	char ready_text[32];
	char text[OUT_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/hob-child-XXXXXX");
	if (!mkdtemp(f->dir) || chmod(f->dir, 0755) < 0)
		return -1;
	snprintf(f->out, sizeof(f->out), "%s/out", f->dir);
	snprintf(f->table_path, sizeof(f->table_path), "%s/table", f->dir);
	if (table_create(&f->table, f->table_path) < 0 ||
		table_reserve(&f->table, TABLE_ROWS, 1) < 0)
		return -1;
	f->row = &f->table.rows[0];
	f->lock_fd = -1;
	f->spec = (struct spawn_spec){.path = "/bin/sh",
		.argv = f->argv,
		.envp = f->envp,
		.umask = 022,
		.stdout_kind = STDIO_TRUNCATE,
		.stdout_path = f->out,
		.stderr_kind = STDIO_INHERIT,
		.ready_fd = -1};
	f->envp[0] = "PATH=/usr/bin:/bin";
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	table_close(&f->table);
	if (f->lock_fd >= 0)
		close(f->lock_fd);
	unlink(f->out);
	unlink(f->table_path);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* close_range(2), pidfd_open(2) and clone3(2) as on a kernel, or in a container, without them. */
static void deny_new_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(99);
}

static _Noreturn void be_child(struct fixture *f, int spec_fd, int exec_fd, int ready_fd)
{
	struct child_context context = {.table = &f->table,
		.row = f->row,
		.spec_fd = spec_fd,
		.exec_fd = exec_fd,
		.ready_fd = ready_fd,
		.lock_fd = f->lock_fd,
		.oom_score = CHILD_OOM_SCORE_KEEP};
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	signal(SIGPIPE, SIG_IGN);
	if (f->filtered)
		deny_new_calls();
	child_run(&context);
}

static void read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static int write_spec(struct fixture *f)
{
	int fd = spec_write(&f->spec);

	assert_true(fd >= 0);
	return fd;
}

/* Runs the specification at spec_fd, which it closes, to its end. */
static void run_image(struct fixture *f, int spec_fd)
{
	int exec_pipe[2], ready[2] = {-1, -1};

	assert_int_equal(pipe2(exec_pipe, O_CLOEXEC), 0);
	if (f->with_ready)
		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	atomic_store(&f->row->step, 0);
	atomic_store(&f->row->state, ROW_STARTING);
	pid_t pid = fork();
	if (pid == 0)
		be_child(f, spec_fd, exec_pipe[1], ready[1]);
	assert_true(pid > 0);
	close(exec_pipe[1]);
	close(spec_fd);
	if (f->with_ready)
		close(ready[1]);
	f->failure = (struct child_failure){0};
	ssize_t n = read(exec_pipe[0], &f->failure, sizeof(f->failure));
	assert_true(n == 0 || n == (ssize_t)sizeof(f->failure));
	if (f->with_ready) {
		n = read(ready[0], f->ready_text, sizeof(f->ready_text) - 1);
		f->ready_text[n > 0 ? n : 0] = '\0';
		close(ready[0]);
	}
	assert_int_equal(waitpid(pid, &f->status, 0), pid);
	close(exec_pipe[0]);
	assert_int_equal(f->row->pid, pid);
	assert_int_equal(atomic_load(&f->row->state), ROW_RUNNING);
	assert_true(f->row->identity.pidfd_inode || f->row->identity.start_ticks);
	read_text(f->out, f->text, sizeof(f->text));
}

static void run_shell(struct fixture *f, const char *command)
{
	f->argv[0] = "sh";
	f->argv[1] = "-c";
	f->argv[2] = command;
	run_image(f, write_spec(f));
}

/* Asks that the shell command ran and printed this. */
static void assert_prints(struct fixture *f, const char *command, const char *expected)
{
	run_shell(f, command);
	assert_int_equal(f->failure.step, STEP_NONE);
	assert_int_equal(f->status, 0);
	assert_string_equal(f->text, expected);
}

static void assert_fails(struct fixture *f, enum child_step step, int error)
{
	run_shell(f, "echo ran");
	assert_string_equal(
		child_step_name((enum child_step)f->failure.step), child_step_name(step));
	assert_int_equal(f->failure.error, error);
	assert_int_equal(atomic_load(&f->row->step), step);
	assert_int_equal(f->row->step_errno, error);
	assert_true(WIFEXITED(f->status));
	assert_int_equal(WEXITSTATUS(f->status), child_step_exit_status(step));
	assert_string_equal(f->text, "");
}

static void test_defaults(void **state)
{
	assert_prints(*state, "umask; pwd; read x < /dev/stdin; echo $?; readlink /proc/$$/fd/0",
		"0022\n/\n1\n/dev/null\n");
}

static void test_exit_status(void **state)
{
	struct fixture *f = *state;

	run_shell(f, "exit 7");
	assert_int_equal(f->failure.step, STEP_NONE);
	assert_int_equal(WEXITSTATUS(f->status), 7);
}

static void test_own_session_without_terminal(void **state)
{
	/* Of /proc/PID/stat: pgrp, session, tty. The shell has no ')' in its name. */
	assert_prints(*state,
		"read -r line < /proc/$$/stat; set -- $line; "
		"[ $5 = $$ ] && [ $6 = $$ ] && [ $7 = 0 ] && echo leads",
		"leads\n");
}

static void test_signals_are_reset(void **state)
{
	const char *ask = "grep -E 'SigIgn|SigBlk' /proc/self/status";
	struct fixture *f = *state;
	sigset_t blocked, old;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	signal(SIGCHLD, SIG_DFL);
	assert_prints(f, ask, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	f->spec.ignore_sigpipe = true;
	assert_prints(f, ask, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\n");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void test_descriptors_are_closed(void **state)
{
	struct fixture *f = *state;
	int leaks[] = {3, 50, 1000};

	for (int i = 0; i < 3; i++)
		if (fcntl(leaks[i], F_GETFD) < 0)
			dup2(STDOUT_FILENO, leaks[i]);
	for (int filtered = 0; filtered < 2; filtered++) {
		f->filtered = filtered;
		/* 3 is the directory that ls itself reads. */
		assert_prints(f, "ls -C -w 80 /proc/self/fd", "0  1  2  3\n");
	}
	close(50);
	close(1000);
}

static void test_readiness_pipe_has_its_number(void **state)
{
	struct fixture *f = *state;
	const int numbers[] = {3, 4, 5, 6, 7, 8, 9, 200};

	f->with_ready = true;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		char command[128];
		f->spec.ready_fd = numbers[i];
		snprintf(command, sizeof(command),
			"python3 -c 'import os; os.write(%d, b\"yes\")'; ls /proc/self/fd | wc -l",
			numbers[i]);
		assert_prints(f, command, "5\n");
		assert_string_equal(f->ready_text, "yes");
	}
	f->spec.ready_fd = 1;
	assert_fails(f, STEP_FDS, EINVAL);
}

/* Whoever holds the lock is hob; the program must not. */
static void test_lock_ends_with_exec(void **state)
{
	struct fixture *f = *state;
	char path[96];

	snprintf(path, sizeof(path), "%s/lock", f->dir);
	f->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(f->lock_fd, LOCK_EX), 0);
	f->spec.ready_fd = 3;
	f->with_ready = true;
	/* The program itself cannot have it any more. */
	assert_prints(f, "ls -l /proc/self/fd | grep -c lock; echo up >&3", "0\n");
	assert_string_equal(f->ready_text, "up\n");
	unlink(path);
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	char in[96];

	snprintf(in, sizeof(in), "%s/in", f->dir);
	int fd = open(in, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	close(fd);
	f->spec.stdin_kind = STDIO_FILE;
	f->spec.stdin_path = in;
	assert_prints(f, "cat; echo err >&2", "hello\nerr\n");
	f->spec.stdout_kind = STDIO_APPEND;
	assert_prints(f, "echo more", "hello\nerr\nmore\n");
	f->spec.stdout_kind = STDIO_FILE;
	assert_prints(f, "printf J", "Jello\nerr\nmore\n");
	f->spec.stdout_kind = STDIO_TRUNCATE;
	assert_prints(f, "echo new", "new\n");
	struct stat st;
	assert_int_equal(stat(f->out, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	unlink(in);
	unlink(f->out);
	assert_fails(f, STEP_STDIN, ENOENT);
	f->spec.stdin_kind = STDIO_NULL;
	f->spec.stdout_path = "/proc/none/out";
	assert_fails(f, STEP_STDOUT, ENOENT);
	f->spec.stdout_path = f->out;
	f->spec.stderr_kind = STDIO_APPEND;
	f->spec.stderr_path = f->dir;
	assert_fails(f, STEP_STDERR, EISDIR);
}

/* O_RDWR and blocking, opened anew: no SIGPIPE without a reader, nobody's O_NONBLOCK. */
static void test_fifo(void **state)
{
	struct fixture *f = *state;
	char fifo[96], text[256];

	snprintf(fifo, sizeof(fifo), "%s/fifo", f->dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int holder = open(fifo, O_RDWR | O_NONBLOCK);
	f->spec.stdout_kind = f->spec.stderr_kind = STDIO_FIFO;
	f->spec.fifo_path = fifo;
	run_shell(f, "grep flags /proc/self/fdinfo/1; echo words >&2");
	assert_int_equal(f->status, 0);
	ssize_t n = read(holder, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	unsigned flags = (unsigned)strtoul(text + strlen("flags:"), NULL, 8);
	assert_int_equal(flags & O_ACCMODE, O_RDWR);
	assert_int_equal(flags & (O_NONBLOCK | O_APPEND), 0);
	assert_string_equal(strchr(text, '\n') + 1, "words\n");
	close(holder);
	unlink(fifo);
	assert_fails(f, STEP_STDOUT, ENOENT);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;

	f->spec.n_limits = 2;
	f->spec.limits[0] = (struct spec_limit){RLIMIT_NOFILE, 11, 12};
	f->spec.limits[1] = (struct spec_limit){RLIMIT_CORE, 0, 4096};
	f->spec.tree_tag = 424242;
	assert_prints(f,
		"ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc; "
		"grep -c 'Max file locks *424242 *424242' /proc/self/limits",
		"11\n12\n0\n8\n1\n");
	/* More than anybody may have: the most there is, not an error. */
	f->spec.n_limits = 1;
	f->spec.limits[0] = (struct spec_limit){RLIMIT_NOFILE, UINT64_MAX, UINT64_MAX};
	run_shell(f, "ulimit -Sn");
	assert_int_equal(f->status, 0);
	assert_true(strtoul(f->text, NULL, 10) >= 1024);
	/* None at all, and yet everything before exec has worked. */
	f->spec.limits[0] = (struct spec_limit){RLIMIT_NOFILE, 3, 3};
	run_shell(f, ":");
	assert_int_equal(f->failure.step, STEP_NONE);
	f->spec.limits[0] = (struct spec_limit){999, 3, 3};
	unlink(f->out);
	assert_fails(f, STEP_LIMITS, EINVAL);
}

static void test_nice_and_oom(void **state)
{
	struct fixture *f = *state;

	f->spec.has_nice = f->spec.has_oom_score = true;
	f->spec.nice = 7;
	f->spec.oom_score = 321;
	assert_prints(f, "nice; cat /proc/self/oom_score_adj", "7\n321\n");
}

static void test_directory(void **state)
{
	struct fixture *f = *state;

	f->spec.working_directory = "/usr";
	assert_prints(f, "pwd", "/usr\n");
	f->spec.working_directory = "/none";
	unlink(f->out);
	assert_fails(f, STEP_CHDIR, ENOENT);
	f->spec.working_directory_optional = true;
	assert_prints(f, "pwd", "/\n");
}

static void test_no_new_privileges(void **state)
{
	struct fixture *f = *state;

	assert_prints(f, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0\n");
	f->spec.no_new_privileges = true;
	assert_prints(f, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n");
}

static void test_exec_failures(void **state)
{
	struct fixture *f = *state;
	char script[96];

	f->spec.path = "/none/program";
	assert_fails(f, STEP_EXEC, ENOENT);
	f->spec.path = "/etc";
	assert_fails(f, STEP_EXEC, EACCES);
	f->spec.path = "/etc/passwd";
	assert_fails(f, STEP_EXEC, EACCES);
	snprintf(script, sizeof(script), "%s/script", f->dir);
	int fd = open(script, O_WRONLY | O_CREAT, 0755);
	assert_int_equal(write(fd, "echo no shell takes this\n", 25), 25);
	close(fd);
	f->spec.path = script;
	assert_fails(f, STEP_EXEC, ENOEXEC);
	fd = open(script, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "#!/none/interpreter\n", 20), 20);
	close(fd);
	assert_fails(f, STEP_EXEC, ENOENT);
	unlink(script);
	char *huge = malloc(1 << 20);
	memset(huge, 'x', (1 << 20) - 1);
	huge[(1 << 20) - 1] = '\0';
	f->spec.path = "/bin/sh";
	f->argv[3] = huge;
	assert_fails(f, STEP_EXEC, E2BIG);
	free(huge);
}

static void test_bad_specification(void **state)
{
	struct fixture *f = *state;

	run_image(f, open("/dev/null", O_RDONLY));
	assert_int_equal(f->failure.step, STEP_SPEC);
	assert_int_equal(f->failure.error, EBADMSG);
	assert_int_equal(WEXITSTATUS(f->status), 1);
}

static void test_cgroup_refused(void **state)
{
	struct fixture *f = *state;

	f->spec.cgroup = "/none/cgroup";
	assert_fails(f, STEP_CGROUP, ENOENT);
}

static void test_filtered_calls(void **state)
{
	struct fixture *f = *state;

	f->filtered = true;
	assert_prints(f, "echo up", "up\n");
	assert_int_equal(f->row->identity.pidfd_inode, 0);
	assert_true(f->row->identity.start_ticks > 0);
}

/* --- as root only --- */

static void test_user(void **state)
{
	struct fixture *f = *state;
	char expected[256];

	if (geteuid() != 0)
		skip();
	const struct passwd *nobody = getpwnam("nobody");
	gid_t groups[] = {0, 4, 27};
	assert_non_null(nobody);
	assert_int_equal(setgroups(3, groups), 0);
	f->spec.user = "nobody";
	snprintf(expected, sizeof(expected), "%u %u %u\nnobody nobody %s %s\n", nobody->pw_uid,
		nobody->pw_gid, nobody->pw_gid, nobody->pw_dir, nobody->pw_shell);
	assert_prints(
		f, "echo $(id -u) $(id -g) $(id -G); echo $USER $LOGNAME $HOME $SHELL", expected);
	assert_prints(f,
		"grep -E '^(Uid|Gid)' /proc/self/status | tr -s '\\t' ' ' | cut -d' ' -f2- | tr ' "
		"' '\\n' | sort -u | wc -l",
		nobody->pw_uid == nobody->pw_gid ? "1\n" : "2\n");
	f->envp[1] = "HOME=/mine";
	assert_prints(f, "echo $HOME $USER", "/mine nobody\n");
	f->spec.group = "adm";
	assert_prints(f, "id -gn", "adm\n");
	f->spec.group = NULL;
	f->spec.supplementary_groups = (const char *[]){"adm", "tty", NULL};
	assert_prints(f, "id -Gn", "nogroup adm tty\n");
}

static void test_number_without_entry(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	f->spec.user = "61234";
	assert_prints(f, "echo $(id -u) $(id -g) $(id -G) $HOME.", "61234 61234 61234 .\n");
	f->spec.group = "61235";
	assert_prints(f, "echo $(id -u) $(id -g) $(id -G)", "61234 61235 61235\n");
}

static void test_unknown_user_and_group(void **state)
{
	struct fixture *f = *state;

	f->spec.user = "no-such-user-here";
	assert_fails(f, STEP_USER, ESRCH);
	f->spec.user = NULL;
	f->spec.group = "no-such-group-here";
	assert_fails(f, STEP_GROUP, ESRCH);
}

static void test_directory_as_the_user(void **state)
{
	struct fixture *f = *state;
	char closed[96];

	if (geteuid() != 0)
		skip();
	snprintf(closed, sizeof(closed), "%s/closed", f->dir);
	assert_int_equal(mkdir(closed, 0700), 0);
	f->spec.user = "nobody";
	f->spec.working_directory = closed;
	assert_fails(f, STEP_CHDIR, EACCES);
	rmdir(closed);
	f->spec.user = "daemon";
	f->spec.working_directory = "~";
	char expected[256];
	snprintf(expected, sizeof(expected), "%s\n", getpwnam("daemon")->pw_dir);
	assert_prints(f, "pwd", expected);
}

/* What an unprivileged child may not have, it gets as near as it can. */
static void test_unprivileged_clamps(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, low = {100, 200}, no_nice = {0, 0}, old_nice;

	if (geteuid() != 0)
		skip();
	getrlimit(RLIMIT_NOFILE, &old);
	getrlimit(RLIMIT_NICE, &old_nice);
	assert_int_equal(chmod(f->table_path, 0666), 0);
	unlink(f->out);
	int fd = open(f->out, O_WRONLY | O_CREAT, 0666);
	fchmod(fd, 0666);
	close(fd);
	pid_t pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_NOFILE, &low);
		setrlimit(RLIMIT_NICE, &no_nice);
		if (setgroups(0, NULL) < 0 || setgid(61234) < 0 || setuid(61234) < 0)
			_exit(1);
		f->spec.n_limits = 1;
		f->spec.limits[0] = (struct spec_limit){RLIMIT_NOFILE, 150, 5000};
		f->spec.has_nice = f->spec.has_oom_score = true;
		f->spec.nice = -10;
		f->spec.oom_score = -500;
		f->spec.user = "61234"; /* it is that already */
		run_shell(f, "ulimit -Sn; ulimit -Hn; nice; id -u");
		_exit(f->failure.step == 0 && strcmp(f->text, "150\n200\n0\n61234\n") == 0 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	setrlimit(RLIMIT_NOFILE, &old);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_defaults),
		T(test_exit_status),
		T(test_own_session_without_terminal),
		T(test_signals_are_reset),
		T(test_descriptors_are_closed),
		T(test_readiness_pipe_has_its_number),
		T(test_lock_ends_with_exec),
		T(test_files),
		T(test_fifo),
		T(test_limits),
		T(test_nice_and_oom),
		T(test_directory),
		T(test_no_new_privileges),
		T(test_exec_failures),
		T(test_bad_specification),
		T(test_cgroup_refused),
		T(test_filtered_calls),
		T(test_user),
		T(test_number_without_entry),
		T(test_unknown_user_and_group),
		T(test_directory_as_the_user),
		T(test_unprivileged_clamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
