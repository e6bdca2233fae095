/*
 * Rows. The room of a row is allocated in the file before it is written, and a few rows and bytes
 * are held back: when the table or its file system is full, the failure itself still gets a row.
 */
#include "init/init.h"

#include <assert.h>
#include <string.h>
#include <sys/wait.h>

#include "os/clock.h"

#define ROWS_SPARE 32 /* for failures, when all others are taken */

static unsigned number_of(const struct init *init, const struct table_row *row)
{
	return (unsigned)(row - init->table.rows);
}

static bool has_room(struct init *init, unsigned number, bool spare)
{
	if (!spare && number + ROWS_SPARE >= TABLE_ROWS_MAX)
		return false;
	return table_reserve(&init->table, TABLE_ROWS, number + 1 + (spare ? 0 : ROWS_SPARE)) == 0;
}

struct table_row *row_new(struct init *init, const struct channel_message *message, bool spare)
{
	int taken = slots_take(&init->rows);
	if (taken < 0)
		return NULL;
	unsigned number = (unsigned)taken;
	if (!has_room(init, number, spare)) {
		slots_release(&init->rows, number);
		return NULL;
	}
	struct table_row *row = &init->table.rows[number];
	row->pid = 0;
	row->token = message->token;
	row->run_id = message->id;
	row->identity = (struct process_identity){0};
	atomic_store_explicit(&row->step, 0, memory_order_relaxed);
	row->step_errno = row->wait_status = 0;
	row->watched = 0;
	row->cpu_us = row->memory_max_bytes = row->ended_us = 0;
	row->started_us = clock_monotonic_us();
	memcpy(row->unit_name, message->unit_name, sizeof(row->unit_name));
	index_add(&init->rows_by_token, row->token, number);
	if (number >= atomic_load(&init->table.header->rows_used))
		atomic_store(&init->table.header->rows_used, number + 1);
	return row;
}

void row_set_pid(struct init *init, struct table_row *row, pid_t pid)
{
	row->pid = (int32_t)pid;
	index_add(&init->rows_by_pid, (uint64_t)pid, number_of(init, row));
}

void row_set_exited(struct init *init, struct table_row *row, int wait_status)
{
	/* Reaped, or about to be: the number may be another's at once. */
	if (row->pid > 0)
		index_remove(&init->rows_by_pid, (uint64_t)row->pid, number_of(init, row));
	row->wait_status = wait_status;
	row->ended_us = clock_monotonic_us();
	atomic_store_explicit(&row->state, ROW_EXITED, memory_order_release);
}

struct table_row *row_by_token(struct init *init, uint64_t token)
{
	for (int n = index_first(&init->rows_by_token, token); n >= 0;
		n = index_next(&init->rows_by_token, n))
		if (init->table.rows[n].token == token)
			return &init->table.rows[n];
	return NULL;
}

struct table_row *row_by_pid(struct init *init, pid_t pid)
{
	for (int n = index_first(&init->rows_by_pid, (uint64_t)pid); n >= 0;
		n = index_next(&init->rows_by_pid, n))
		if (init->table.rows[n].pid == (int32_t)pid)
			return &init->table.rows[n];
	return NULL;
}

void row_acknowledge(struct init *init, uint64_t token)
{
	struct table_row *row = row_by_token(init, token);

	if (!row || atomic_load(&row->state) != ROW_EXITED)
		return;
	index_remove(&init->rows_by_token, token, number_of(init, row));
	atomic_store_explicit(&row->state, ROW_FREE, memory_order_release);
	slots_release(&init->rows, number_of(init, row));
}
