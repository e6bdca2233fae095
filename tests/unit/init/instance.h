/*
 * What the tests of init share: this program plays every part. It forks init, and is what init
 * executes as supervisor and as logger (stand_in() looks at its arguments).
 *
 * The stand-in supervisor hands the channel to the test over a socket in the runtime directory and
 * then only lives: so the test talks to init as the supervisor does, and may kill the stand-in as
 * it likes.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hob.h"
#include "init/init.h"
#include "os/child.h"
#include "os/clock.h"
#include "os/spec.h"

#define PATIENCE_US UINT64_C(20000000)

struct fixture {
	char dir[64];
	int listener; /* where stand-in supervisors come to */
	pid_t init_pid;
	int channel;	/* the present supervisor's end */
	int ready_copy; /* its KEPT_READY, or -1 */
	pid_t supervisor_pid;
	struct table table;
	uint64_t token;
	bool filtered; /* init runs where newer calls answer ENOSYS */
};

/* --- the stand-ins --- */

static int connect_to(const char *dir, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/%s", dir, name);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

static bool has_file(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static int kept_ready(const struct table *table)
{
	for (unsigned i = 0; i < atomic_load(&table->header->kept_used); i++)
		if (atomic_load(&table->kept[i].kind) == KEPT_READY)
			return table->kept[i].fd;
	return -1;
}

/* Do the descriptors that the table names stand open under these numbers? */
static bool has_its_kept(const struct table *table, const enum kept_kind *kinds)
{
	for (; *kinds != KEPT_NONE; kinds++) {
		int fd = table_find_kept(table, *kinds, (struct id128){0});
		if (fd < 0 || fcntl(fd, F_GETFD) != 0)
			return false;
	}
	return true;
}

static int play_supervisor(const char *dir)
{
	static const enum kept_kind kinds[] = {
		KEPT_LOCK, KEPT_CONTROL, KEPT_NOTIFY, KEPT_LOGGER_SUPERVISOR_END, KEPT_NONE};
	struct channel_message message = {.version = CHANNEL_VERSION, .pid = (int32_t)getpid()};
	char path[128];
	struct table table;

	if (has_file(dir, "die"))
		return 1;
	snprintf(path, sizeof(path), "%s/table", dir);
	if (table_open(&table, path) < 0 || !has_its_kept(&table, kinds))
		return 2;
	int test = connect_to(dir, "test");
	int ready = kept_ready(&table);
	int fds[] = {CHANNEL_SUPERVISOR_FD, ready};
	if (test < 0 || channel_send(test, &message, fds, ready < 0 ? 1 : 2) < 0)
		return 3;
	close(test);
	close(CHANNEL_SUPERVISOR_FD); /* the test's copy keeps it open */
	for (;;)
		pause();
}

static int play_logger(const char *dir)
{
	static const enum kept_kind kinds[] = {
		KEPT_STAGE_READ, KEPT_STAGE_WRITE, KEPT_LOGGER_LOGGER_END, KEPT_NONE};
	char path[128];
	struct table table;

	snprintf(path, sizeof(path), "%s/table", dir);
	if (table_open(&table, path) < 0 || !has_its_kept(&table, kinds))
		return 2;
	for (;;)
		pause();
}

/* --- the fixture --- */

static void path_of(const struct fixture *f, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", f->dir, name);
}

static int listen_at(const struct fixture *f, const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/%s", f->dir, name);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		(type != SOCK_DGRAM && listen(fd, 64) < 0))
		return -1;
	return fd;
}

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

static _Noreturn void be_init(struct fixture *f, int control, int notify)
{
	char self[128];
	int fds[3], lock = open(f->dir, O_RDONLY | O_DIRECTORY);

	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	flock(lock, LOCK_EX);
	fds[0] = fcntl(lock, F_DUPFD, 20);
	fds[1] = fcntl(control, F_DUPFD, 20);
	fds[2] = fcntl(notify, F_DUPFD, 20);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], 3 + i);
	hob_close_from(6, NULL, 0);
	setsid();
	if (f->filtered)
		deny_new_calls();
	_exit(init_main(f->dir, f->dir, self));
}

static void wait_for_supervisor(struct fixture *f)
{
	struct pollfd polled = {.fd = f->listener, .events = POLLIN};
	struct channel_message message;
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds;

	assert_int_equal(poll(&polled, 1, (int)(PATIENCE_US / 1000)), 1);
	int connection = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	polled.fd = connection;
	assert_int_equal(poll(&polled, 1, (int)(PATIENCE_US / 1000)), 1);
	assert_int_equal(channel_receive(connection, &message, fds, &n_fds), 1);
	close(connection);
	f->supervisor_pid = message.pid;
	f->channel = fds[0];
	f->ready_copy = n_fds > 1 ? fds[1] : -1;
}

static int start(void **state, bool filtered)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128];

	*state = f;
	f->filtered = filtered;
	f->channel = f->ready_copy = -1;
	strcpy(f->dir, "/tmp/hob-init-XXXXXX");
	if (!mkdtemp(f->dir) || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -1;
	f->listener = listen_at(f, "test", SOCK_SEQPACKET);
	int control = listen_at(f, "control", SOCK_STREAM),
	    notify = listen_at(f, "notify", SOCK_DGRAM);
	if (f->listener < 0 || control < 0 || notify < 0)
		return -1;
	f->init_pid = fork();
	if (f->init_pid == 0)
		be_init(f, control, notify);
	close(control);
	close(notify);
	wait_for_supervisor(f);
	path_of(f, "table", path);
	return table_open(&f->table, path);
}

static int setup(void **state)
{
	return start(state, false);
}

/* Everything that init had is ours now (subreaper): ends it all, by pid. */
static void end_children(void)
{
	char path[64], text[4096];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (;;) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			return;
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		for (char *at = text, *end; (pid = (pid_t)strtol(at, &end, 10)) > 0; at = end)
			kill(pid, SIGKILL);
		waitpid(-1, NULL, 0);
	}
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"test", "control", "notify", "table", "die", "out", "pid"};
	struct fixture *f = *state;
	char path[128];

	if (f->init_pid > 0)
		kill(f->init_pid, SIGKILL);
	end_children();
	close(f->listener);
	if (f->channel >= 0)
		close(f->channel);
	if (f->ready_copy >= 0)
		close(f->ready_copy);
	table_close(&f->table);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_of(f, names[i], path);
		unlink(path);
	}
	int r = rmdir(f->dir);
	free(f);
	return r;
}

/* --- what the supervisor does --- */

static void send_message(
	struct fixture *f, struct channel_message message, const int *fds, unsigned n_fds)
{
	uint64_t until = clock_monotonic_us() + PATIENCE_US;
	struct pollfd polled = {.fd = f->channel, .events = POLLOUT};
	int r;

	message.version = CHANNEL_VERSION;
	while ((r = channel_send(f->channel, &message, fds, n_fds)) == -EAGAIN &&
		clock_monotonic_us() < until)
		poll(&polled, 1, 100);
	assert_int_equal(r, 0);
}

static void send_token(struct fixture *f, enum channel_op op, uint64_t token, uint64_t value)
{
	send_message(
		f, (struct channel_message){.op = op, .token = token, .value = value}, NULL, 0);
}

/* Sends SPAWN of a specification; returns the read end of its exec pipe. */
static int send_spawn(struct fixture *f, uint64_t token, int spec_fd)
{
	struct channel_message message = {.op = CHANNEL_SPAWN, .token = token, .id = {{9}}};
	int exec_pipe[2];

	assert_true(spec_fd >= 0);
	strcpy(message.unit_name, "test.service");
	assert_int_equal(pipe2(exec_pipe, O_CLOEXEC), 0);
	send_message(f, message, (int[]){spec_fd, exec_pipe[1]}, 2);
	close(exec_pipe[1]);
	close(spec_fd);
	return exec_pipe[0];
}

static int spec_of(
	const struct fixture *f, const char *path, const char *command, const char *cgroup)
{
	struct spawn_spec spec = {.path = path,
		.argv = (const char *[]){"sh", "-c", command, NULL},
		.envp = (const char *[]){"PATH=/usr/bin:/bin", NULL},
		.working_directory = f->dir,
		.cgroup = cgroup,
		.umask = 022,
		.ready_fd = -1};

	return spec_write(&spec);
}

static uint64_t spawn_shell(struct fixture *f, const char *command)
{
	close(send_spawn(f, ++f->token, spec_of(f, "/bin/sh", command, NULL)));
	return f->token;
}

/* Waits until the condition holds, which is asked again and again; fails the test when it does not.
 */
#define eventually(condition)                                                                      \
	do {                                                                                       \
		uint64_t until_ = clock_monotonic_us() + PATIENCE_US;                              \
		bool holds_;                                                                       \
		while (!(holds_ = (condition)) && clock_monotonic_us() < until_)                   \
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);                   \
		if (!holds_)                                                                       \
			fail_msg("in vain: %s", #condition);                                       \
	} while (0)

static uint32_t state_of(struct fixture *f, uint64_t token)
{
	const struct table_row *row = table_find(&f->table, token);

	return row ? atomic_load(&row->state) : (uint32_t)ROW_FREE;
}

static const struct table_row *wait_for_state(
	struct fixture *f, uint64_t token, enum row_state wanted)
{
	eventually(state_of(f, token) == wanted);
	return table_find(&f->table, token);
}

/* The next message of this kind; others are skipped. */
static struct channel_message wait_for_bell(struct fixture *f, enum channel_op op)
{
	struct pollfd polled = {.fd = f->channel, .events = POLLIN};
	struct channel_message message = {0};
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds;

	do {
		int r = channel_receive(f->channel, &message, fds, &n_fds);
		if (r == 0)
			assert_int_equal(poll(&polled, 1, (int)(PATIENCE_US / 1000)), 1);
		else
			assert_int_equal(r, 1);
	} while (message.op != op);
	return message;
}

static void kill_supervisor(struct fixture *f)
{
	/* In this order: one that lets go of the channel is killed by init. */
	assert_int_equal(kill(f->supervisor_pid, SIGKILL), 0);
	close(f->channel);
	if (f->ready_copy >= 0)
		close(f->ready_copy);
	f->channel = f->ready_copy = -1;
}

static int count_lines(struct fixture *f, const char *name)
{
	char path[128];
	int n = 0, c;

	path_of(f, name, path);
	FILE *file = fopen(path, "r");
	while (file && (c = fgetc(file)) != EOF)
		n += c == '\n';
	if (file)
		fclose(file);
	return n;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The parts that main() has to play before it is a test; -1: it is the test. */
static int stand_in(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "supervisor") == 0)
		return play_supervisor(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "logger") == 0)
		return play_logger(argv[2]);
	return -1;
}
