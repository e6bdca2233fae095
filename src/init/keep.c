/*
 * Descriptors that outlive the supervisor and the logger. Each is CLOEXEC here, always: only in the
 * child that is to have it the flag is cleared, so that no service ever inherits one.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define KINDS_OF_SUPERVISOR ((1u << KEPT_FIFO) | (1u << KEPT_READY))

/* Run ids are random: eight bytes of them are key enough. Kinds without id share one chain. */
static uint64_t key_of(uint32_t kind, struct id128 id)
{
	uint64_t key;

	memcpy(&key, id.bytes, sizeof(key));
	return key + kind;
}

static struct table_kept *find(struct init *init, uint32_t kind, struct id128 id)
{
	for (int n = index_first(&init->kept_by_id, key_of(kind, id)); n >= 0;
		n = index_next(&init->kept_by_id, n)) {
		struct table_kept *kept = &init->table.kept[n];
		if (atomic_load(&kept->kind) == kind && id128_equal(kept->id, id))
			return kept;
	}
	return NULL;
}

/* The low numbers are for what children need (fork.c). Where there is no other number, this one
 * does. */
static int move_up(int fd)
{
	int moved = fd < FORK_SHARED_FROM ? fcntl(fd, F_DUPFD_CLOEXEC, FORK_SHARED_FROM) : -1;

	if (moved < 0)
		return fd;
	close(fd);
	return moved;
}

int keep(struct init *init, enum kept_kind kind, struct id128 id, int fd)
{
	keep_drop(init, kind, id);
	if (keep_is_allowed(kind))
		fd = move_up(fd);
	int taken = slots_take(&init->kept);
	if (taken < 0 || table_reserve(&init->table, TABLE_KEPT, (unsigned)taken + 1) < 0) {
		if (taken >= 0)
			slots_release(&init->kept, (unsigned)taken);
		close(fd);
		return -ENOSPC;
	}
	unsigned number = (unsigned)taken;
	struct table_kept *kept = &init->table.kept[number];
	kept->fd = fd;
	kept->id = id;
	atomic_store_explicit(&kept->kind, (uint32_t)kind, memory_order_release);
	index_add(&init->kept_by_id, key_of(kind, id), number);
	if (number >= atomic_load(&init->table.header->kept_used))
		atomic_store(&init->table.header->kept_used, number + 1);
	return 0;
}

void keep_drop(struct init *init, enum kept_kind kind, struct id128 id)
{
	struct table_kept *kept = find(init, kind, id);

	if (!kept)
		return;
	unsigned number = (unsigned)(kept - init->table.kept);
	index_remove(&init->kept_by_id, key_of(kind, id), number);
	atomic_store_explicit(&kept->kind, KEPT_NONE, memory_order_release);
	close(kept->fd);
	slots_release(&init->kept, number);
}

bool keep_is_allowed(uint32_t kind)
{
	return kind < N_KEPT_KINDS && (KINDS_OF_SUPERVISOR & (1u << kind));
}

void keep_inherit(const struct init *init, uint32_t kinds)
{
	unsigned n = atomic_load(&init->table.header->kept_used);

	for (unsigned i = 0; i < n; i++) {
		const struct table_kept *kept = &init->table.kept[i];
		uint32_t kind = atomic_load(&kept->kind);
		if (kind != KEPT_NONE && (kinds & (1u << kind)))
			fcntl(kept->fd, F_SETFD, 0);
	}
}
