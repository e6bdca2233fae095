/* What init does with processes: spawn, signal, reap, watch, and the rows that tell of them. */
#include "instance.h"

static int setup_filtered(void **state)
{
	return start(state, true);
}

static pid_t read_pid(struct fixture *f, const char *name)
{
	char path[128];
	int pid = 0;

	path_of(f, name, path);
	FILE *file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%d\n", &pid) != 1)
			pid = 0;
		fclose(file);
	}
	return pid;
}

static int count_lines_that_are(struct fixture *f, const char *name, const char *wanted)
{
	char path[128], line[64];
	int n = 0;

	path_of(f, name, path);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		n += strcmp(line, wanted) == 0;
	}
	if (file)
		fclose(file);
	return n;
}

static void test_spawn_exit_ack(void **state)
{
	struct fixture *f = *state;
	uint64_t token = spawn_shell(f, "exit 7");
	const struct table_row *row = wait_for_state(f, token, ROW_EXITED);

	assert_true(WIFEXITED(row->wait_status));
	assert_int_equal(WEXITSTATUS(row->wait_status), 7);
	assert_int_equal(atomic_load(&row->step), STEP_NONE);
	assert_string_equal(row->unit_name, "test.service");
	assert_int_equal(row->run_id.bytes[0], 9);
	assert_true(row->memory_max_bytes > 0);
	assert_true(row->ended_us >= row->started_us && row->started_us > 0);
	assert_true(row->identity.pidfd_inode || row->identity.start_ticks);
	struct channel_message bell = wait_for_bell(f, CHANNEL_BELL);
	assert_int_equal(bell.token, token);
	assert_ptr_equal(table_row_at(&f->table, bell.value, token), row);
	send_token(f, CHANNEL_ACK, token, 0);
	eventually(!table_find(&f->table, token));
	/* The lowest free row is used again. */
	token = spawn_shell(f, "exit 0");
	wait_for_state(f, token, ROW_EXITED);
	assert_ptr_equal(table_find(&f->table, token), row);
	assert_int_equal(row->wait_status, 0);
	assert_int_equal(atomic_load(&f->table.header->rows_used), 1);
}

static void test_ack_of_what_runs_is_ignored(void **state)
{
	struct fixture *f = *state;
	uint64_t token = spawn_shell(f, "sleep 1000");

	wait_for_state(f, token, ROW_RUNNING);
	send_token(f, CHANNEL_ACK, token, 0);
	send_token(f, CHANNEL_SIGNAL, token, SIGTERM);
	const struct table_row *row = wait_for_state(f, token, ROW_EXITED);
	assert_true(WIFSIGNALED(row->wait_status));
	assert_int_equal(WTERMSIG(row->wait_status), SIGTERM);
	/* Neither what has ended nor what never was can be signalled. */
	send_token(f, CHANNEL_SIGNAL, token, SIGKILL);
	send_token(f, CHANNEL_SIGNAL, 999, SIGKILL);
	send_token(f, CHANNEL_SIGNAL, token, 100000);
	wait_for_state(f, spawn_shell(f, "exit 0"), ROW_EXITED);
}

static void test_exec_failure(void **state)
{
	struct fixture *f = *state;
	struct child_failure failure;
	struct pollfd polled = {.events = POLLIN};

	int fd = send_spawn(f, ++f->token, spec_of(f, "/none", "", NULL));
	const struct table_row *row = wait_for_state(f, f->token, ROW_EXITED);
	assert_int_equal(atomic_load(&row->step), STEP_EXEC);
	assert_int_equal(row->step_errno, ENOENT);
	assert_int_equal(WEXITSTATUS(row->wait_status), 203);
	assert_int_equal(read(fd, &failure, sizeof(failure)), sizeof(failure));
	assert_int_equal(failure.step, STEP_EXEC);
	assert_int_equal(failure.error, ENOENT);
	close(fd);
	/* Success is the pipe's end, while the program runs: init has closed its copy. */
	polled.fd = send_spawn(f, ++f->token, spec_of(f, "/bin/sh", "sleep 1000", NULL));
	assert_int_equal(poll(&polled, 1, (int)(PATIENCE_US / 1000)), 1);
	assert_int_equal(read(polled.fd, &failure, sizeof(failure)), 0);
	close(polled.fd);
	assert_int_equal(state_of(f, f->token), ROW_RUNNING);
}

static void test_bad_messages_become_rows(void **state)
{
	struct fixture *f = *state;
	struct child_failure failure;

	int fd = send_spawn(f, ++f->token, open("/dev/null", O_RDONLY));
	const struct table_row *row = wait_for_state(f, f->token, ROW_EXITED);
	assert_int_equal(atomic_load(&row->step), STEP_SPEC);
	assert_int_equal(row->step_errno, EBADMSG);
	assert_int_equal(read(fd, &failure, sizeof(failure)), sizeof(failure));
	assert_int_equal(failure.step, STEP_SPEC);
	close(fd);
	send_token(f, CHANNEL_SPAWN, ++f->token, 0);
	row = wait_for_state(f, f->token, ROW_EXITED);
	assert_int_equal(atomic_load(&row->step), STEP_SPEC);
	/* What this version does not know is answered. */
	send_token(f, CHANNEL_UPGRADE, 0, 0);
	wait_for_bell(f, CHANNEL_NOT_MINE);
}

static void test_same_token_is_spawned_once(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++)
		close(send_spawn(f, 5, spec_of(f, "/bin/sh", "echo x >> out; sleep 1000", NULL)));
	close(send_spawn(f, 4, spec_of(f, "/bin/sh", "echo x >> out", NULL)));
	f->token = 5;
	wait_for_state(f, spawn_shell(f, "exit 0"), ROW_EXITED);
	eventually(count_lines(f, "out") > 0);
	assert_int_equal(count_lines(f, "out"), 1);
	assert_null(table_find(&f->table, 4));
	assert_int_equal(atomic_load(&f->table.header->last_token), 6);
}

static const struct table_orphan *find_orphan(struct fixture *f, pid_t pid)
{
	uint64_t head = atomic_load(&f->table.header->orphan_head);

	for (uint64_t i = 0; i < head; i++)
		if (f->table.orphans[i % TABLE_ORPHANS].pid == pid)
			return &f->table.orphans[i % TABLE_ORPHANS];
	return NULL;
}

/* Spawns a service that leaves a child behind, whose pid it writes; waits until that is an orphan.
 */
static pid_t leave_orphan(struct fixture *f, const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "(%s) & echo $! > pid; exit 0", command);
	uint64_t token = spawn_shell(f, line);
	wait_for_state(f, token, ROW_EXITED);
	send_token(f, CHANNEL_ACK, token, 0);
	return read_pid(f, "pid");
}

/* What the orphans of two tests wait for. */
static void let_go(struct fixture *f)
{
	char path[128];

	path_of(f, "out", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static void test_orphans_come_into_the_ring(void **state)
{
	struct fixture *f = *state;
	pid_t pid = leave_orphan(f, "while [ ! -e out ]; do sleep 0.01; done; exit 5");

	assert_null(find_orphan(f, pid));
	let_go(f);
	wait_for_bell(f, CHANNEL_ORPHANS);
	const struct table_orphan *orphan = find_orphan(f, pid);
	assert_non_null(orphan);
	assert_int_equal(WEXITSTATUS(orphan->wait_status), 5);
	assert_true(orphan->identity.pidfd_inode || orphan->identity.start_ticks);
}

static void send_watch(struct fixture *f, uint64_t token, pid_t pid, int pidfd)
{
	struct channel_message message = {.op = CHANNEL_WATCH, .token = token, .pid = (int32_t)pid};

	strcpy(message.unit_name, "forking.service");
	send_message(f, message, &pidfd, 1);
}

static void test_watch(void **state)
{
	struct fixture *f = *state;
	pid_t pid = leave_orphan(f, "exec sleep 1000");
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	assert_true(pidfd >= 0);
	uint64_t token = ++f->token;
	send_watch(f, token, pid, pidfd);
	assert_int_equal(wait_for_bell(f, CHANNEL_WATCHED).token, token);
	const struct table_row *row = table_find(&f->table, token);
	assert_int_equal(row->pid, pid);
	assert_int_equal(row->watched, 1);
	assert_int_equal(atomic_load(&row->state), ROW_RUNNING);
	assert_string_equal(row->unit_name, "forking.service");
	/* A process has one token. */
	send_watch(f, ++f->token, pid, pidfd);
	assert_int_equal(wait_for_bell(f, CHANNEL_NOT_MINE).token, f->token);
	send_token(f, CHANNEL_SIGNAL, token, SIGUSR1);
	row = wait_for_state(f, token, ROW_EXITED);
	assert_int_equal(WTERMSIG(row->wait_status), SIGUSR1);
	assert_null(find_orphan(f, pid));
	close(pidfd);
}

static void test_watch_of_what_is_gone(void **state)
{
	struct fixture *f = *state;
	pid_t pid = leave_orphan(f, "exec sleep 1000");
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct process_identity identity;

	bool has_pidfs = process_identify_pidfd(pidfd, &identity) == 0;
	kill(pid, SIGKILL);
	wait_for_bell(f, CHANNEL_ORPHANS);
	send_watch(f, ++f->token, pid, pidfd);
	if (has_pidfs) {
		const struct table_row *row = wait_for_state(f, f->token, ROW_EXITED);
		assert_int_equal(WTERMSIG(row->wait_status), SIGKILL);
	} else {
		assert_int_equal(wait_for_bell(f, CHANNEL_NOT_MINE).token, f->token);
	}
	close(pidfd);
	/* Not a child of init at all; nor by a pid that does not fit the descriptor. */
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	send_watch(f, ++f->token, getpid(), pidfd);
	assert_int_equal(wait_for_bell(f, CHANNEL_NOT_MINE).token, f->token);
	uint64_t token = spawn_shell(f, "sleep 1000");
	pid = wait_for_state(f, token, ROW_RUNNING)->pid;
	send_watch(f, ++f->token, pid, pidfd);
	assert_int_equal(wait_for_bell(f, CHANNEL_NOT_MINE).token, f->token);
	close(pidfd);
}

static void test_cgroup_that_is_not_there(void **state)
{
	struct fixture *f = *state;

	close(send_spawn(f, ++f->token, spec_of(f, "/bin/sh", "exit 0", "/none/cgroup")));
	const struct table_row *row = wait_for_state(f, f->token, ROW_EXITED);
	assert_int_equal(atomic_load(&row->step), STEP_CGROUP);
	assert_int_equal(row->step_errno, ENOENT);
}

/* Where a cgroup v2 directory can be made, in its own tree or beside v1's. */
static bool make_cgroup(char path[128])
{
	static const char *const mounts[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

	for (size_t i = 0; i < 2; i++) {
		char procs[160];
		snprintf(path, 128, "%s/hob-test-init-%d", mounts[i], (int)getpid());
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
		if (mkdir(path, 0755) < 0)
			continue;
		if (access(procs, W_OK) == 0)
			return true;
		rmdir(path);
	}
	return false;
}

/* With clone3(), and, under the filter, by the child itself: it is inside before its program runs.
 */
static void test_cgroup(void **state)
{
	struct fixture *f = *state;
	char cgroup[128], path[128], text[4096] = {0};

	if (!make_cgroup(cgroup))
		skip();
	close(send_spawn(
		f, ++f->token, spec_of(f, "/bin/sh", "cat /proc/self/cgroup > out", cgroup)));
	const struct table_row *row = wait_for_state(f, f->token, ROW_EXITED);
	assert_int_equal(atomic_load(&row->step), STEP_NONE);
	path_of(f, "out", path);
	int fd = open(path, O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	eventually(rmdir(cgroup) == 0);
	assert_non_null(strstr(text, "hob-test-init-"));
}

static void test_without_newer_calls(void **state)
{
	struct fixture *f = *state;
	uint64_t token = spawn_shell(f, "sleep 1000");
	const struct table_row *row = wait_for_state(f, token, ROW_RUNNING);

	assert_int_equal(row->identity.pidfd_inode, 0);
	assert_true(row->identity.start_ticks > 0);
	kill_supervisor(f);
	wait_for_supervisor(f);
	send_token(f, CHANNEL_SIGNAL, token, SIGTERM);
	assert_int_equal(WTERMSIG(wait_for_state(f, token, ROW_EXITED)->wait_status), SIGTERM);
	pid_t pid = leave_orphan(f, "while [ ! -e out ]; do sleep 0.01; done; exit 4");
	let_go(f);
	eventually(find_orphan(f, pid));
	assert_int_equal(WEXITSTATUS(find_orphan(f, pid)->wait_status), 4);
}

/*
 * So many descriptors are kept that children share them with init at first (fork.c): what they get,
 * and what init still has, must be the same as ever.
 */
static void test_many_kept_descriptors(void **state)
{
	enum { KEPT = 600, SPAWNED = 60 };
	struct fixture *f = *state;
	int pipes[SPAWNED];

	for (int i = 0; i < KEPT; i++) {
		struct channel_message message = {.op = CHANNEL_KEEP, .kind = KEPT_FIFO};
		int fds[2];
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		memcpy(message.id.bytes, &i, sizeof(i));
		send_message(f, message, fds, 1);
		close(fds[0]);
		close(fds[1]);
	}
	/* The shell says what it has, besides the three and the directory that ls reads. */
	for (int i = 0; i < SPAWNED; i++)
		pipes[i] = send_spawn(f, ++f->token,
			spec_of(f, "/bin/sh", "ls /proc/self/fd | wc -l >> out; sleep 1000", NULL));
	for (int i = 0; i < SPAWNED; i++) {
		struct pollfd polled = {.fd = pipes[i], .events = POLLIN};
		assert_int_equal(poll(&polled, 1, (int)(PATIENCE_US / 1000)), 1);
		assert_int_equal(read(pipes[i], &(struct child_failure){0}, 8), 0);
		close(pipes[i]);
	}
	eventually(count_lines(f, "out") == SPAWNED);
	assert_int_equal(count_lines_that_are(f, "out", "4"), SPAWNED);
	assert_true(atomic_load(&f->table.header->kept_used) >= KEPT);
	/* init has all that is kept, and nothing of what came with the messages. */
	char command[128];
	snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l > pid", (int)f->init_pid);
	wait_for_state(f, spawn_shell(f, command), ROW_EXITED);
	assert_in_range(read_pid(f, "pid"), KEPT + 10, KEPT + 25);
	/* The descriptors are there for a successor. */
	kill_supervisor(f);
	wait_for_supervisor(f);
	close(send_spawn(f, ++f->token, spec_of(f, "/none", "", NULL)));
	assert_int_equal(wait_for_state(f, f->token, ROW_EXITED)->step_errno, ENOENT);
}

/* --- the full table: too long with real processes --- */

static void test_full_table_keeps_rows_for_failures(void **state)
{
	struct init *init = calloc(1, sizeof(*init));
	struct channel_message message = {0};
	char path[] = "/tmp/hob-rows-XXXXXX";
	unsigned n = 0, n_spare = 0;

	close(mkstemp(path));
	assert_int_equal(table_create(&init->table, path), 0);
	unlink(path);
	init->rows.n_max = TABLE_ROWS_MAX;
	struct table_row *row;
	for (message.token = 1; (row = row_new(init, &message, false)); message.token++) {
		atomic_store(&row->state, ROW_STARTING);
		row_set_pid(init, row, (pid_t)(message.token * 3));
		n++;
	}
	for (; (row = row_new(init, &message, true)); message.token++)
		n_spare++;
	assert_true(n_spare > 0);
	assert_int_equal(n + n_spare, TABLE_ROWS_MAX);
	for (uint64_t token = 1; token <= n; token++) {
		assert_ptr_equal(row_by_token(init, token), &init->table.rows[token - 1]);
		assert_ptr_equal(
			row_by_pid(init, (pid_t)(token * 3)), &init->table.rows[token - 1]);
	}
	row_set_exited(init, row_by_token(init, 4000), 0);
	row_set_exited(init, row_by_token(init, 5), 0);
	assert_null(row_by_pid(init, 15));
	row_acknowledge(init, 5);
	row_acknowledge(init, 4000);
	row_acknowledge(init, 4001); /* has not ended */
	assert_ptr_equal(row_new(init, &message, false), &init->table.rows[4]);
	message.token++;
	assert_ptr_equal(row_new(init, &message, false), &init->table.rows[3999]);
	assert_null(row_new(init, &message, false));
	table_close(&init->table);
	free(init);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_spawn_exit_ack),
		T(test_ack_of_what_runs_is_ignored),
		T(test_exec_failure),
		T(test_bad_messages_become_rows),
		T(test_same_token_is_spawned_once),
		T(test_orphans_come_into_the_ring),
		T(test_watch),
		T(test_watch_of_what_is_gone),
		T(test_cgroup_that_is_not_there),
		T(test_cgroup),
		T(test_many_kept_descriptors),
		cmocka_unit_test_setup_teardown(test_without_newer_calls, setup_filtered, teardown),
		cmocka_unit_test_setup_teardown(test_cgroup, setup_filtered, teardown),
		cmocka_unit_test_setup_teardown(
			test_many_kept_descriptors, setup_filtered, teardown),
		cmocka_unit_test(test_full_table_keeps_rows_for_failures),
	};

	int status = stand_in(argc, argv);
	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
