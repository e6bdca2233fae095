/* init, its supervisor and its logger: they die, are replaced, and all comes to an end. */
#include "instance.h"

static void test_services_outlive_the_supervisor(void **state)
{
	struct fixture *f = *state;
	uint64_t token = spawn_shell(f, "sleep 1000");
	pid_t pid = wait_for_state(f, token, ROW_RUNNING)->pid;
	struct id128 epoch = f->table.header->epoch;

	for (unsigned i = 1; i <= 5; i++) {
		pid_t old = f->supervisor_pid;
		kill_supervisor(f);
		wait_for_supervisor(f);
		assert_int_not_equal(f->supervisor_pid, old);
		assert_int_equal(atomic_load(&f->table.header->supervisor_pid), f->supervisor_pid);
		assert_int_equal(atomic_load(&f->table.header->supervisor_starts), i + 1);
		assert_int_equal(atomic_load(&f->table.header->quick_restarts), i);
	}
	assert_true(id128_equal(epoch, f->table.header->epoch));
	assert_int_equal(state_of(f, token), ROW_RUNNING);
	assert_int_equal(table_find(&f->table, token)->pid, pid);
	assert_int_equal(kill(pid, 0), 0);
	/* The new channel works. */
	send_token(f, CHANNEL_SIGNAL, token, SIGKILL);
	wait_for_state(f, token, ROW_EXITED);
}

/* init is stopped while its supervisor sends a wish and dies, with unread bells in its own queue.
 */
static void test_last_wishes_are_carried_out(void **state)
{
	struct fixture *f = *state;
	uint64_t first = spawn_shell(f, "exit 0");

	wait_for_state(f, first, ROW_EXITED);
	assert_int_equal(kill(f->init_pid, SIGSTOP), 0);
	send_token(f, CHANNEL_ACK, first, 0);
	uint64_t token = spawn_shell(f, "echo x >> out; sleep 1000");
	kill_supervisor(f);
	assert_int_equal(kill(f->init_pid, SIGCONT), 0);
	wait_for_supervisor(f);
	assert_int_equal(wait_for_state(f, token, ROW_RUNNING)->token, token);
	assert_null(table_find(&f->table, first));
	eventually(count_lines(f, "out") == 1);
}

static void test_supervisor_that_lets_go_is_replaced(void **state)
{
	struct fixture *f = *state;
	pid_t old = f->supervisor_pid;

	close(f->channel); /* the stand-in itself lives on */
	f->channel = -1;
	wait_for_supervisor(f);
	assert_int_not_equal(f->supervisor_pid, old);
}

static void test_overflow_says_look_at_all(void **state)
{
	struct fixture *f = *state;
	struct channel_message message;
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds, n_bells = 0;

	/* Wishes nobody knows are answered: quick to fill the socket with. */
	for (int i = 0; i < 2000; i++)
		send_token(f, CHANNEL_UPGRADE, 0, 0);
	uint64_t token = spawn_shell(f, "exit 3");
	wait_for_state(f, token, ROW_EXITED);
	do {
		int r = channel_receive(f->channel, &message, fds, &n_fds);
		if (r == 0)
			poll(&(struct pollfd){.fd = f->channel, .events = POLLIN}, 1, 1000);
		else
			assert_int_equal(r, 1);
		n_bells += r == 1;
		assert_true(n_bells < 2000);
	} while (message.op != CHANNEL_LOOK_AT_ALL);
	/* The table has what the bells did not say. */
	assert_int_equal(WEXITSTATUS(table_find(&f->table, token)->wait_status), 3);
	spawn_shell(f, "exit 0");
	assert_int_equal(wait_for_bell(f, CHANNEL_BELL).token, f->token);
}

static void send_keep(struct fixture *f, enum channel_op op, enum kept_kind kind, int fd)
{
	struct channel_message message = {.op = op, .kind = kind, .id = {{7, 7}}};

	send_message(f, message, &fd, fd < 0 ? 0 : 1);
}

static void test_kept_descriptors_outlive_the_supervisor(void **state)
{
	struct fixture *f = *state;
	struct id128 id = {{7, 7}};
	int ready[2], other[2];
	char text[8] = {0};

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	int control = table_find_kept(&f->table, KEPT_CONTROL, (struct id128){0});
	assert_true(control >= 0);
	send_keep(f, CHANNEL_KEEP, KEPT_READY, other[0]);
	send_keep(f, CHANNEL_KEEP, KEPT_READY, ready[0]);   /* replaces */
	send_keep(f, CHANNEL_KEEP, KEPT_CONTROL, other[0]); /* init's own: refused */
	send_keep(f, CHANNEL_DROP, KEPT_CONTROL, -1);
	eventually(table_find_kept(&f->table, KEPT_READY, id) >= 0);
	close(ready[0]);
	close(other[0]);
	assert_int_equal(write(ready[1], "up\n", 3), 3);
	kill_supervisor(f);
	wait_for_supervisor(f);
	assert_true(f->ready_copy >= 0);
	assert_int_equal(read(f->ready_copy, text, sizeof(text)), 3);
	assert_string_equal(text, "up\n");
	assert_int_equal(table_find_kept(&f->table, KEPT_CONTROL, (struct id128){0}), control);
	/* What was replaced is closed; what is dropped too. */
	struct pollfd polled = {.fd = other[1]};
	eventually(poll(&polled, 1, 0) == 1 && (polled.revents & POLLERR));
	/* The stand-in has inherited the descriptor: it must go for the pipe to have no reader. */
	send_keep(f, CHANNEL_DROP, KEPT_READY, -1);
	eventually(table_find_kept(&f->table, KEPT_READY, id) == -ENOENT);
	kill_supervisor(f);
	wait_for_supervisor(f);
	assert_int_equal(f->ready_copy, -1);
	polled.fd = ready[1];
	eventually(poll(&polled, 1, 0) == 1 && (polled.revents & POLLERR));
	close(ready[1]);
	close(other[1]);
}

static void test_services_inherit_nothing_of_init(void **state)
{
	struct fixture *f = *state;
	char path[128], text[256] = {0};

	int fifo[2];
	assert_int_equal(pipe2(fifo, O_CLOEXEC), 0);
	send_keep(f, CHANNEL_KEEP, KEPT_FIFO, fifo[0]);
	wait_for_state(f,
		spawn_shell(f, "ls -m /proc/self/fd > out; cat /proc/self/oom_score_adj >> out; "
			       "ulimit -Sn >> out"),
		ROW_EXITED);
	path_of(f, "out", path);
	int fd = open(path, O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	char expected[128], own[16] = {0};
	struct rlimit limit;
	fd = open("/proc/self/oom_score_adj", O_RDONLY);
	assert_true(read(fd, own, sizeof(own) - 1) > 0);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &limit);
	snprintf(expected, sizeof(expected), "0, 1, 2, 3\n%s%lu\n", own,
		(unsigned long)limit.rlim_cur);
	assert_string_equal(text, expected);
	close(fifo[0]);
	close(fifo[1]);
}

static void test_logger_is_restarted(void **state)
{
	struct fixture *f = *state;
	struct table_header *header = f->table.header;

	eventually(atomic_load(&header->logger_pid) > 0);
	pid_t old = atomic_load(&header->logger_pid);
	wait_for_bell(f, CHANNEL_LOGGER);
	kill(old, SIGKILL);
	wait_for_bell(f, CHANNEL_LOGGER);
	eventually(atomic_load(&header->logger_pid) > 0 && atomic_load(&header->logger_pid) != old);
	assert_int_equal(atomic_load(&header->logger_starts), 2);
}

static void test_stray_signals_do_nothing(void **state)
{
	static const int signals[] = {
		SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGQUIT, SIGALRM, SIGTSTP, 40};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		assert_int_equal(kill(f->init_pid, signals[i]), 0);
	wait_for_state(f, spawn_shell(f, "exit 0"), ROW_EXITED);
	assert_int_equal(atomic_load(&f->table.header->shutdown_wanted), 0);
}

/* Waits for init's own end; its status. */
static int wait_for_init(struct fixture *f)
{
	int status = -1;

	eventually(waitpid(f->init_pid, &status, WNOHANG) == f->init_pid);
	f->init_pid = 0;
	return status;
}

static void assert_is_gone(pid_t pid)
{
	/* A zombie that is ours by now, or nothing. */
	waitpid(pid, NULL, WNOHANG);
	eventually(kill(pid, 0) < 0 && errno == ESRCH);
}

static void test_termination_is_the_supervisors(void **state)
{
	struct fixture *f = *state;
	pid_t logger;

	eventually((logger = atomic_load(&f->table.header->logger_pid)) > 0);
	kill(f->init_pid, SIGTERM);
	wait_for_bell(f, CHANNEL_SHUTDOWN);
	assert_int_equal(atomic_load(&f->table.header->shutdown_wanted), SIGTERM);
	/* Still there for a successor that has heard no bell. */
	kill_supervisor(f);
	wait_for_supervisor(f);
	assert_int_equal(atomic_load(&f->table.header->shutdown_wanted), SIGTERM);
	send_token(f, CHANNEL_SHUTDOWN_TAKEN, 0, SIGTERM);
	eventually(atomic_load(&f->table.header->shutdown_wanted) == 0);
	send_token(f, CHANNEL_EXIT, 0, 0);
	assert_int_equal(wait_for_init(f), 0);
	assert_false(has_file(f->dir, "control"));
	assert_false(has_file(f->dir, "notify"));
	assert_is_gone(f->supervisor_pid);
	assert_is_gone(logger);
}

static void test_exit_may_leave_services(void **state)
{
	struct fixture *f = *state;
	pid_t pid = wait_for_state(f, spawn_shell(f, "sleep 1000"), ROW_RUNNING)->pid;

	send_token(f, CHANNEL_EXIT, 0, 1);
	assert_int_equal(wait_for_init(f), 0);
	assert_int_equal(kill(pid, 0), 0);
}

/* No supervisor stays up: init ends all by itself, politely first. */
static void test_termination_without_supervisor(void **state)
{
	struct fixture *f = *state;
	char path[128];
	pid_t polite = wait_for_state(f,
		spawn_shell(f, "trap 'echo term >> out; exit 0' TERM; echo up > pid; while :; do "
			       "sleep 0.01; done"),
		ROW_RUNNING)
			       ->pid;

	eventually(count_lines(f, "pid") == 1);
	path_of(f, "die", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	kill_supervisor(f);
	uint64_t before = clock_monotonic_us();
	kill(f->init_pid, SIGINT);
	assert_int_equal(wait_for_init(f), 0);
	assert_true(clock_monotonic_us() - before >= 1500000);
	assert_int_equal(count_lines(f, "out"), 1);
	assert_is_gone(polite);
}

static void test_restart_delays_grow_to_a_second(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_of(f, "die", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	kill_supervisor(f);
	uint64_t before = clock_monotonic_us();
	unsigned first = atomic_load(&f->table.header->supervisor_starts);
	eventually(atomic_load(&f->table.header->supervisor_starts) >= first + 11);
	/* 0, 1, 2, 4 ... 512 ms */
	assert_true(clock_monotonic_us() - before >= 1000000);
	unlink(path);
	wait_for_supervisor(f);
	assert_true(atomic_load(&f->table.header->quick_restarts) >= 11);
}

/*
 * A supervisor that lives but does not even take note of the signal for 10 s. Too long to wait for:
 * the clock is the test's, and so is the supervisor, who is a child of the test.
 */
static void test_supervisor_that_does_not_answer(void **state)
{
	const uint64_t second = 1000000, signalled = 1000 * second;
	struct init *init = calloc(1, sizeof(*init));
	char path[] = "/tmp/hob-ending-XXXXXX";
	int status;

	close(mkstemp(path));
	assert_int_equal(table_create(&init->table, path), 0);
	unlink(path);
	init->channel_fd = -1;
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	init->supervisor = (struct role){.pid = pid, .started_us = signalled - second};
	assert_true(ending_deadline(init) == UINT64_MAX);
	ending_signalled(init, SIGTERM, signalled);
	assert_int_equal(init->ending, ENDING_WANTED);
	for (unsigned s = 1; s < 10; s++) {
		ending_turn(init, signalled + s * second);
		assert_int_equal(init->ending, ENDING_WANTED);
		assert_true(ending_deadline(init) <= signalled + (s + 1) * second);
	}
	ending_turn(init, signalled + 10 * second);
	assert_int_equal(init->ending, ENDING_TERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	init->supervisor.pid = 0;
	/* There is no other child: nothing to wait for. */
	ending_turn(init, signalled + 10 * second);
	assert_int_equal(init->ending, ENDING_ROLES);
	ending_turn(init, signalled + 10 * second);
	assert_int_equal(init->ending, ENDING_DONE);
	table_close(&init->table);
	free(init);
}

/* A child that ignores SIGTERM gets SIGKILL ten seconds later, and what hangs then is left. */
static void test_service_that_does_not_end(void **state)
{
	const uint64_t second = 1000000;
	struct init *init = calloc(1, sizeof(*init));
	char path[] = "/tmp/hob-ending-XXXXXX";
	int ready[2], status;

	close(mkstemp(path));
	assert_int_equal(table_create(&init->table, path), 0);
	unlink(path);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	init->channel_fd = -1;
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		setsid();
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &(char){0}, 1), 1);
	ending_signalled(init, SIGTERM, 0);
	ending_turn(init, 2 * second); /* no supervisor has lived */
	assert_int_equal(init->ending, ENDING_TERM);
	ending_turn(init, 11 * second);
	assert_int_equal(init->ending, ENDING_TERM);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	ending_turn(init, 12 * second);
	assert_int_equal(init->ending, ENDING_KILL);
	ending_turn(init, 12 * second);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(info.si_status, SIGKILL);
	/* As long as it is not reaped it counts as there; after a bound it is given up. */
	ending_turn(init, 16 * second);
	assert_int_equal(init->ending, ENDING_KILL);
	ending_turn(init, 17 * second);
	assert_int_equal(init->ending, ENDING_ROLES);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	table_close(&init->table);
	free(init);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_services_outlive_the_supervisor),
		T(test_last_wishes_are_carried_out),
		T(test_supervisor_that_lets_go_is_replaced),
		T(test_overflow_says_look_at_all),
		T(test_kept_descriptors_outlive_the_supervisor),
		T(test_services_inherit_nothing_of_init),
		T(test_logger_is_restarted),
		T(test_stray_signals_do_nothing),
		T(test_termination_is_the_supervisors),
		T(test_exit_may_leave_services),
		T(test_termination_without_supervisor),
		T(test_restart_delays_grow_to_a_second),
		cmocka_unit_test(test_supervisor_that_does_not_answer),
		cmocka_unit_test(test_service_that_does_not_end),
	};

	int status = stand_in(argc, argv);
	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
