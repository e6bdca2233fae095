/* Logs are bounded, cut at a line's end, and a rotation that was cut off is completed. */
#include "rig.h"

#define LIMIT 65536
#define CUT_MAX 65536

static void write_lines(int fd, unsigned long first, unsigned long n)
{
	char line[128];

	for (unsigned long i = first; i < first + n; i++) {
		int size = snprintf(line, sizeof(line), "line %lu %.*s\n", i, (int)(i % 50),
			"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
		rig_write(fd, line, (size_t)size);
	}
}

static size_t list(struct rig *rig, const char *name, const char *suffix, struct logname **ret_names)
{
	char path[256];
	size_t n;

	rig_log_path(rig, name, "", path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(logname_list(fd, "", suffix, ret_names, &n), 0);
	close(fd);
	return n;
}

static void test_cuts_at_newlines(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, "web", 1);
	struct logname *names;
	size_t size, n_rotated;
	char file[64];

	rig_start(rig);
	rig_open(rig, "web", 1, LIMIT, 1000);
	write_lines(fd, 0, 20000);
	rig_flush(rig, "web");

	char *all = rig_read_all(rig, "web", &size, &n_rotated);
	assert_true(n_rotated > 5);
	char *at = all;
	for (unsigned long i = 0; i < 20000; i++) {
		if (strncmp(at, "line ", 5) != 0 || strtoul(at + 5, NULL, 10) != i)
			fail_msg("line %lu: %.60s", i, at);
		at = strchr(at, '\n') + 1;
	}
	assert_int_equal(at - all, size);
	free(all);

	size_t n = list(rig, "web", ".log", &names);
	for (size_t i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s.log", names[i].first);
		char *data = rig_read(rig, "web", file, &size);
		assert_in_range(size, LIMIT, LIMIT + 200);
		assert_int_equal(data[size - 1], '\n');
		assert_int_equal(strncmp(data, "line ", 5), 0);
		free(data);
	}
	free(names);
	/* Each has its index beside it. */
	assert_int_equal(list(rig, "web", ".idx", &names), n);
	free(names);
	close(fd);
}

static void test_keeps_so_many(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, "web", 1);
	struct logname *names;
	size_t size, n_rotated;

	rig_start(rig);
	rig_open(rig, "web", 1, LIMIT, 3);
	write_lines(fd, 0, 20000);
	rig_flush(rig, "web");
	char *all = rig_read_all(rig, "web", &size, &n_rotated);
	assert_int_equal(n_rotated, 3);
	assert_int_equal(list(rig, "web", ".idx", &names), 3);
	free(names);
	/* The newest are kept, up to the last line. */
	assert_non_null(strstr(all, "line 19999 "));
	assert_null(strstr(all, "line 1 "));
	free(all);
	close(fd);
}

static void test_keeps_none(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, "web", 1);
	size_t size, n_rotated;

	rig_start(rig);
	rig_open(rig, "web", 1, LIMIT, 0);
	write_lines(fd, 0, 20000);
	rig_flush(rig, "web");
	free(rig_read_all(rig, "web", &size, &n_rotated));
	assert_int_equal(n_rotated, 0);
	assert_in_range(size, 1, LIMIT + 200);
	close(fd);
}

static void test_no_newline_is_cut_anyhow(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, "web", 1);
	size_t size, n_rotated, total = 1024 * 1024;
	char *data = malloc(total);

	for (size_t i = 0; i < total; i++)
		data[i] = (char)('a' + i % 25);
	rig_start(rig);
	rig_open(rig, "web", 1, LIMIT, 1000);
	rig_write(fd, data, total);
	rig_flush(rig, "web");
	char *all = rig_read_all(rig, "web", &size, &n_rotated);
	assert_int_equal(size, total);
	assert_memory_equal(all, data, total);
	assert_in_range(n_rotated, total / (LIMIT + CUT_MAX) - 1, total / LIMIT);
	free(all);
	free(data);
	close(fd);
}

/* A newline that comes some time after the file was full. */
static void test_waits_for_the_lines_end(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, "web", 1);
	char data[LIMIT];
	size_t size, n_rotated;

	memset(data, 'x', sizeof(data));
	rig_start(rig);
	rig_open(rig, "web", 1, LIMIT, 1000);
	rig_write(fd, data, sizeof(data));
	rig_flush(rig, "web");
	rig_write(fd, "the rest\nthe next", 17);
	rig_flush(rig, "web");
	char *current = rig_read(rig, "web", "current.log", &size);
	assert_string_equal(current, "the next");
	free(current);
	free(rig_read_all(rig, "web", &size, &n_rotated));
	assert_int_equal(n_rotated, 1);
	close(fd);
}

/* Bounded by its index too: a program that writes a byte now and then. */
static void test_small_batches(void **state)
{
	struct rig *rig = *state;
	struct logindex_header header;
	char path[256];
	struct stat st;
	size_t size, n_rotated;
	int fd = rig_fifo(rig, "web", 1);

	rig_log_path(rig, "web", "", path);
	assert_int_equal(mkdir(path, 0700), 0);
	rig_log_path(rig, "web", "current.log", path);
	int log = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	rig_log_path(rig, "web", "current.idx", path);
	int index = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fstat(log, &st), 0);
	logindex_header_init(&header, (uint64_t)st.st_ino, 1);
	rig_write(index, &header, sizeof(header));
	for (uint64_t i = 0; i < 4096 / sizeof(struct logindex_record); i++) {
		struct logindex_record record = {i, 1000000 + i, 1000 + i, 0};
		rig_write(index, &record, sizeof(record));
		rig_write(log, "\n", 1);
	}
	close(log);
	close(index);
	rig_start(rig);
	rig_open(rig, "web", 1, 4096, 1000);
	rig_write(fd, "new\n", 4);
	rig_flush(rig, "web");
	free(rig_read_all(rig, "web", &size, &n_rotated));
	assert_int_equal(n_rotated, 1);
	char *data = rig_read(rig, "web", "current.log", &size);
	assert_string_equal(data, "new\n");
	free(data);
	close(fd);
}

static void test_events_are_rotated(void **state)
{
	struct rig *rig = *state;
	int fd = rig_fifo(rig, LOG_EVENTS_NAME, 1);
	struct logname *names;
	size_t n;

	rig_start(rig);
	rig_open(rig, LOG_EVENTS_NAME, 1, LIMIT, 2);
	write_lines(fd, 0, 10000);
	rig_flush(rig, "");
	int directory_fd = open(rig->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(logname_list(directory_fd, "events-", ".jsonl", &names, &n), 0);
	assert_int_equal(n, 2);
	free(names);
	close(directory_fd);
	close(fd);
}

/* Killed between the two renames: the next logger renames the log as well. */
static void test_cut_off_rename_is_completed(void **state)
{
	struct rig *rig = *state;
	static const char first[] = "20200101T000000.000001Z";
	char from[256], to[256], file[64];
	size_t size;
	int fd = rig_fifo(rig, "web", 1);

	rig_start(rig);
	rig_write(fd, "old\n", 4);
	rig_flush(rig, "web");
	rig_kill(rig);
	rig_log_path(rig, "web", "current.idx", from);
	snprintf(file, sizeof(file), "%s.idx", first);
	rig_log_path(rig, "web", file, to);
	assert_int_equal(rename(from, to), 0);

	rig_start(rig);
	rig_write(fd, "new\n", 4);
	rig_flush(rig, "web");
	snprintf(file, sizeof(file), "%s.log", first);
	char *data = rig_read(rig, "web", file, &size);
	assert_non_null(data);
	assert_string_equal(data, "old\n");
	free(data);
	data = rig_read(rig, "web", "current.log", &size);
	assert_string_equal(data, "new\n");
	free(data);
	close(fd);
}

/* An index whose log somebody removed does not take the current one with it. */
static void test_lone_index_of_another_log(void **state)
{
	struct rig *rig = *state;
	struct logindex_header header;
	char path[256];
	size_t size;
	int fd = rig_fifo(rig, "web", 1);

	rig_start(rig);
	rig_write(fd, "old\n", 4);
	rig_flush(rig, "web");
	rig_kill(rig);
	rig_log_path(rig, "web", "current.idx", path);
	assert_int_equal(unlink(path), 0);
	rig_log_path(rig, "web", "20200101T000000.000001Z.idx", path);
	int lone = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	logindex_header_init(&header, 1, 1);
	rig_write(lone, &header, sizeof(header));
	close(lone);

	rig_start(rig);
	rig_write(fd, "new\n", 4);
	rig_flush(rig, "web");
	char *data = rig_read(rig, "web", "current.log", &size);
	assert_string_equal(data, "old\nnew\n");
	free(data);
	close(fd);
}

/* The clock went back: names still follow the order of the bytes. */
static void test_clock_that_went_back(void **state)
{
	struct rig *rig = *state;
	char path[256];
	struct logname *names;
	int fd = rig_fifo(rig, "web", 1);

	rig_log_path(rig, "web", "", path);
	assert_int_equal(mkdir(path, 0700), 0);
	rig_log_path(rig, "web", "90000101T000000.000000Z-9.log", path);
	int future = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(future);
	rig_start(rig);
	rig_open(rig, "web", 1, LIMIT, 10);
	write_lines(fd, 0, 4000);
	rig_flush(rig, "web");
	size_t n = list(rig, "web", ".log", &names);
	assert_in_range(n, 2, 10);
	assert_string_equal(names[0].first, "90000101T000000.000000Z-9");
	assert_string_equal(names[1].first, "90000101T000000.000000Z-10");
	free(names);
	close(fd);
}

/* Somebody moves the file away, as logrotate does: what comes goes to a new one within seconds. */
static void test_file_that_was_moved(void **state)
{
	struct rig *rig = *state;
	char from[256], to[256];
	size_t size;
	int fd = rig_fifo(rig, "web", 1);

	rig_start(rig);
	rig_write(fd, "old\n", 4);
	rig_flush(rig, "web");
	rig_log_path(rig, "web", "current.log", from);
	rig_log_path(rig, "web", "mine.log", to);
	assert_int_equal(rename(from, to), 0);
	uint64_t deadline_us = clock_monotonic_us() + RIG_WAIT_US;
	while (access(from, F_OK) < 0 && clock_monotonic_us() < deadline_us) {
		rig_write(fd, "new\n", 4);
		rig_flush(rig, "web");
	}
	char *data = rig_read(rig, "web", "current.log", &size);
	assert_non_null(data);
	assert_int_equal(strncmp(data, "new\n", 4), 0);
	free(data);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cuts_at_newlines, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_keeps_so_many, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_keeps_none, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_no_newline_is_cut_anyhow, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_the_lines_end, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_small_batches, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_events_are_rotated, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_cut_off_rename_is_completed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_lone_index_of_another_log, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_clock_that_went_back, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_file_that_was_moved, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
