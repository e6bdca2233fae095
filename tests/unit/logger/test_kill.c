/*
 * The promise: the logger is killed at any moment, and every line of every writer is in its log once
 * and in order. Two fast writers and a few slow ones; SIGKILL after random times; small logs, so that
 * rotations are hit as well.
 */
#include "rig.h"

#include <time.h>

#define N_KILLS 80
#define N_WRITERS 4
#define SIZE_MAX_OF_LOG (256 * 1024)

static pid_t writer(int fd, int number, const char *stop_path, bool is_fast)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	char line[128];
	for (unsigned long i = 0;; i++) {
		/* Lines of different lengths, the number in front. */
		int n = snprintf(line, sizeof(line), "%d %lu %.*s\n", number, i, (int)(i * 7 % 60),
			"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnop");
		if (write(fd, line, (size_t)n) != n)
			_exit(1);
		if (i % (is_fast ? 64 : 1) == 0) {
			if (access(stop_path, F_OK) == 0)
				_exit(0);
			struct timespec pause = {0, is_fast ? 20000 : 3000000};
			nanosleep(&pause, NULL);
		}
	}
}

static unsigned long check_log(struct rig *rig, const char *name, int number)
{
	size_t size, n_rotated;
	char *data = rig_read_all(rig, name, &size, &n_rotated);
	unsigned long next = 0;

	assert_true(size > 0);
	assert_int_equal(data[size - 1], '\n');
	for (char *at = data; at < data + size;) {
		char *end = memchr(at, '\n', (size_t)(data + size - at));
		char *text;
		if (strtol(at, &text, 10) != number)
			fail_msg("%s: behind line %lu: %.60s", name, next, at);
		unsigned long got = strtoul(text, &text, 10);
		if (got != next)
			fail_msg("%s: line %lu where %lu should be", name, got, next);
		if ((unsigned long)(end - text) != 1 + got * 7 % 60)
			fail_msg("%s: line %lu: %.*s", name, got, (int)(end - at), at);
		next++;
		at = end + 1;
	}
	free(data);
	return next;
}

static void check_index(struct rig *rig, const char *name)
{
	struct logindex index;
	struct logindex_record record, last = {0};
	char path[256];

	rig_log_path(rig, name, "current.idx", path);
	assert_int_equal(logindex_open(&index, AT_FDCWD, path), 0);
	for (uint64_t i = 0; i < index.n; i++) {
		assert_int_equal(logindex_get(&index, i, &record), 1);
		if (i > 0)
			assert_true(record.offset > last.offset);
		assert_true(record.wall_us > 0);
		last = record;
	}
	logindex_close(&index);
}

static void run(struct rig *rig, unsigned seed)
{
	char stop_path[128], name[16];
	int fds[N_WRITERS];
	pid_t pids[N_WRITERS];

	snprintf(stop_path, sizeof(stop_path), "%s/stop", rig->directory);
	for (int i = 0; i < N_WRITERS; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		fds[i] = rig_fifo(rig, name, (unsigned)i);
		pids[i] = writer(fds[i], i, stop_path, i < 2);
	}
	for (int i = 0; i < N_KILLS; i++) {
		rig_start(rig);
		for (int w = 0; w < N_WRITERS; w++) {
			snprintf(name, sizeof(name), "w%d", w);
			rig_open(rig, name, (unsigned)w, SIZE_MAX_OF_LOG, 10000);
		}
		seed = seed * 1103515245 + 12345;
		struct timespec pause = {0, (long)(seed >> 8) % 40 * 1000000 + (long)(seed % 1000) * 1000};
		nanosleep(&pause, NULL);
		rig_kill(rig);
		struct log_message message;
		while (recv(rig->channel[0], &message, sizeof(message), MSG_DONTWAIT) > 0)
			assert_int_not_equal(message.op, LOG_OP_DROPPED);
	}
	int stop = open(stop_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(stop >= 0);
	close(stop);
	rig_start(rig);
	for (int i = 0; i < N_WRITERS; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	rig_flush(rig, "");
	for (int i = 0; i < N_WRITERS; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		unsigned long n = check_log(rig, name, i);
		print_message("# %s: %lu lines\n", name, n);
		check_index(rig, name);
		close(fds[i]);
	}
}

static void test_killed_at_any_moment(void **state)
{
	run(*state, (unsigned)clock_wall_us());
}

/* The same where bytes are copied instead of spliced. */
static void test_killed_while_copying(void **state)
{
	struct rig *rig = *state;

	rig->copy_only = true;
	run(rig, (unsigned)clock_wall_us());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed_at_any_moment, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_killed_while_copying, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
