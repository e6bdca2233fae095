/* The table: made, read by others, grown, and unmapped down to one row. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/table.h"

struct fixture {
	char dir[64], path[80];
	struct table table;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/hob-table-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/table", f->dir);
	*state = f;
	return table_create(&f->table, f->path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	table_close(&f->table);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void put_row(struct table *table, unsigned n, uint64_t token, enum row_state row_state)
{
	assert_int_equal(table_reserve(table, TABLE_ROWS, n + 1), 0);
	table->rows[n].token = token;
	atomic_store(&table->rows[n].state, row_state);
	if (atomic_load(&table->header->rows_used) <= n)
		atomic_store(&table->header->rows_used, n + 1);
}

static void test_reader_sees_what_is_written(void **state)
{
	struct fixture *f = *state;
	struct table reader;

	assert_int_equal(table_open(&reader, f->path), 0);
	assert_int_equal(reader.header->init_pid, getpid());
	assert_false(id128_is_null(reader.header->epoch));
	assert_null(table_find(&reader, 7));
	put_row(&f->table, 0, 5, ROW_RUNNING);
	put_row(&f->table, 1, 7, ROW_EXITED);
	put_row(&f->table, 2, 9, ROW_FREE);
	assert_ptr_equal(table_find(&reader, 7), &reader.rows[1]);
	assert_null(table_find(&reader, 9));
	assert_ptr_equal(table_row_at(&reader, 0, 5), &reader.rows[0]);
	assert_null(table_row_at(&reader, 0, 7));
	assert_null(table_row_at(&reader, 3, 0));
	table_close(&reader);
}

static void test_kept(void **state)
{
	struct fixture *f = *state;
	struct id128 id = {{1, 2, 3}}, other = {{1}};

	assert_int_equal(table_find_kept(&f->table, KEPT_READY, id), -ENOENT);
	assert_int_equal(table_reserve(&f->table, TABLE_KEPT, 1), 0);
	f->table.kept[0].fd = 42;
	f->table.kept[0].id = id;
	atomic_store(&f->table.kept[0].kind, KEPT_READY);
	atomic_store(&f->table.header->kept_used, 1);
	assert_int_equal(table_find_kept(&f->table, KEPT_READY, id), 42);
	assert_int_equal(table_find_kept(&f->table, KEPT_READY, other), -ENOENT);
	assert_int_equal(table_find_kept(&f->table, KEPT_FIFO, id), -ENOENT);
}

static void test_last_entries_have_room(void **state)
{
	struct fixture *f = *state;

	put_row(&f->table, TABLE_ROWS_MAX - 1, 1, ROW_RUNNING);
	assert_int_equal(table_reserve(&f->table, TABLE_ORPHAN_RING, TABLE_ORPHANS), 0);
	f->table.orphans[TABLE_ORPHANS - 1].pid = 3;
	assert_int_equal(table_reserve(&f->table, TABLE_KEPT, TABLE_KEPT_MAX), 0);
	f->table.kept[TABLE_KEPT_MAX - 1].fd = 3;
	assert_int_equal(table_reserve(&f->table, TABLE_ROWS, TABLE_ROWS_MAX + 1), -ENOSPC);
	/* The parts do not overlap. */
	assert_int_equal(f->table.rows[0].token, 0);
	assert_int_equal(f->table.rows[TABLE_ROWS_MAX - 1].token, 1);
}

static void test_new_table_leaves_the_old_one_mapped(void **state)
{
	struct fixture *f = *state;
	struct table next;

	put_row(&f->table, 0, 77, ROW_RUNNING);
	assert_int_equal(table_create(&next, f->path), 0);
	assert_false(id128_equal(next.header->epoch, f->table.header->epoch));
	assert_null(table_find(&next, 77));
	assert_non_null(table_find(&f->table, 77));
	table_close(&next);
}

static void test_refuses_what_is_no_table(void **state)
{
	struct fixture *f = *state;
	struct table reader;

	f->table.header->version++;
	assert_int_equal(table_open(&reader, f->path), -EBADMSG);
	f->table.header->version--;
	assert_int_equal(truncate(f->path, 4096), 0);
	assert_int_equal(table_open(&reader, f->path), -EBADMSG);
	unlink(f->path);
	assert_int_equal(table_open(&reader, f->path), -ENOENT);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	int holder = open(f->path, O_RDWR);
	assert_int_equal(table_open(&reader, f->path), -EBADMSG);
	close(holder);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink("/etc/passwd", f->path), 0);
	assert_int_equal(table_open(&reader, f->path), -ELOOP);
}

static bool is_mapped(const void *address)
{
	unsigned char vec;
	void *page = (void *)((uintptr_t)address & ~(uintptr_t)(getpagesize() - 1));

	return mincore(page, 1, &vec) == 0;
}

/* Rows have no page of their own: also one that lies across two must stay whole. */
static void test_keep_only(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < 30; n++) {
		put_row(&f->table, n, n + 1, ROW_STARTING);
		struct table_row *row = &f->table.rows[n];
		pid_t pid = fork();
		if (pid == 0) {
			struct table table = f->table;
			table_keep_only(&table, row);
			row->pid = 1;
			memset(row->unit_name, 'x', sizeof(row->unit_name));
			bool alone = !is_mapped(f->table.header) && !is_mapped(f->table.kept) &&
				     !is_mapped(&f->table.rows[n + 24]);
			_exit(alone && is_mapped(row) ? 0 : 1);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(row->unit_name[255], 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reader_sees_what_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_entries_have_room, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_new_table_leaves_the_old_one_mapped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_what_is_no_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_only, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
