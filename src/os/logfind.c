/* Lines are counted back from the end by blocks; times are found by binary search in one index. */
#include "os/logfind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"

#define BLOCK_SIZE 32768

/* How far back the search for the last lines has come. */
struct back {
	uint64_t n_wanted, n_found;
	bool at_end; /* the next byte back is the log's last */
	char *block;
};

/* Goes back in a file from its end. 1: *ret_offset is where the wanted lines begin; 0: they begin before. */
static int go_back_in(struct back *back, int fd, uint64_t *ret_offset)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	uint64_t end = (uint64_t)st.st_size;
	while (end > 0) {
		uint64_t start = end > BLOCK_SIZE ? end - BLOCK_SIZE : 0;
		ssize_t n = pread(fd, back->block, end - start, (off_t)start);
		if (n < 0)
			return -errno;
		for (ssize_t i = n - 1; i >= 0; i--) {
			bool counts = back->block[i] == '\n' && !back->at_end;
			back->at_end = false;
			if (counts && ++back->n_found == back->n_wanted) {
				*ret_offset = start + (uint64_t)i + 1;
				return 1;
			}
		}
		end = start;
	}
	return 0;
}

int logfind_last(const struct logset *set, uint64_t n, struct logset_position *ret_position)
{
	_cleanup_(freep) struct logname *names = NULL;
	struct logset_file file;
	size_t n_names;
	_cleanup_(freep) char *block = malloc(BLOCK_SIZE);
	struct back back = {.n_wanted = n, .at_end = true, .block = block};

	if (!block)
		return -ENOMEM;
	int r = logset_snapshot(set, &file, &names, &n_names);
	if (r < 0)
		return r;
	*ret_position = (struct logset_position){
		.is_current = file.fd >= 0, .name = file.name, .inode = file.inode};
	if (n == 0 && file.fd >= 0) {
		struct stat st;
		ret_position->offset = fstat(file.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
		logset_close(&file);
		return 0;
	}
	r = file.fd < 0 ? 0 : go_back_in(&back, file.fd, &ret_position->offset);
	logset_close(&file);
	for (size_t i = n_names; r == 0 && i > 0; i--) {
		if (logset_open(set, &names[i - 1], &file) < 0)
			break; /* removed meanwhile: what is older is gone too */
		*ret_position = (struct logset_position){.name = names[i - 1]};
		r = go_back_in(&back, file.fd, &ret_position->offset);
		logset_close(&file);
	}
	return r < 0 ? r : 0;
}

/* The start of the first line of the file's record i or behind. */
static uint64_t line_start(const struct logset_file *file, struct logindex *index, uint64_t i, char *block)
{
	struct logindex_record record;

	if (i > 0 && i >= index->n)
		return UINT64_MAX;
	if (i == 0 || !logindex_get(index, i, &record) || record.offset == 0)
		return 0;
	/* From the byte before: where that is a newline, a line begins right here. */
	uint64_t offset = record.offset - 1;
	for (;;) {
		ssize_t n = pread(file->fd, block, BLOCK_SIZE, (off_t)offset);
		if (n <= 0 || (record.flags & LOGINDEX_RUN))
			return record.offset;
		const char *newline = memchr(block, '\n', (size_t)n);
		if (newline)
			return offset + (uint64_t)(newline - block) + 1;
		offset += (uint64_t)n;
	}
}

/* Did the file's first byte come at or before a time? Where there is no index its name has to tell. */
static bool begins_by(struct logset_file *file, uint64_t wall_us)
{
	struct logindex_record first;
	uint64_t name_us = UINT64_MAX;
	unsigned number;

	if (logindex_get(&file->index, 0, &first))
		return first.wall_us <= wall_us;
	if (!file->is_current)
		logname_parse(file->name.first, &name_us, &number);
	return name_us <= wall_us;
}

/* In which file a time is: the last one whose first byte came at or before it, else the first there is. */
static int find_file(const struct logset *set, uint64_t wall_us, struct logset_file *ret_file)
{
	_cleanup_(freep) struct logname *names = NULL;
	struct logset_file file;
	size_t n;

	int r = logset_snapshot(set, &file, &names, &n);
	if (r < 0)
		return r;
	for (size_t i = n; file.fd < 0 || !begins_by(&file, wall_us); i--) {
		struct logset_file older;
		/* Removed meanwhile: what is older is gone too. */
		if (i == 0 || logset_open(set, &names[i - 1], &older) < 0)
			break;
		logset_close(&file);
		file = older;
	}
	*ret_file = file;
	return file.fd < 0 ? -ENOENT : 0;
}

int logfind_time(const struct logset *set, uint64_t wall_us, struct logset_position *ret_position)
{
	_cleanup_(freep) char *block = malloc(BLOCK_SIZE);
	struct logset_file file;

	if (!block)
		return -ENOMEM;
	int r = find_file(set, wall_us, &file);
	if (r < 0)
		return r;
	*ret_position = (struct logset_position){
		.is_current = file.is_current, .name = file.name, .inode = file.inode};
	uint64_t i = logindex_find_wall(&file.index, wall_us);
	if (file.index.n > 0)
		ret_position->offset = line_start(&file, &file.index, i, block);
	struct stat st;
	uint64_t size = fstat(file.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	if (ret_position->offset > size)
		ret_position->offset = size;
	logset_close(&file);
	return 0;
}
