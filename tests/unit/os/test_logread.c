/* A log read line by line: over rotations, from the end, from a time, while it grows. */
#include "logfixture.h"

#include <poll.h>
#include <sys/inotify.h>

#include "os/logread.h"

#define FIRST_OLD "20200101T000000.000001Z"
#define FIRST_NEW "20200101T000000.000002Z"

static struct logread *open_reader(struct fixture *fixture)
{
	struct logread *reader;

	assert_int_equal(logread_open(LOGSET_OUTPUT, fixture->directory, &reader), 0);
	return reader;
}

static struct logline expect(struct logread *reader, const char *text)
{
	struct logline line;

	assert_int_equal(logread_next(reader, true, &line), 1);
	if (line.size != strlen(text) || memcmp(line.data, text, line.size) != 0)
		fail_msg("\"%.*s\" where \"%s\" should be", (int)line.size, line.data, text);
	return line;
}

static void expect_end(struct logread *reader)
{
	struct logline line;

	assert_int_equal(logread_next(reader, true, &line), 0);
}

/* Two rotated files and a current one, three lines each, a second between the records. */
static void make_three(struct fixture *fixture)
{
	static const char *const names[] = {FIRST_OLD, FIRST_NEW, "current"};
	char file[64], line[32];

	for (int f = 0; f < 3; f++)
		for (int l = 0; l < 3; l++) {
			snprintf(file, sizeof(file), "%s.idx", names[f]);
			fixture_record(fixture, file, (uint64_t)l * 4,
				UINT64_C(1577836800000000) + (uint64_t)(f * 3 + l) * 1000000, 0);
			snprintf(file, sizeof(file), "%s.log", names[f]);
			snprintf(line, sizeof(line), "f%d%d\n", f, l);
			fixture_append(fixture, file, line, 4);
		}
}

static void test_in_order(void **state)
{
	make_three(*state);
	struct logread *reader = open_reader(*state);
	assert_true(logread_exists(reader));
	static const char *const lines[] = {"f00", "f01", "f02", "f10", "f11", "f12", "f20", "f21", "f22"};
	for (int i = 0; i < 9; i++) {
		struct logline line = expect(reader, lines[i]);
		assert_int_equal(line.wall_us, UINT64_C(1577836800000000) + (uint64_t)i * 1000000);
		assert_int_equal(line.monotonic_us, line.wall_us / 2);
		assert_true(line.has_newline);
	}
	expect_end(reader);
	logread_close(reader);
}

static void test_the_last_lines(void **state)
{
	static const char *const lines[] = {"f00", "f01", "f02", "f10", "f11", "f12", "f20", "f21", "f22"};

	make_three(*state);
	struct logread *reader = open_reader(*state);
	for (uint64_t n = 0; n < 12; n++) {
		assert_int_equal(logread_seek_last(reader, n), 0);
		for (uint64_t i = n < 9 ? 9 - n : 0; i < 9; i++)
			expect(reader, lines[i]);
		expect_end(reader);
	}
	logread_close(reader);
}

static void test_from_a_time(void **state)
{
	static const char *const lines[] = {"f00", "f01", "f02", "f10", "f11", "f12", "f20", "f21", "f22"};

	make_three(*state);
	struct logread *reader = open_reader(*state);
	for (uint64_t i = 0; i < 9; i++) {
		/* The names say the start of 2020 for both rotated files; only the index can tell them apart. */
		struct logline line;
		uint64_t wall_us = UINT64_C(1577836800000000) + i * 1000000;
		assert_int_equal(logread_seek_time(reader, wall_us), 0);
		do
			assert_int_equal(logread_next(reader, true, &line), 1);
		while (line.wall_us < wall_us);
		assert_memory_equal(line.data, lines[i], 3);
	}
	assert_int_equal(logread_seek_time(reader, UINT64_C(1677836800000000)), 0);
	expect_end(reader);
	logread_close(reader);
}

/* A batch that begins within a line: the line is of the batch before. */
static void test_batches_within_lines(void **state)
{
	fixture_text(*state, "current.log", "one\ntwo\nthree\n");
	fixture_record(*state, "current.idx", 0, 100, 0);
	fixture_record(*state, "current.idx", 6, 200, 0);
	struct logread *reader = open_reader(*state);
	assert_int_equal(expect(reader, "one").wall_us, 100);
	assert_int_equal(expect(reader, "two").wall_us, 100);
	assert_int_equal(expect(reader, "three").wall_us, 200);
	assert_int_equal(logread_seek_time(reader, 150), 0);
	expect(reader, "three");
	logread_close(reader);
}

static void test_nothing_there(void **state)
{
	struct logread *reader = open_reader(*state);
	struct buf text = {0};

	assert_false(logread_exists(reader));
	expect_end(reader);
	assert_int_equal(logread_seek_last(reader, 5), 0);
	assert_int_equal(logread_seek_time(reader, 5), 0);
	expect_end(reader);
	assert_int_equal(logread_tail_run("/nowhere/at/all", 0, 5, 100, &text), -ENOENT);
	fixture_text(*state, "current.log", "it comes\n");
	expect(reader, "it comes");
	logread_close(reader);
	buf_done(&text);
}

static void test_without_an_index(void **state)
{
	static const char garbage[200] = "this is no index";

	fixture_text(*state, "current.log", "one\ntwo\n");
	struct logread *reader = open_reader(*state);
	assert_int_equal(expect(reader, "one").wall_us, 0);
	assert_int_equal(logread_seek_time(reader, 12345), 0);
	expect(reader, "one");
	logread_close(reader);
	fixture_append(*state, "current.idx", garbage, sizeof(garbage));
	reader = open_reader(*state);
	expect(reader, "one");
	expect(reader, "two");
	logread_close(reader);
}

/* Records that are in no order, or point behind the end: lines come all the same. */
static void test_senseless_index(void **state)
{
	uint64_t random = 7;

	for (int i = 0; i < 300; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		fixture_record(*state, "current.idx", i % 3 ? random % 2000 : random, random, random % 16);
	}
	for (int i = 0; i < 100; i++)
		fixture_text(*state, "current.log", "a line\n");
	struct logread *reader = open_reader(*state);
	struct logline line;
	size_t n = 0;
	int r;
	while ((r = logread_next(reader, true, &line)) > 0)
		n += line.size + line.has_newline;
	assert_int_equal(r, 0);
	assert_int_equal(n, 700);
	for (uint64_t time = 1; time > 0; time = time << 1)
		assert_int_equal(logread_seek_time(reader, time), 0);
	logread_close(reader);
}

static void test_no_newline_at_the_end(void **state)
{
	fixture_text(*state, "current.log", "one\ntw");
	struct logread *reader = open_reader(*state);
	struct logline line;

	expect(reader, "one");
	assert_int_equal(logread_next(reader, false, &line), 0);
	fixture_text(*state, "current.log", "o");
	assert_int_equal(logread_next(reader, false, &line), 0);
	line = expect(reader, "two");
	assert_false(line.has_newline);
	assert_false(line.is_continued);
	fixture_text(*state, "current.log", " more\nthree\n");
	line = expect(reader, " more");
	assert_true(line.has_newline);
	assert_true(line.is_continued);
	line = expect(reader, "three");
	assert_false(line.is_continued);
	logread_close(reader);
}

/* What a run left unfinished ends where the next begins. */
static void test_runs_end_lines(void **state)
{
	fixture_text(*state, "current.log", "died in the midd");
	fixture_record(*state, "current.idx", 0, 100, LOGINDEX_RUN);
	fixture_text(*state, "current.log", "hello\n");
	fixture_record(*state, "current.idx", 16, 200, LOGINDEX_RUN);
	struct logread *reader = open_reader(*state);
	struct logline line = expect(reader, "died in the midd");
	assert_false(line.has_newline);
	assert_int_equal(line.wall_us, 100);
	line = expect(reader, "hello");
	assert_false(line.is_continued);
	assert_int_equal(line.wall_us, 200);
	expect_end(reader);

	struct buf text = {0};
	struct fixture *fixture = *state;
	assert_int_equal(logread_tail_run(fixture->directory, 0, 10, 1000, &text), 0);
	assert_string_equal(text.data, "died in the midd\nhello\n");
	buf_clear(&text);
	assert_int_equal(logread_tail_run(fixture->directory, 200, 10, 1000, &text), 0);
	assert_string_equal(text.data, "hello\n");
	buf_done(&text);
	logread_close(reader);
}

static void test_very_long_lines(void **state)
{
	size_t size = 5 * LOGREAD_LINE_MAX + 123, got = 0;
	char *data = malloc(size + 1);
	struct logline line;

	memset(data, 'x', size);
	data[size] = '\n';
	fixture_text(*state, "current.log", "before\n");
	fixture_append(*state, "current.log", data, size + 1);
	fixture_text(*state, "current.log", "after\n");
	struct logread *reader = open_reader(*state);
	expect(reader, "before");
	do {
		assert_int_equal(logread_next(reader, false, &line), 1);
		assert_int_equal(line.is_continued, got > 0);
		assert_true(line.size <= LOGREAD_LINE_MAX);
		got += line.size;
	} while (!line.has_newline);
	assert_int_equal(got, size);
	assert_false(expect(reader, "after").is_continued);
	assert_int_equal(logread_seek_last(reader, 1), 0);
	expect(reader, "after");
	logread_close(reader);
	free(data);
}

/* A line that was cut in two by a rotation. */
static void test_a_line_over_two_files(void **state)
{
	fixture_text(*state, FIRST_OLD ".log", "one\nbegun");
	fixture_text(*state, "current.log", " and ended\ntwo\n");
	struct logread *reader = open_reader(*state);
	expect(reader, "one");
	expect(reader, "begun and ended");
	expect(reader, "two");
	assert_int_equal(logread_seek_last(reader, 2), 0);
	expect(reader, "begun and ended");
	logread_close(reader);
}

/* Rotated once, and then several times at once, under a reader that follows. */
static void test_follows_over_rotation(void **state)
{
	fixture_text(*state, "current.log", "one\n");
	struct logread *reader = open_reader(*state);
	expect(reader, "one");
	expect_end(reader);
	fixture_text(*state, "current.log", "two\n");
	fixture_rename(*state, "current.log", FIRST_OLD ".log");
	expect(reader, "two");
	expect_end(reader);
	fixture_text(*state, "current.log", "three\n");
	expect(reader, "three");
	fixture_text(*state, "current.log", "four\n");
	fixture_rename(*state, "current.log", FIRST_NEW ".log");
	fixture_text(*state, "20210101T000000.000000Z.log", "five\n");
	fixture_text(*state, "20210101T000000.000000Z-1.log", "six\n");
	fixture_text(*state, "current.log", "seven\n");
	expect(reader, "four");
	expect(reader, "five");
	expect(reader, "six");
	expect(reader, "seven");
	expect_end(reader);
	logread_close(reader);
}

/* Removed instead of rotated (keep 0), and cut by somebody. */
static void test_files_that_vanish(void **state)
{
	char path[256];

	fixture_path(*state, "current.log", path);
	fixture_text(*state, "current.log", "one\n");
	struct logread *reader = open_reader(*state);
	expect(reader, "one");
	assert_int_equal(unlink(path), 0);
	expect_end(reader);
	fixture_text(*state, "current.log", "two\n");
	expect(reader, "two");
	expect_end(reader);
	assert_int_equal(truncate(path, 0), 0);
	expect_end(reader);
	fixture_text(*state, "current.log", "three\n");
	expect(reader, "three");
	logread_close(reader);
}

static void test_inotify_tells(void **state)
{
	struct fixture *fixture = *state;
	struct fixture below;
	struct logread *reader;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	char events[4096];

	snprintf(below.directory, sizeof(below.directory), "%.40s/web", fixture->directory);
	assert_int_equal(logread_open(LOGSET_OUTPUT, below.directory, &reader), 0);
	assert_int_equal(logread_watch(reader, fd), 0);
	assert_int_equal(mkdir(below.directory, 0700), 0);
	assert_int_equal(poll(&pollfd, 1, 20000), 1);
	while (read(fd, events, sizeof(events)) > 0)
		;
	assert_int_equal(logread_watch(reader, fd), 1);
	fixture_text(&below, "current.log", "hello\n");
	assert_int_equal(poll(&pollfd, 1, 20000), 1);
	expect(reader, "hello");
	logread_close(reader);
	close(fd);
}

static void test_tail_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct buf text = {0};
	char line[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %03d\n", i);
		fixture_text(fixture, "current.log", line);
	}
	assert_int_equal(logread_tail_run(fixture->directory, 0, 3, 1000, &text), 0);
	assert_string_equal(text.data, "line 997\nline 998\nline 999\n");
	buf_clear(&text);
	assert_int_equal(logread_tail_run(fixture->directory, 0, 500, 20, &text), 0);
	assert_int_equal(text.size, 20);
	assert_string_equal(text.data, "7\nline 998\nline 999\n");
	buf_done(&text);
}

static void test_events(void **state)
{
	struct fixture *fixture = *state;
	struct logread *reader;

	fixture_text(fixture, "events-" FIRST_OLD ".jsonl", "{\"seq\":1}\n");
	fixture_text(fixture, "events.jsonl", "{\"seq\":2}\n");
	assert_int_equal(logread_open(LOGSET_EVENTS, fixture->directory, &reader), 0);
	expect(reader, "{\"seq\":1}");
	expect(reader, "{\"seq\":2}");
	expect_end(reader);
	logread_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order),
		TEST(test_the_last_lines),
		TEST(test_from_a_time),
		TEST(test_batches_within_lines),
		TEST(test_nothing_there),
		TEST(test_without_an_index),
		TEST(test_senseless_index),
		TEST(test_no_newline_at_the_end),
		TEST(test_runs_end_lines),
		TEST(test_very_long_lines),
		TEST(test_a_line_over_two_files),
		TEST(test_follows_over_rotation),
		TEST(test_files_that_vanish),
		TEST(test_inotify_tells),
		TEST(test_tail_is_bounded),
		TEST(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
