/*
 * hob_daemonize() with real processes and terminals. The names S5, C8 ... are the rows of the
 * checklist that each test covers.
 */
#include "hob.h"

#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "probe.h"

#define PTY_RUNS 30

/* What a test starts: runs in a launcher of its own, which may be as dirty as the test likes. */
struct launch {
	int pipe[2]; /* pids come through it */
	struct hob_daemon_opts opts;
	struct hob_report report;
	void (*daemon)(struct launch *launch,
		struct hob_daemon *daemon);    /* what the daemon does; does not return */
	void (*before)(struct launch *launch); /* in the launcher */
	int keep[1];
	int result_fd; /* the launcher's result goes here */
};

struct result {
	int r;
	struct hob_report report;
};

static void launch_init(struct launch *launch)
{
	*launch = (struct launch){.opts.size = sizeof(launch->opts)};
	assert_int_equal(pipe2(launch->pipe, O_CLOEXEC), 0);
	launch->keep[0] = launch->pipe[1];
	launch->opts.keep_fds = launch->keep;
	launch->opts.n_keep_fds = 1;
}

static void launch_done(struct launch *launch)
{
	close(launch->pipe[0]);
	close(launch->pipe[1]);
}

static void stay_ready(struct launch *launch, struct hob_daemon *daemon)
{
	hob_daemon_ready(daemon);
	probe_stay(launch->pipe[1]); /* by now the channel is closed */
}

static _Noreturn void run_launcher(struct launch *launch)
{
	struct hob_daemon *daemon;
	struct result result = {0};

	alarm(PROBE_LIFE_S);
	launch->opts.report = &result.report;
	if (launch->before)
		launch->before(launch);
	result.r = hob_daemonize(&launch->opts, &daemon);
	if (result.r == 0) {
		alarm(PROBE_LIFE_S);
		launch->daemon(launch, daemon);
		_exit(98);
	}
	if (write(launch->result_fd, &result, sizeof(result)) != (ssize_t)sizeof(result))
		_exit(97);
	_exit(3);
}

/* Runs the launcher to its end. 1: it returned from hob_daemonize() with *ret, 0: it ended there
 * with status 0. */
static int launch_run(struct launch *launch, struct result *ret)
{
	int result_pipe[2];

	assert_int_equal(pipe2(result_pipe, O_CLOEXEC), 0);
	launch->result_fd = result_pipe[1];
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_launcher(launch);
	close(result_pipe[1]);
	int status = probe_wait(pid);
	assert_true(WIFEXITED(status));
	ssize_t size = WEXITSTATUS(status) == 0 ? 0 : read(result_pipe[0], ret, sizeof(*ret));
	close(result_pipe[0]);
	if (WEXITSTATUS(status) == 0)
		return 0;
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(size, sizeof(*ret));
	return 1;
}

/* A daemon that is expected to get ready: its pid. */
static pid_t launch_daemon(struct launch *launch)
{
	struct result result;

	launch->daemon = stay_ready;
	assert_int_equal(launch_run(launch, &result), 0);
	return probe_read_pid(launch->pipe[0]);
}

/*
 * Nothing that was started is left: neither the middle process, which ends by itself and is ours to
 * wait for, nor anybody else.
 */
static void assert_no_children(void)
{
	uint64_t until_us = probe_now_us() + UINT64_C(1000) * PROBE_BOUND_MS;
	pid_t r;

	while ((r = waitpid(-1, NULL, WNOHANG)) >= 0 && probe_now_us() < until_us)
		if (r == 0)
			nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	assert_int_equal(r, -1);
}

/* The middle process ends when the launcher has its answer; then the daemon is ours. */
static void await_orphan(pid_t daemon_pid)
{
	uint64_t until_us = probe_now_us() + UINT64_C(1000) * PROBE_BOUND_MS;

	while (probe_stat(daemon_pid).ppid != getpid() && probe_now_us() < until_us)
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

static void assert_fds_are(pid_t pid, int extra)
{
	for (int fd = 0; fd < 1024; fd++) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		bool is_open = readlink(path, (char[8]){0}, 8) >= 0;
		if (is_open != (fd <= 2 || fd == extra))
			fail_msg("descriptor %d is %s", fd, is_open ? "open" : "closed");
	}
	assert_link(pid, "fd/0", "/dev/null");
	assert_link(pid, "fd/1", "/dev/null");
	assert_link(pid, "fd/2", "/dev/null");
}

/* ------------------------------------------------------------------ what a daemon is */

static void get_dirty(struct launch *launch)
{
	sigset_t blocked;

	umask(077);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGRTMIN + 3, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	int fd = open("/etc/passwd", O_RDONLY);
	if (fd < 0 || dup2(fd, 99) < 0 || dup2(fd, 251) < 0 || chdir("/tmp") < 0)
		_exit(96);
}

/* S3 S4 S5 S6 S7 S8 S13, C1 C3 C4 C12 C13 */
static void test_is_proper(void **state)
{
	struct launch launch;

	launch_init(&launch);
	launch.before = get_dirty;
	pid_t pid = launch_daemon(&launch);
	await_orphan(pid);
	struct probe_stat stat = probe_stat(pid);
	assert_int_equal(stat.ppid, getpid());
	assert_int_not_equal(stat.session, pid);
	assert_int_not_equal(stat.session, getsid(0));
	assert_int_equal(stat.pgrp, stat.session);
	assert_int_equal(stat.tty, 0);
	assert_int_equal(stat.tpgid, -1);
	assert_status(pid, "Umask", "0022");
	assert_status(pid, "SigIgn", "0000000000000000");
	assert_status(pid, "SigBlk", "0000000000000000");
	assert_status(pid, "SigCgt", "0000000000000000");
	assert_link(pid, "cwd", "/");
	assert_fds_are(pid, launch.pipe[1]);
	probe_end(pid);
	assert_no_children();
	launch_done(&launch);
}

static void test_options(void **state)
{
	struct launch launch;

	launch_init(&launch);
	launch.opts.flags = HOB_DAEMON_SET_UMASK;
	launch.opts.directory = "/usr";
	launch.opts.size = 0; /* the first version's, which has all of these */
	pid_t pid = launch_daemon(&launch);
	assert_status(pid, "Umask", "0000");
	assert_link(pid, "cwd", "/usr");
	probe_end(pid);
	launch_done(&launch);
}

/* C1: many descriptors allowed, one at a high number: it takes no time. */
static void raise_limit(struct launch *launch)
{
	struct rlimit limit;
	long long nr_open = 0;

	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	if (!file || fscanf(file, "%lld", &nr_open) != 1)
		_exit(96);
	fclose(file);
	limit.rlim_cur = limit.rlim_max = (rlim_t)nr_open;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (int fd = 10; fd < 200; fd += 7)
		dup2(0, fd);
}

static void test_high_limit(void **state)
{
	struct launch launch;
	uint64_t before_us = probe_now_us();

	launch_init(&launch);
	launch.before = raise_limit;
	pid_t pid = launch_daemon(&launch);
	assert_true(probe_now_us() - before_us < 2000000);
	assert_fds_are(pid, launch.pipe[1]);
	probe_end(pid);
	launch_done(&launch);
}

/* C2: any of 0-2 closed at entry. */
static int closed_mask;

static void close_some(struct launch *launch)
{
	for (int fd = 0; fd < 3; fd++)
		if (closed_mask & 1 << fd)
			close(fd);
}

static void test_closed_stdio(void **state)
{
	for (closed_mask = 0; closed_mask < 8; closed_mask++) {
		struct launch launch;
		launch_init(&launch);
		launch.before = close_some;
		pid_t pid = launch_daemon(&launch);
		assert_fds_are(pid, launch.pipe[1]);
		probe_end(pid);
		launch_done(&launch);
	}
}

/* ------------------------------------------------------------------ the terminal */

/* Reads what comes until the terminal hangs up. */
static void drain(int master)
{
	char text[256];

	while (read(master, text, sizeof(text)) > 0)
		;
}

/* S5, S16, C6, C2b: the leader of a terminal's session becomes a daemon; the terminal goes with it.
 */
static void test_terminal(void **state)
{
	for (int i = 0; i < PTY_RUNS; i++) {
		struct launch launch;
		int master;
		launch_init(&launch);
		launch.daemon = stay_ready;
		launch.result_fd = -1;
		pid_t leader = forkpty(&master, NULL, NULL, NULL);
		assert_true(leader >= 0);
		if (leader == 0) {
			puts("starting");
			run_launcher(&launch);
		}
		/* The end of file here shows that nobody keeps the terminal. */
		drain(master);
		assert_int_equal(probe_wait(leader), 0);
		close(master);
		pid_t pid = probe_read_pid(launch.pipe[0]);
		assert_true(pid > 0);
		assert_int_not_equal(probe_stat(pid).state, 'Z');
		assert_int_equal(probe_stat(pid).tty, 0);
		probe_end(pid);
		launch_done(&launch);
	}
	assert_no_children();
}

/* S13: it cannot get a terminal by accident. */
static void open_terminal(struct launch *launch, struct hob_daemon *daemon)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
		open(ptsname(master), O_RDWR) < 0)
		_exit(95);
	stay_ready(launch, daemon);
}

static void test_gets_no_terminal(void **state)
{
	struct launch launch;
	struct result result;

	launch_init(&launch);
	launch.daemon = open_terminal;
	assert_int_equal(launch_run(&launch, &result), 0);
	pid_t pid = probe_read_pid(launch.pipe[0]);
	assert_int_equal(probe_stat(pid).tty, 0);
	probe_end(pid);
	launch_done(&launch);
}

/* ------------------------------------------------------------------ C8: the answer */

static void end_3(struct launch *launch, struct hob_daemon *daemon)
{
	_exit(3);
}

static void end_by_signal(struct launch *launch, struct hob_daemon *daemon)
{
	signal(SIGSEGV, SIG_DFL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	raise(SIGSEGV);
}

static void never_ready(struct launch *launch, struct hob_daemon *daemon)
{
	probe_stay(launch->pipe[1]);
}

static void go_silent(struct launch *launch, struct hob_daemon *daemon)
{
	probe_report(launch->pipe[1]);
	hob_close_from(3, NULL, 0);
	for (;;)
		pause();
}

static void leave_holder(struct launch *launch, struct hob_daemon *daemon)
{
	if (fork() == 0)
		probe_stay(launch->pipe[1]);
	_exit(4);
}

static void fail_with_text(struct launch *launch, struct hob_daemon *daemon)
{
	hob_daemon_failed(daemon, EADDRINUSE, "port 80");
	_exit(1);
}

static void exec_missing(struct launch *launch, struct hob_daemon *daemon)
{
	char *const arguments[] = {"nonesuch", NULL};

	hob_daemon_exec(daemon, "/nonexistent/nonesuch", arguments, environ);
	_exit(1);
}

static const struct {
	const char *name;
	void (*daemon)(struct launch *launch, struct hob_daemon *daemon);
	uint64_t timeout_us;
	int r, stage, wait_status;
	const char *text;
	bool is_killed;	 /* the daemon has reported, and is gone now */
	bool leaves_one; /* a process of the daemon has reported, and stays */
} answers[] = {
	{"exit 3", end_3, 0, -ECHILD, HOB_STAGE_DAEMON, 3 << 8, "", false, false},
	{"signal", end_by_signal, 0, -ECHILD, HOB_STAGE_DAEMON, SIGSEGV, "", false, false},
	{"never ready", never_ready, 100000, -ETIMEDOUT, HOB_STAGE_TIMEOUT, -1, "", true, false},
	{"silent", go_silent, 0, -EPIPE, HOB_STAGE_DAEMON, -1, "", true, false},
	{"holder", leave_holder, 0, -ECHILD, HOB_STAGE_DAEMON, 4 << 8, "", false, true},
	{"failed", fail_with_text, 0, -EADDRINUSE, HOB_STAGE_DAEMON, -1, "port 80", false, false},
	{"exec", exec_missing, 0, -ENOENT, HOB_STAGE_EXEC, -1, "/nonexistent/nonesuch", false,
		false},
};

static void test_answers(void **state)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct launch launch;
		struct result result;
		uint64_t before_us = probe_now_us();
		launch_init(&launch);
		launch.daemon = answers[i].daemon;
		launch.opts.timeout_us = answers[i].timeout_us;
		assert_int_equal(launch_run(&launch, &result), 1);
		assert_int_equal(result.r, answers[i].r);
		assert_int_equal(result.report.error, -answers[i].r);
		assert_int_equal(result.report.stage, answers[i].stage);
		assert_int_equal(result.report.wait_status, answers[i].wait_status);
		assert_string_equal(result.report.text, answers[i].text);
		assert_true(result.report.pid > 0);
		/* None of them has to wait for the default time-out. */
		assert_true(probe_now_us() - before_us < 10000000);
		if (answers[i].is_killed)
			assert_int_equal(probe_read_pid(launch.pipe[0]), result.report.pid);
		if (answers[i].leaves_one)
			probe_end(probe_read_pid(launch.pipe[0]));
		assert_no_children();
		launch_done(&launch);
	}
}

/* Ready, and the original process goes on. */
static void test_parent_returns(void **state)
{
	struct launch launch;
	struct result result;

	launch_init(&launch);
	launch.opts.flags = HOB_DAEMON_PARENT_RETURNS;
	launch.daemon = stay_ready;
	assert_int_equal(launch_run(&launch, &result), 1);
	assert_int_equal(result.r, HOB_PARENT);
	assert_int_equal(result.report.stage, HOB_STAGE_NONE);
	assert_int_equal(result.report.error, 0);
	pid_t pid = probe_read_pid(launch.pipe[0]);
	assert_int_equal(result.report.pid, pid);
	probe_end(pid);
	assert_no_children();
	launch_done(&launch);
}

/* C9: the answer comes when the program is executed, not before. */
static void exec_sleep(struct launch *launch, struct hob_daemon *daemon)
{
	char *const arguments[] = {"sleep", "60", NULL};

	probe_report(launch->pipe[1]);
	hob_daemon_exec(daemon, "/bin/sleep", arguments, environ);
	_exit(1);
}

static void test_exec(void **state)
{
	struct launch launch;
	struct result result;

	launch_init(&launch);
	launch.daemon = exec_sleep;
	assert_int_equal(launch_run(&launch, &result), 0);
	pid_t pid = probe_read_pid(launch.pipe[0]);
	assert_status(pid, "Name", "sleep");
	probe_end(pid);
	launch_done(&launch);
}

/* The launcher is killed while it waits: the daemon lives, and learns that nobody waits any more.
 */
static void ready_late(struct launch *launch, struct hob_daemon *daemon)
{
	sigset_t wanted;
	int signo;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	probe_report(launch->pipe[1]);
	sigwait(&wanted, &signo);
	_exit(hob_daemon_ready(daemon) == -EPIPE ? 42 : 43);
}

static void test_launcher_killed(void **state)
{
	struct launch launch;

	launch_init(&launch);
	launch.daemon = ready_late;
	pid_t launcher = fork();
	assert_true(launcher >= 0);
	if (launcher == 0)
		run_launcher(&launch);
	pid_t pid = probe_read_pid(launch.pipe[0]);
	kill(launcher, SIGKILL);
	assert_int_equal(probe_wait(launcher), SIGKILL);
	kill(pid, SIGUSR1);
	assert_int_equal(probe_wait(pid), 42 << 8);
	assert_no_children();
	launch_done(&launch);
}

/* ------------------------------------------------------------------ before the fork */

static void *wait_for_ever(void *data)
{
	for (;;)
		pause();
	return NULL;
}

static void make_thread(struct launch *launch)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_for_ever, NULL))
		_exit(94);
}

/* C29 */
static void test_threads(void **state)
{
	struct launch launch;
	struct result result;

	launch_init(&launch);
	launch.before = make_thread;
	launch.daemon = stay_ready;
	assert_int_equal(launch_run(&launch, &result), 1);
	assert_int_equal(result.r, -EBUSY);
	assert_int_equal(result.report.stage, HOB_STAGE_THREADS);
	launch_done(&launch);
}

static void assert_refused(struct hob_daemon_opts *opts, int r, int stage)
{
	struct hob_report report = {0};
	struct hob_daemon *daemon = (void *)&report;

	opts->report = &report;
	assert_int_equal(hob_daemonize(opts, &daemon), r);
	assert_int_equal(report.stage, stage);
	assert_int_equal(report.pid, 0);
	assert_ptr_equal(daemon, &report);
	assert_no_children();
}

static void test_refusals(void **state)
{
	struct hob_daemon_opts opts = {.size = sizeof(opts)};
	struct {
		struct hob_daemon_opts known;
		char later_field;
	} later = {.known.size = sizeof(later)};
	char directory[] = "/tmp/test_daemonize.XXXXXX", path[64];

	opts.flags = 1u << 31;
	assert_refused(&opts, -EINVAL, HOB_STAGE_OPTIONS);
	opts = (struct hob_daemon_opts){.n_keep_fds = 1};
	assert_refused(&opts, -EINVAL, HOB_STAGE_OPTIONS);
	later.later_field = 1;
	assert_refused(&later.known, -E2BIG, HOB_STAGE_OPTIONS);
	opts = (struct hob_daemon_opts){.size = 8};
	assert_int_equal(hob_daemonize(&opts, &(struct hob_daemon *){NULL}), -EINVAL);
	opts = (struct hob_daemon_opts){.user = "no such user"};
	assert_refused(&opts, -ESRCH, HOB_STAGE_USER);
	opts = (struct hob_daemon_opts){.group = "no such group"};
	assert_refused(&opts, -ESRCH, HOB_STAGE_GROUP);
	opts = (struct hob_daemon_opts){.stdin_path = "/nonexistent/in"};
	assert_refused(&opts, -ENOENT, HOB_STAGE_STDIN);

	/* C19: neither through a planted link, nor held up by a FIFO. */
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/link", directory);
	assert_int_equal(symlink("/dev/null", path), 0);
	opts = (struct hob_daemon_opts){.stdout_path = path};
	assert_refused(&opts, -ELOOP, HOB_STAGE_STDOUT);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	opts = (struct hob_daemon_opts){.stderr_path = path};
	assert_refused(&opts, -ENXIO, HOB_STAGE_STDERR);
	unlink(path);
	rmdir(directory);
}

/* ------------------------------------------------------------------ files, hook, user */

static void write_ready(struct launch *launch, struct hob_daemon *daemon)
{
	if (write(1, "out", 3) != 3 || write(2, "err", 3) != 3)
		_exit(93);
	stay_ready(launch, daemon);
}

/* S14: relative to where the caller stands; appended; blocking. */
static void test_files(void **state)
{
	char directory[] = "/tmp/test_daemonize.XXXXXX", cwd[4096], text[16] = "";
	struct launch launch;
	struct result result;
	struct stat status;

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	launch_init(&launch);
	launch.opts.stdout_path = launch.opts.stderr_path = "log";
	launch.daemon = write_ready;
	assert_int_equal(launch_run(&launch, &result), 0);
	pid_t pid = probe_read_pid(launch.pipe[0]);
	int fd = open("log", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_string_equal(text, "outerr");
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0137, 0);
	close(fd);
	probe_end(pid);
	unlink("log");
	assert_int_equal(chdir(cwd), 0);
	rmdir(directory);
	launch_done(&launch);
}

static int open_something(void *data)
{
	return dup2(0, 77) < 0 ? -errno : 0;
}

static int refuse(void *data)
{
	return -EADDRNOTAVAIL;
}

static void test_privileged(void **state)
{
	struct launch launch;
	struct result result;

	launch_init(&launch);
	launch.opts.privileged = open_something;
	pid_t pid = launch_daemon(&launch);
	assert_link(pid, "fd/77", "/dev/null");
	probe_end(pid);
	launch.opts.privileged = refuse;
	assert_int_equal(launch_run(&launch, &result), 1);
	assert_int_equal(result.r, -EADDRNOTAVAIL);
	assert_int_equal(result.report.stage, HOB_STAGE_PRIVILEGED);
	assert_no_children();
	launch_done(&launch);
}

/* C18 */
static void test_user(void **state)
{
	struct launch launch;

	if (geteuid() != 0)
		skip();
	launch_init(&launch);
	launch.opts.user = "54321";
	pid_t pid = launch_daemon(&launch);
	assert_status(pid, "Uid", "54321\t54321\t54321\t54321");
	assert_status(pid, "Gid", "54321\t54321\t54321\t54321");
	assert_status(pid, "Groups", "54321 ");
	assert_status(pid, "CapEff", "0000000000000000");
	assert_status(pid, "CapPrm", "0000000000000000");
	probe_end(pid);
	launch_done(&launch);
}

static void test_stage_names(void **state)
{
	for (int i = 0; i < HOB_N_STAGES; i++)
		assert_string_not_equal(hob_stage_name(i), "unknown");
	assert_string_equal(hob_stage_name(HOB_STAGE_SETSID), "setsid");
	assert_string_equal(hob_stage_name(-1), "unknown");
	assert_string_equal(hob_stage_name(HOB_N_STAGES), "unknown");
	assert_int_equal(hob_daemon_ready(NULL), 0);
	assert_int_equal(hob_daemon_failed(NULL, 1, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_proper),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_high_limit),
		cmocka_unit_test(test_closed_stdio),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_gets_no_terminal),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_parent_returns),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_launcher_killed),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_privileged),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_stage_names),
	};

	return cmocka_run_group_tests(tests, probe_set_up, NULL);
}
