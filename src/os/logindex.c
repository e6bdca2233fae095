/*
 * The read side of an index: positioned reads of a block of records at a time, so that a walk from
 * line to line costs a system call every LOGINDEX_BLOCK records and a search one a step. Nothing is
 * mapped: the logger cuts and replaces these files while they are read, and a page behind a file's
 * new end is a SIGBUS.
 */
#include "os/logindex.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = {'h', 'o', 'b', 'i', 'n', 'd', 'e', 'x'};

void logindex_header_init(struct logindex_header *header, uint64_t log_inode, uint64_t created_us)
{
	*header = (struct logindex_header){
		.version = LOGINDEX_VERSION,
		.record_size = sizeof(struct logindex_record),
		.log_inode = log_inode,
		.created_us = created_us,
	};
	memcpy(header->magic, magic, sizeof(magic));
}

int logindex_header_check(const struct logindex_header *header)
{
	if (memcmp(header->magic, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (header->version != LOGINDEX_VERSION ||
		header->record_size != sizeof(struct logindex_record))
		return -EBADMSG;
	return 0;
}

int logindex_open(struct logindex *index, int directory_fd, const char *name)
{
	struct logindex_header header;

	*index = (struct logindex){.fd = -1};
	int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
		logindex_header_check(&header) < 0) {
		close(fd);
		return -EBADMSG;
	}
	index->fd = fd;
	logindex_refresh(index);
	return 0;
}

void logindex_close(struct logindex *index)
{
	if (index->fd >= 0)
		close(index->fd);
	*index = (struct logindex){.fd = -1};
}

void logindex_refresh(struct logindex *index)
{
	struct stat st;

	if (index->fd < 0 || fstat(index->fd, &st) < 0)
		return;
	uint64_t size = (uint64_t)st.st_size;
	/* A last record that is cut short does not count. */
	index->n = size < sizeof(struct logindex_header)
			   ? 0
			   : (size - sizeof(struct logindex_header)) / sizeof(struct logindex_record);
	index->block_n = 0;
}

int logindex_get(struct logindex *index, uint64_t i, struct logindex_record *ret_record)
{
	if (i >= index->n)
		return 0;
	if (i < index->block_first || i - index->block_first >= index->block_n) {
		/* Around i, so that stepping back after a search stays within the block. */
		uint64_t first = i < LOGINDEX_BLOCK / 4 ? 0 : i - LOGINDEX_BLOCK / 4;
		off_t at = (off_t)(sizeof(struct logindex_header) +
				   first * sizeof(struct logindex_record));
		ssize_t n = pread(index->fd, index->block, sizeof(index->block), at);
		index->block_first = first;
		index->block_n = n < 0 ? 0 : (unsigned)((size_t)n / sizeof(struct logindex_record));
		if (i - first >= index->block_n)
			return 0;
	}
	*ret_record = index->block[i - index->block_first];
	return 1;
}

int logindex_find_offset(struct logindex *index, uint64_t offset, uint64_t *ret_i,
	struct logindex_record *ret_record)
{
	struct logindex_record record;
	uint64_t low = 0, high = index->n;

	/* Below low all offsets are <=, from high on all are greater. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (logindex_get(index, middle, &record) && record.offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || !logindex_get(index, low - 1, &record))
		return 0;
	*ret_i = low - 1;
	*ret_record = record;
	return 1;
}

uint64_t logindex_find_wall(struct logindex *index, uint64_t wall_us)
{
	struct logindex_record record;
	uint64_t low = 0, high = index->n;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (logindex_get(index, middle, &record) && record.wall_us < wall_us)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
