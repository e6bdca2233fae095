/*
 * The table's file. It is sparse: its size is that of the largest table, its room is allocated as
 * the parts fill. A reader maps the whole of it once and never has to map again.
 *
 * The file is made under another name and renamed when its header is whole, so that whoever opens
 * `path` finds a table or none, and one that an earlier init left behind stays as it was for those
 * who still have it mapped.
 */
#include "os/table.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"

#define PAGE 4096u /* what the file's parts are aligned to, whatever the machine's page is */
#define RESERVE_STEP (16u * 1024) /* bytes of a part allocated at a time */
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

static const struct {
	size_t entry_size;
	unsigned n_max;
} parts[N_TABLE_PARTS] = {
	[TABLE_KEPT] = {sizeof(struct table_kept), TABLE_KEPT_MAX},
	[TABLE_ORPHAN_RING] = {sizeof(struct table_orphan), TABLE_ORPHANS},
	[TABLE_ROWS] = {sizeof(struct table_row), TABLE_ROWS_MAX},
};

static_assert(sizeof(struct table_header) <= PAGE, "the header is one page");

static size_t round_up(size_t size, size_t to)
{
	return (size + to - 1) / to * to;
}

static size_t part_size(enum table_part part)
{
	return round_up(parts[part].entry_size * parts[part].n_max, PAGE);
}

static size_t part_offset(enum table_part part)
{
	size_t offset = PAGE;

	for (enum table_part before = 0; before < part; before++)
		offset += part_size(before);
	return offset;
}

static void set_map(struct table *table, void *map, size_t size)
{
	char *start = map;

	table->header = map;
	table->kept = (struct table_kept *)(start + part_offset(TABLE_KEPT));
	table->orphans = (struct table_orphan *)(start + part_offset(TABLE_ORPHAN_RING));
	table->rows = (struct table_row *)(start + part_offset(TABLE_ROWS));
	table->map_size = size;
}

/* Where /proc cannot tell, the boot id stays null: then nothing of an earlier boot is recognised.
 */
static struct id128 read_boot_id(void)
{
	struct id128 id = {0};
	char text[64];

	int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return id;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return id;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	(void)id128_parse(text, &id);
	return id;
}

static int fill_header(struct table_header *header)
{
	struct id128 epoch;

	ssize_t n = getrandom(epoch.bytes, sizeof(epoch.bytes), 0);
	if (n != sizeof(epoch.bytes))
		return n < 0 ? -errno : -EIO;
	header->version = TABLE_VERSION;
	header->row_size = sizeof(struct table_row);
	header->epoch = epoch;
	header->boot_id = read_boot_id();
	header->init_pid = (int32_t)getpid();
	header->started_us = clock_monotonic_us();
	header->magic = TABLE_MAGIC;
	return 0;
}

/* Makes, maps and fills the file open at fd. */
static int create_at(int fd, struct table *table)
{
	size_t size = part_offset(N_TABLE_PARTS);

	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	int r = posix_fallocate(fd, 0, PAGE);
	if (r > 0)
		return -r;
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	set_map(table, map, size);
	r = fill_header(table->header);
	if (r < 0)
		munmap(map, size);
	return r;
}

int table_create(struct table *ret_table, const char *path)
{
	struct table table = {.fd = -1};
	char new_path[PATH_MAX];

	if (snprintf(new_path, sizeof(new_path), "%s.new", path) >= (int)sizeof(new_path))
		return -ENAMETOOLONG;
	if (unlink(new_path) < 0 && errno != ENOENT)
		return -errno;
	int fd = open(new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int r = create_at(fd, &table);
	if (r == 0 && rename(new_path, path) < 0) {
		r = -errno;
		munmap(table.header, table.map_size);
	}
	if (r < 0) {
		unlink(new_path);
		close(fd);
		return r;
	}
	table.fd = fd;
	*ret_table = table;
	return 0;
}

static int check(const struct table_header *header)
{
	if (header->magic != TABLE_MAGIC || header->version != TABLE_VERSION ||
		header->row_size != sizeof(struct table_row))
		return -EBADMSG;
	return 0;
}

int table_open(struct table *ret_table, const char *path)
{
	size_t size = part_offset(N_TABLE_PARTS);
	struct table table = {.fd = -1};
	void *map = MAP_FAILED;
	struct stat st;
	int r = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size != (off_t)size)
		r = -EBADMSG;
	else if ((map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0)) == MAP_FAILED)
		r = -errno;
	close(fd);
	if (r < 0)
		return r;
	r = check(map);
	if (r < 0) {
		munmap(map, size);
		return r;
	}
	set_map(&table, map, size);
	*ret_table = table;
	return 0;
}

void table_close(struct table *table)
{
	if (table->header)
		munmap(table->header, table->map_size);
	if (table->fd >= 0)
		close(table->fd);
	*table = (struct table){.fd = -1};
}

int table_reserve(struct table *table, enum table_part part, unsigned n)
{
	size_t wanted = parts[part].entry_size * n, have = table->size_reserved[part];

	assert(table->fd >= 0);
	if (n > parts[part].n_max)
		return -ENOSPC;
	if (wanted <= have)
		return 0;
	size_t size = round_up(wanted, RESERVE_STEP);
	if (size > part_size(part))
		size = part_size(part);
	int r = posix_fallocate(table->fd, (off_t)(part_offset(part) + have), (off_t)(size - have));
	if (r > 0)
		return -r;
	table->size_reserved[part] = size;
	return 0;
}

void table_keep_only(struct table *table, const struct table_row *row)
{
	uintptr_t start = (uintptr_t)table->header, end = start + table->map_size;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t keep = (uintptr_t)row / page * page;
	uintptr_t keep_end = round_up((uintptr_t)(row + 1), page);

	if (keep > start)
		munmap(table->header, keep - start);
	if (end > keep_end)
		munmap((char *)table->header + (keep_end - start), end - keep_end);
	*table = (struct table){.fd = -1};
}

const struct table_row *table_row_at(const struct table *table, uint64_t index, uint64_t token)
{
	if (index >= atomic_load(&table->header->rows_used))
		return NULL;
	const struct table_row *row = &table->rows[index];
	if (atomic_load(&row->state) == ROW_FREE || row->token != token)
		return NULL;
	return row;
}

const struct table_row *table_find(const struct table *table, uint64_t token)
{
	unsigned n = atomic_load(&table->header->rows_used);

	for (unsigned i = 0; i < n; i++) {
		const struct table_row *row = table_row_at(table, i, token);
		if (row)
			return row;
	}
	return NULL;
}

int table_find_kept(const struct table *table, enum kept_kind kind, struct id128 id)
{
	unsigned n = atomic_load(&table->header->kept_used);

	for (unsigned i = 0; i < n; i++) {
		const struct table_kept *kept = &table->kept[i];
		if (atomic_load(&kept->kind) == (uint32_t)kind && id128_equal(kept->id, id))
			return kept->fd;
	}
	return -ENOENT;
}
