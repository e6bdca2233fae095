/* Every state in which a killed logger can leave the ledger and the stage, and how it is settled. */
#include "rig.h"

#include <sys/mman.h>

#include "logger/ledger.h"

static struct ledger *open_ledger(struct rig *rig)
{
	char path[128];
	struct ledger *ledger;

	snprintf(path, sizeof(path), "%s/stage", rig->runtime_dir);
	assert_int_equal(ledger_open(path, &ledger), 0);
	return ledger;
}

static void add(struct ledger *ledger, const char *name, uint64_t size)
{
	assert_true(ledger_begin(ledger, name));
	if (size != LEDGER_OPEN)
		ledger_end(ledger, size);
}

static void test_outlives_its_process(void **state)
{
	struct ledger *ledger = open_ledger(*state);

	add(ledger, "web", 100);
	ledger_close(ledger);
	ledger = open_ledger(*state);
	assert_int_equal(ledger->n, 1);
	assert_string_equal(ledger->entries[0].log_name, "web");
	assert_int_equal(ledger->entries[0].size, 100);
	ledger_close(ledger);
}

static void test_nothing_put_in_is_no_entry(void **state)
{
	struct ledger *ledger = open_ledger(*state);

	add(ledger, "web", 0);
	assert_int_equal(ledger->n, 0);
	ledger_close(ledger);
}

static void test_killed_while_filling(void **state)
{
	struct ledger *ledger = open_ledger(*state);
	uint64_t consumed;

	add(ledger, "a", 10);
	add(ledger, "b", 20);
	add(ledger, "c", LEDGER_OPEN);
	ledger_settle(ledger, 35, &consumed);
	assert_int_equal(ledger->n, 3);
	assert_int_equal(ledger->entries[2].size, 5);
	assert_int_equal(consumed, 0);
	ledger_close(ledger);
}

static void test_killed_before_the_first_byte(void **state)
{
	struct ledger *ledger = open_ledger(*state);
	uint64_t consumed;

	add(ledger, "a", 10);
	add(ledger, "b", LEDGER_OPEN);
	ledger_settle(ledger, 10, &consumed);
	assert_int_equal(ledger->n, 1);
	assert_int_equal(consumed, 0);
	ledger_close(ledger);
}

static void test_killed_while_emptying(void **state)
{
	struct ledger *ledger = open_ledger(*state);
	uint64_t consumed;

	add(ledger, "a", 10);
	add(ledger, "b", 20);
	ledger_settle(ledger, 13, &consumed);
	assert_int_equal(consumed, 17);
	ledger_settle(ledger, 0, &consumed);
	assert_int_equal(consumed, 30);
	ledger_close(ledger);
}

static void test_bytes_of_nobody(void **state)
{
	struct ledger *ledger = open_ledger(*state);
	uint64_t consumed;

	ledger_settle(ledger, 7, &consumed);
	assert_int_equal(ledger->n, 1);
	assert_string_equal(ledger->entries[0].log_name, LEDGER_UNKNOWN);
	assert_int_equal(ledger->entries[0].size, 7);
	ledger_reset(ledger);
	add(ledger, "a", 10);
	ledger_settle(ledger, 11, &consumed);
	assert_string_equal(ledger->entries[0].log_name, LEDGER_UNKNOWN);
	ledger_close(ledger);
}

static void test_is_bounded(void **state)
{
	struct ledger *ledger = open_ledger(*state);

	for (int i = 0; i < LEDGER_ENTRIES_MAX; i++)
		add(ledger, "web", 1);
	assert_false(ledger_begin(ledger, "web"));
	ledger_close(ledger);
}

static void test_garbage_is_made_anew(void **state)
{
	struct ledger *ledger = open_ledger(*state);

	add(ledger, "../../etc/passwd", 5);
	ledger_close(ledger);
	ledger = open_ledger(*state);
	assert_int_equal(ledger->n, 0);
	memset(ledger, 0x55, 4096);
	ledger_close(ledger);
	ledger = open_ledger(*state);
	assert_int_equal(ledger->n, 0);
	assert_true(ledger_begin(ledger, "web"));
	ledger_close(ledger);
}

/* A stage without a ledger: what is in it is kept, under the name of nobody. */
static void test_stage_without_ledger(void **state)
{
	struct rig *rig = *state;
	size_t size;

	rig_write(rig->stage[1], "whose is this\n", 14);
	rig_start(rig);
	rig_flush(rig, "");
	char *data = rig_read(rig, LEDGER_UNKNOWN, "current.log", &size);
	assert_non_null(data);
	assert_string_equal(data, "whose is this\n");
	free(data);
}

/* What a killed logger has left: half of the second log's bytes were taken out. */
static void test_stage_with_ledger(void **state)
{
	struct rig *rig = *state;
	struct ledger *ledger = open_ledger(rig);
	size_t size;

	add(ledger, "a", 4);
	add(ledger, "b", 8);
	add(ledger, "c", 4);
	ledger_close(ledger);
	rig_write(rig->stage[1], "bbb\nccc\n", 8);
	rig_start(rig);
	rig_flush(rig, "");
	char *data = rig_read(rig, "b", "current.log", &size);
	assert_string_equal(data, "bbb\n");
	free(data);
	data = rig_read(rig, "c", "current.log", &size);
	assert_string_equal(data, "ccc\n");
	free(data);
	assert_null(rig_read(rig, "a", "current.log", &size));
}

/* A copy that was written and not taken out is written again to the same place. */
static void test_copy_is_not_doubled(void **state)
{
	struct rig *rig = *state;
	struct ledger *ledger = open_ledger(rig);
	char path[256];
	size_t size;

	rig_log_path(rig, "a", "", path);
	assert_int_equal(mkdir(path, 0700), 0);
	rig_log_path(rig, "a", "current.log", path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	rig_write(fd, "first\nsecond\n", 13);
	close(fd);
	add(ledger, "a", 7);
	ledger->copy_entry = 0;
	ledger->copy_consumed = 0;
	ledger->copy_offset = 6;
	ledger->copying = 1;
	ledger_close(ledger);
	rig_write(rig->stage[1], "second\n", 7);
	rig->copy_only = true;
	rig_start(rig);
	rig_flush(rig, "");
	char *data = rig_read(rig, "a", "current.log", &size);
	assert_string_equal(data, "first\nsecond\n");
	free(data);
}

/* The same, and the successor is killed as well after it has copied a part of it. */
static void test_copy_that_was_begun_twice(void **state)
{
	struct rig *rig = *state;
	struct ledger *ledger = open_ledger(rig);
	char path[256];
	size_t size;

	rig_log_path(rig, "a", "", path);
	assert_int_equal(mkdir(path, 0700), 0);
	rig_log_path(rig, "a", "current.log", path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	rig_write(fd, "first\nsecond\nthird\n", 19);
	close(fd);
	add(ledger, "a", 13);
	ledger->copy_entry = 0;
	ledger->copy_consumed = 0;
	ledger->copy_offset = 6;
	ledger->copying = 1;
	ledger_close(ledger);
	/* "second" was taken out, "third" was not: what the file has of it is not counted twice. */
	rig_write(rig->stage[1], "third\n", 6);
	rig->copy_only = true;
	rig_start(rig);
	rig_flush(rig, "");
	char *data = rig_read(rig, "a", "current.log", &size);
	assert_string_equal(data, "first\nsecond\nthird\n");
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_outlives_its_process, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_put_in_is_no_entry, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_killed_while_filling, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_killed_before_the_first_byte, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_killed_while_emptying, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_bytes_of_nobody, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_is_bounded, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_garbage_is_made_anew, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_stage_without_ledger, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_stage_with_ledger, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_copy_is_not_doubled, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_copy_that_was_begun_twice, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
