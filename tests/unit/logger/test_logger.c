/* The logger as init and the supervisor see it: bytes in, files and messages out. */
#include "rig.h"

#include <dirent.h>

static void assert_log(struct rig *rig, const char *name, const void *data, size_t size)
{
	size_t got_size;
	char *got = rig_read(rig, name, "current.log", &got_size);

	assert_non_null(got);
	assert_int_equal(got_size, size);
	assert_memory_equal(got, data, size);
	free(got);
}

static void test_says_hello(void **state)
{
	struct rig *rig = *state;

	rig_start(rig);
	assert_int_equal(rig_receive(rig).op, LOG_OP_LOGGER_HELLO);
}

static void test_bytes_are_untouched(void **state)
{
	struct rig *rig = *state;
	static const char bytes[] = "a line\n\0nul\n\xff\xfe not utf-8\n\x1b[31m\r\nno newline at the end";
	int fd = rig_fifo(rig, "web", 1);

	rig_start(rig);
	rig_open(rig, "web", 1, 0, 5);
	rig_write(fd, bytes, sizeof(bytes));
	rig_flush(rig, "web");
	assert_log(rig, "web", bytes, sizeof(bytes));
	close(fd);
}

static void test_a_very_long_line(void **state)
{
	struct rig *rig = *state;
	size_t size = 3 * 1024 * 1024 + 17;
	char *data = malloc(size);
	int fd = rig_fifo(rig, "web", 1);

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)('a' + i % 23);
	rig_start(rig);
	rig_open(rig, "web", 1, 64 * 1024 * 1024, 5);
	rig_write(fd, data, size);
	rig_flush(rig, "");
	assert_log(rig, "web", data, size);
	free(data);
	close(fd);
}

/* FIFOs that are there are taken in at once, without a supervisor to tell. */
static void test_finds_fifos_by_itself(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, "web", 1);
	size_t size = 0;
	char *data = NULL;

	rig_write(fd, "before the logger\n", 18);
	rig_start(rig);
	uint64_t deadline_us = clock_monotonic_us() + RIG_WAIT_US;
	while (size < 18 && clock_monotonic_us() < deadline_us) {
		free(data);
		data = rig_read(rig, "web", "current.log", &size);
		usleep(1000);
	}
	assert_int_equal(size, 18);
	free(data);
	close(fd);
}

static void test_many_logs(void **state)
{
	struct rig *rig = *state;
	enum { N = 300 };
	int fds[N];
	char name[32], text[64];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "unit-%d", i);
		fds[i] = rig_fifo(rig, name, (unsigned)i);
		int n = snprintf(text, sizeof(text), "this is %d\n", i);
		rig_write(fds[i], text, (size_t)n);
	}
	rig_start(rig);
	rig_flush(rig, "");
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "unit-%d", i);
		int n = snprintf(text, sizeof(text), "this is %d\n", i);
		assert_log(rig, name, text, (size_t)n);
		close(fds[i]);
	}
}

static void test_end_drains_and_unlinks(void **state)
{
	struct rig *rig = *state;
	char path[256], data[60000];
	int fd = rig_fifo(rig, "web", 7);
	struct id128 run = rig_run(7);

	memset(data, 'x', sizeof(data));
	rig_start(rig);
	rig_open(rig, "web", 7, 0, 5);
	rig_write(fd, data, sizeof(data));
	rig_send(rig, (struct log_message){.op = LOG_OP_END, .run_id = run}, "web");
	struct log_message ended = rig_expect(rig, LOG_OP_ENDED);
	assert_true(id128_equal(ended.run_id, run));
	assert_string_equal(ended.log_name, "web");
	assert_log(rig, "web", data, sizeof(data));
	rig_fifo_path(rig, "web", 7, path);
	assert_int_equal(access(path, F_OK), -1);

	/* Asked again by a new supervisor: answered again. */
	uint64_t asked_us = clock_monotonic_us();
	rig_send(rig, (struct log_message){.op = LOG_OP_HELLO}, "");
	rig_send(rig, (struct log_message){.op = LOG_OP_END, .run_id = run}, "web");
	assert_true(id128_equal(rig_expect(rig, LOG_OP_ENDED).run_id, run));

	/* A run that wrote nothing waits for no timer. */
	int silent = rig_fifo(rig, "web", 8);
	rig_open(rig, "web", 8, 0, 5);
	rig_send(rig, (struct log_message){.op = LOG_OP_END, .run_id = rig_run(8)}, "web");
	assert_true(id128_equal(rig_expect(rig, LOG_OP_ENDED).run_id, rig_run(8)));
	assert_true(clock_monotonic_us() - asked_us < 4000000);
	close(silent);
	close(fd);
}

/* Last words that nobody has opened a logger for yet. */
static void test_end_of_what_was_not_opened(void **state)
{
	struct rig *rig = *state;
	int fd;

	rig_start(rig);
	rig_expect(rig, LOG_OP_LOGGER_HELLO);
	fd = rig_fifo(rig, "web", 1);
	rig_write(fd, "last words", 10);
	rig_send(rig, (struct log_message){.op = LOG_OP_END, .run_id = rig_run(1)}, "web");
	rig_expect(rig, LOG_OP_ENDED);
	assert_log(rig, "web", "last words", 10);
	close(fd);
}

static void test_two_runs_of_one_log(void **state)
{
	struct rig *rig = *state;
	int old = rig_fifo(rig, "web", 1), new = rig_fifo(rig, "web", 2);

	rig_start(rig);
	rig_open(rig, "web", 1, 0, 5);
	rig_write(old, "one\n", 4);
	rig_send(rig, (struct log_message){.op = LOG_OP_END, .run_id = rig_run(1)}, "web");
	rig_expect(rig, LOG_OP_ENDED);
	rig_open(rig, "web", 2, 0, 5);
	rig_write(new, "two\n", 4);
	rig_flush(rig, "web");
	assert_log(rig, "web", "one\ntwo\n", 8);
	close(old);
	close(new);
}

static void test_events_have_no_index(void **state)
{
	struct rig *rig = *state;
	char path[256];
	size_t size;
	int fd = rig_fifo(rig, LOG_EVENTS_NAME, 1);

	rig_start(rig);
	rig_write(fd, "{\"seq\":1}\n", 10);
	rig_flush(rig, "");
	snprintf(path, sizeof(path), "%s/events.jsonl", rig->log_dir);
	char *data = rig_read_path(path, &size);
	assert_non_null(data);
	assert_string_equal(data, "{\"seq\":1}\n");
	free(data);
	snprintf(path, sizeof(path), "%s/%s", rig->log_dir, LOG_EVENTS_NAME);
	assert_int_equal(access(path, F_OK), -1);
	close(fd);
}

static void test_forget_lets_go_of_the_directory(void **state)
{
	struct rig *rig = *state;
	char path[256];
	int fd = rig_fifo(rig, "web", 1);

	rig_start(rig);
	rig_write(fd, "old\n", 4);
	rig_send(rig, (struct log_message){.op = LOG_OP_END, .run_id = rig_run(1)}, "web");
	rig_expect(rig, LOG_OP_ENDED);
	close(fd);
	rig_send(rig, (struct log_message){.op = LOG_OP_FORGET}, "web");
	rig_flush(rig, "");
	rig_log_path(rig, "web", "", path);
	assert_int_equal(nftw(path, rig_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);

	fd = rig_fifo(rig, "web", 2);
	rig_open(rig, "web", 2, 0, 5);
	rig_write(fd, "new\n", 4);
	uint64_t deadline_us = clock_monotonic_us() + RIG_WAIT_US;
	rig_flush(rig, "");
	assert_true(clock_monotonic_us() < deadline_us);
	assert_log(rig, "web", "new\n", 4);
	close(fd);
}

/* A log directory that cannot be written stops its own log only, and is told. */
static void test_a_bad_directory(void **state)
{
	struct rig *rig = *state;
	char path[256];
	int bad = rig_fifo(rig, "bad", 1), good = rig_fifo(rig, "good", 2);

	rig_log_path(rig, "bad", "", path);
	path[strlen(path) - 1] = '\0';
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	close(file);
	rig_start(rig);
	rig_write(bad, "lost\n", 5);
	struct log_message trouble = rig_expect(rig, LOG_OP_TROUBLE);
	assert_string_equal(trouble.log_name, "bad");
	assert_int_equal(trouble.error, -ENOTDIR);
	assert_int_equal(trouble.value, 1);
	rig_write(good, "kept\n", 5);
	rig_flush(rig, "good");
	assert_log(rig, "good", "kept\n", 5);

	assert_int_equal(unlink(path), 0);
	rig_write(bad, "found\n", 6);
	bool is_over = false, is_counted = false;
	while (!is_over || !is_counted) {
		struct log_message message = rig_receive(rig);
		is_over |= message.op == LOG_OP_TROUBLE && message.value == 0;
		if (message.op == LOG_OP_DROPPED) {
			assert_int_equal(message.value, 5);
			assert_int_equal(message.error, -ENOTDIR);
			is_counted = true;
		}
	}
	rig_flush(rig, "bad");
	assert_log(rig, "bad", "found\n", 6);
	close(bad);
	close(good);
}

/* Nonsense on the channel changes nothing. */
static void test_bad_messages(void **state)
{
	struct rig *rig = *state;
	static const char *const names[] = {"../x", "a/b", ".", "", ".hidden"};
	struct log_message odd = {.version = 9, .op = LOG_OP_OPEN};

	rig_start(rig);
	rig_expect(rig, LOG_OP_LOGGER_HELLO);
	assert_true(send(rig->channel[0], "x", 1, 0) == 1);
	assert_true(send(rig->channel[0], &odd, sizeof(odd), 0) > 0);
	rig_send(rig, (struct log_message){.op = 12345}, "web");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		rig_open(rig, names[i], 1, 0, 5);
		rig_send(rig, (struct log_message){.op = LOG_OP_END, .run_id = rig_run(1)}, names[i]);
	}
	rig_flush(rig, "");
	rig_open(rig, "nothing-there", 1, 0, 5);
	assert_int_equal(rig_expect(rig, LOG_OP_TROUBLE).error, -ENOENT);
}

/* How many descriptors the logger has open on files of its log directory. */
static int n_open_files(const struct rig *rig)
{
	char path[64], link[256], target[256];
	struct dirent **entries;
	int n_found = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", rig->pid);
	int n = scandir(path, &entries, NULL, NULL);
	for (int i = 0; i < n; i++) {
		snprintf(link, sizeof(link), "%s/%.16s", path, entries[i]->d_name);
		ssize_t size = readlink(link, target, sizeof(target) - 1);
		target[size > 0 ? size : 0] = '\0';
		n_found += strncmp(target, rig->log_dir, strlen(rig->log_dir)) == 0;
		free(entries[i]);
	}
	free(entries);
	return n_found;
}

/* How often its threads have gone to sleep. */
static long n_sleeps(const struct rig *rig)
{
	char path[320], line[256];
	struct dirent **entries;
	long sum = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", rig->pid);
	int n = scandir(path, &entries, NULL, NULL);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", rig->pid, entries[i]->d_name);
		FILE *file = entries[i]->d_name[0] == '.' ? NULL : fopen(path, "r");
		long count = 0;
		while (file && fgets(line, sizeof(line), file))
			sscanf(line, "voluntary_ctxt_switches: %ld", &count);
		sum += count;
		if (file)
			fclose(file);
		free(entries[i]);
	}
	free(entries);
	return sum;
}

/* Some time after the last byte its files are closed, and from then on it sleeps for good. */
static void test_idle_does_not_wake_up(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, "web", 1);

	rig_start(rig);
	rig_write(fd, "hello\n", 6);
	rig_flush(rig, "");
	assert_int_equal(n_open_files(rig), 2);
	uint64_t deadline_us = clock_monotonic_us() + RIG_WAIT_US;
	while (n_open_files(rig) > 0 && clock_monotonic_us() < deadline_us)
		poll(NULL, 0, 10);
	assert_int_equal(n_open_files(rig), 0);
	/* It may still be on its way to sleep: two looks, a second apart, must agree. */
	long before = -1, after = n_sleeps(rig);
	for (int i = 0; i < 5 && before != after; i++) {
		before = after;
		poll(NULL, 0, 1000);
		after = n_sleeps(rig);
	}
	assert_int_equal(before, after);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_says_hello, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_bytes_are_untouched, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_a_very_long_line, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_finds_fifos_by_itself, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_many_logs, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_end_drains_and_unlinks, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_end_of_what_was_not_opened, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_two_runs_of_one_log, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_events_have_no_index, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_forget_lets_go_of_the_directory, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_a_bad_directory, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_bad_messages, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_idle_does_not_wake_up, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
