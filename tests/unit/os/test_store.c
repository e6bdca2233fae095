/* The record file: what is saved is there, torn halves are not believed, foreign files are put
 * aside. */
#include "os/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct id128 boot = {{1, 2, 3}};

struct fixture {
	char directory[64], path[96], aside[112];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->directory, sizeof(f->directory), "/tmp/hob-store-XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/records", f->directory);
	snprintf(f->aside, sizeof(f->aside), "%s.bad", f->path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	unlink(f->aside);
	rmdir(f->directory);
	free(f);
	return 0;
}

static struct store *open_store(const struct fixture *f, bool expect_aside)
{
	struct store *store = NULL;
	bool aside = !expect_aside;

	assert_int_equal(store_open(f->path, boot, &store, &aside), 0);
	assert_int_equal(aside, expect_aside);
	return store;
}

static void assert_record(const struct store *store, int slot, const char *text)
{
	const void *record = NULL;

	assert_int_equal(store_load(store, slot, &record), (int)strlen(text));
	assert_memory_equal(record, text, strlen(text));
}

static void save(struct store *store, int slot, const char *text)
{
	store_save(store, slot, text, strlen(text));
}

static void test_last_save_is_found_after_reopening(void **state)
{
	struct store *store = open_store(*state, false);
	int a = store_slot_new(store), b;

	save(store, a, "one");
	save(store, a, "two");
	b = store_slot_new(store);
	save(store, b, "other");
	assert_int_not_equal(a, b);
	store_set_word(store, STORE_NEXT_TOKEN, 77);
	store_close(store);

	store = open_store(*state, false);
	assert_record(store, a, "two");
	assert_record(store, b, "other");
	assert_int_equal(store_word(store, STORE_NEXT_TOKEN), 77);
	store_close(store);
}

static void test_freed_slot_is_given_again(void **state)
{
	struct store *store = open_store(*state, false);
	int a = store_slot_new(store);
	const void *record;

	save(store, a, "x");
	save(store, a, "y");
	store_slot_free(store, a);
	assert_int_equal(store_load(store, a, &record), 0);
	assert_int_equal(store_slot_new(store), a);
	store_close(store);
}

static void test_many_slots_grow_the_file(void **state)
{
	struct store *store = open_store(*state, false);
	char text[32];

	for (int i = 0; i < 1000; i++) {
		int slot = store_slot_new(store);
		assert_int_equal(slot, i);
		snprintf(text, sizeof(text), "record %d", i);
		save(store, slot, text);
	}
	store_close(store);
	store = open_store(*state, false);
	assert_true(store_n_slots(store) >= 1000);
	assert_record(store, 999, "record 999");
	store_close(store);
}

/* Flips each byte of the newer half in the file: the older record must be found, or the newer one
 * whole. */
static void test_any_torn_byte_leaves_old_or_new(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, false);
	int slot = store_slot_new(store);

	save(store, slot, "old record");
	save(store, slot, "new record");
	int fd = open(f->path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 4096; at < 4096 + STORE_SLOT_SIZE; at++) {
		uint8_t byte, wrong;
		const void *record = NULL;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		wrong = byte ^ 0x55;
		assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
		int size = store_load(store, slot, &record);
		assert_int_equal(size, 10);
		assert_true(memcmp(record, "old record", 10) == 0 ||
			    memcmp(record, "new record", 10) == 0);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	store_close(store);
}

static void test_both_halves_torn_is_said(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, false);
	int slot = store_slot_new(store);
	const void *record;

	save(store, slot, "a");
	save(store, slot, "b");
	int fd = open(f->path, O_RDWR | O_CLOEXEC);
	char garbage = 'z';
	assert_int_equal(pwrite(fd, &garbage, 1, 4096 + 24), 1);
	assert_int_equal(pwrite(fd, &garbage, 1, 4096 + STORE_SLOT_SIZE / 2 + 24), 1);
	close(fd);
	assert_int_equal(store_load(store, slot, &record), -EBADMSG);
	store_slot_free(store, slot);
	assert_int_equal(store_load(store, slot, &record), 0);
	store_close(store);
}

static void test_foreign_files_are_put_aside(void **state)
{
	struct fixture *f = *state;
	static const char garbage[] = "this is no record file";
	int fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
	close(fd);
	store_close(open_store(f, true));
	assert_int_equal(access(f->aside, F_OK), 0);
}

static void test_another_boot_is_put_aside(void **state)
{
	struct fixture *f = *state;
	struct id128 other = {{9}};
	struct store *store = open_store(f, false);
	bool aside = false;

	save(store, store_slot_new(store), "x");
	store_close(store);
	assert_int_equal(store_open(f->path, other, &store, &aside), 0);
	assert_true(aside);
	assert_int_equal(store_n_slots(store), 0);
	store_close(store);
}

static void test_a_truncated_file_is_put_aside(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_store(f, false);

	save(store, store_slot_new(store), "x");
	store_close(store);
	assert_int_equal(truncate(f->path, 5000), 0);
	store_close(open_store(f, true));
}

static void test_a_symlink_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *store = NULL;
	bool aside;

	assert_int_equal(symlink("/etc/passwd", f->path), 0);
	assert_int_equal(store_open(f->path, boot, &store, &aside), -ELOOP);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_last_save_is_found_after_reopening),
		STORE_TEST(test_freed_slot_is_given_again),
		STORE_TEST(test_many_slots_grow_the_file),
		STORE_TEST(test_any_torn_byte_leaves_old_or_new),
		STORE_TEST(test_both_halves_torn_is_said),
		STORE_TEST(test_foreign_files_are_put_aside),
		STORE_TEST(test_another_boot_is_put_aside),
		STORE_TEST(test_a_truncated_file_is_put_aside),
		STORE_TEST(test_a_symlink_is_refused),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
