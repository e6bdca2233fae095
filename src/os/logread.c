/*
 * Bytes are read in blocks at positions of our own, so a file that grows, or is cut by somebody, needs no
 * care. A line within one block is handed out where it lies; one that crosses blocks, or files, is
 * put together in `line`.
 *
 * The bytes are read before the index is looked at again: a record is written before its batch, so by
 * then the record of every byte is there.
 */
#include "os/logread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "os/logfind.h"

#define BLOCK_SIZE 32768

struct logread {
	struct logset set;
	struct logset_file file;
	bool is_started;         /* a file was opened once */
	uint64_t offset;         /* in the file, of the next byte of the block */
	size_t at, end;          /* in the block */
	uint64_t line_offset;    /* in the file, where the line began; meaningless once it crosses files */
	size_t line_size;
	bool line_is_open;       /* `line` holds the beginning of a line, its time is in `stamp` */
	bool continues;          /* the next piece belongs to the line before */
	struct logindex_record stamp;
	uint64_t record_i;       /* where in the index we are */
	uint64_t run_i;          /* from where on the next run's beginning is looked for */
	char line[LOGREAD_LINE_MAX];
	char block[BLOCK_SIZE];
};

int logread_open(enum logset_kind kind, const char *directory, struct logread **ret_reader)
{
	struct logread *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->file = (struct logset_file){.fd = -1, .index.fd = -1};
	if (logset_init(&reader->set, kind, directory) < 0) {
		free(reader);
		return -ENOMEM;
	}
	*ret_reader = reader;
	return 0;
}

struct logread *logread_close(struct logread *reader)
{
	if (!reader)
		return NULL;
	logset_close(&reader->file);
	logset_done(&reader->set);
	free(reader);
	return NULL;
}

void logread_closep(struct logread **reader)
{
	*reader = logread_close(*reader);
}

bool logread_exists(const struct logread *reader)
{
	struct logset_file file;
	struct logname none = {0};

	if (logset_open_after(&reader->set, &none, &file) <= 0)
		return false;
	logset_close(&file);
	return true;
}

/* ---- where we are ---- */

/* The file is another one: from this offset on. */
static void stand_at(struct logread *reader, uint64_t offset)
{
	struct logindex_record record;

	reader->is_started = true;
	reader->offset = offset;
	reader->at = reader->end = 0;
	reader->record_i = 0;
	logindex_find_offset(&reader->file.index, offset, &reader->record_i, &record);
	reader->run_i = reader->record_i;
}

/* The file of a position, also when it has been rotated meanwhile. */
static int open_position(const struct logset *set, const struct logset_position *position,
	struct logset_file *ret_file)
{
	struct logset_file file;

	if (!position->is_current)
		return logset_open(set, &position->name, ret_file);
	int r = logset_open(set, NULL, &file);
	if (r == 0 && file.inode == position->inode) {
		file.name = position->name;
		*ret_file = file;
		return 0;
	}
	if (r == 0)
		logset_close(&file);
	struct logset_file lost = {.fd = -1, .name = position->name, .inode = position->inode, .index.fd = -1};
	logset_find_rotated(set, &lost);
	return lost.name.first[0] ? logset_open(set, &lost.name, ret_file) : -ENOENT;
}

static int go_to(struct logread *reader, const struct logset_position *position)
{
	struct logset_file file;

	logset_close(&reader->file);
	reader->line_size = 0;
	reader->line_is_open = reader->continues = false;
	int r = open_position(&reader->set, position, &file);
	if (r < 0)
		return r;
	reader->file = file;
	stand_at(reader, position->offset);
	return 0;
}

/* On to the next file. 1: it is open; 0: there is none now. */
static int open_next(struct logread *reader)
{
	struct logset_file file;
	struct logname after = reader->file.name;

	int r = logset_open_after(&reader->set, &after, &file);
	if (r <= 0)
		return r;
	logset_close(&reader->file);
	reader->file = file;
	stand_at(reader, 0);
	return 1;
}

/* ---- bytes ---- */

/* More bytes of this file into the empty block. Their number, 0 at its end, or a negative errno. */
static int64_t read_block(struct logread *reader)
{
	ssize_t n = pread(reader->file.fd, reader->block, BLOCK_SIZE, (off_t)reader->offset);

	if (n < 0)
		return -errno;
	reader->at = 0;
	reader->end = (size_t)n;
	if (n > 0 && reader->file.is_current)
		logindex_refresh(&reader->file.index);
	return n;
}

/* Somebody has cut the file below where we are: what comes now comes at its new end. */
static void notice_cut(struct logread *reader)
{
	struct stat st;

	if (fstat(reader->file.fd, &st) == 0 && (uint64_t)st.st_size < reader->offset)
		stand_at(reader, (uint64_t)st.st_size);
}

/* Makes sure that the block is not empty. 1, 0: there is nothing more now, or a negative errno. */
static int need_bytes(struct logread *reader)
{
	while (reader->at == reader->end) {
		if (reader->file.fd < 0) {
			int r = open_next(reader);
			if (r <= 0)
				return r;
		}
		int64_t n = read_block(reader);
		if (n < 0)
			return (int)n;
		if (n > 0)
			break;
		if (reader->file.is_current) {
			notice_cut(reader);
			if (!logset_was_rotated(&reader->set, &reader->file))
				return 0;
			/* Its last bytes may have come between the two looks. */
			n = read_block(reader);
			if (n != 0)
				return n < 0 ? (int)n : 1;
			logset_find_rotated(&reader->set, &reader->file);
		}
		int r = open_next(reader);
		if (r <= 0)
			return r;
	}
	return 1;
}

/* ---- lines ---- */

/* The time of the byte that is next. A piece has the time of its line, but where a new run begins. */
static void stamp_line(struct logread *reader)
{
	struct logindex *index = &reader->file.index;
	struct logindex_record record, before = reader->stamp;

	reader->line_is_open = true;
	reader->line_offset = reader->offset;
	reader->stamp = (struct logindex_record){0};
	while (logindex_get(index, reader->record_i + 1, &record) && record.offset <= reader->offset)
		reader->record_i++;
	if (logindex_get(index, reader->record_i, &record) && record.offset <= reader->offset)
		reader->stamp = record;
	if (!reader->continues)
		return;
	if (reader->stamp.offset == reader->offset && (reader->stamp.flags & LOGINDEX_RUN))
		reader->continues = false;
	else
		reader->stamp = before;
}

/* Where the next run begins behind this line's first byte; UINT64_MAX: not known to. */
static uint64_t next_run(struct logread *reader)
{
	struct logindex_record record;

	while (logindex_get(&reader->file.index, reader->run_i, &record)) {
		if ((record.flags & LOGINDEX_RUN) && record.offset > reader->line_offset)
			return record.offset;
		reader->run_i++;
	}
	return UINT64_MAX;
}

static void hand_out(struct logread *reader, const char *data, size_t size, bool has_newline,
	struct logline *ret_line)
{
	*ret_line = (struct logline){
		.data = data,
		.size = size,
		.has_newline = has_newline,
		.is_continued = reader->continues,
		.wall_us = reader->stamp.wall_us,
		.monotonic_us = reader->stamp.monotonic_us,
		.flags = reader->stamp.flags,
	};
	reader->line_is_open = false;
	reader->line_size = 0;
}

static void consume(struct logread *reader, size_t size)
{
	reader->at += size;
	reader->offset += size;
}

/*
 * Takes what the block has of the line. 1: the line (or as much as a piece may be) is in *ret_line; 0:
 * it goes on behind the block.
 */
static int take_from_block(struct logread *reader, struct logline *ret_line)
{
	const char *data = reader->block + reader->at;
	size_t most = LOGREAD_LINE_MAX - reader->line_size;
	size_t size = reader->end - reader->at < most ? reader->end - reader->at : most;

	const char *newline = memchr(data, '\n', size);
	size_t taken = newline ? (size_t)(newline - data) + 1 : size;
	size_t used = newline ? taken - 1 : size;
	uint64_t run = next_run(reader);
	bool is_run_end = run < reader->offset + taken;
	if (is_run_end) {
		taken = used = run > reader->offset ? (size_t)(run - reader->offset) : 0;
		newline = NULL;
	}
	bool is_whole = newline || is_run_end || used == most;
	if (is_whole && reader->line_size == 0) {
		hand_out(reader, data, used, newline, ret_line);
	} else {
		memcpy(reader->line + reader->line_size, data, used);
		reader->line_size += used;
		if (is_whole)
			hand_out(reader, reader->line, reader->line_size, newline, ret_line);
	}
	consume(reader, taken);
	if (is_whole)
		reader->continues = !newline && !is_run_end;
	return is_whole;
}

int logread_next(struct logread *reader, bool flush, struct logline *ret_line)
{
	for (;;) {
		uint64_t inode = reader->file.inode;
		int r = need_bytes(reader);
		if (r < 0)
			return r;
		if (r == 0) {
			if (!flush || reader->line_size == 0)
				return 0;
			hand_out(reader, reader->line, reader->line_size, false, ret_line);
			reader->continues = true;
			return 1;
		}
		if (!reader->line_is_open) {
			stamp_line(reader);
		} else if (reader->file.inode != inode) {
			/* The line goes on in another file, at its start. */
			reader->line_offset = 0;
		}
		if (take_from_block(reader, ret_line))
			return 1;
	}
}

/* ---- seeking ---- */

/* Nothing there is no error: the reader then stands at the start of what will come. */
static int go_to_found(struct logread *reader, int found, const struct logset_position *position)
{
	if (found == 0)
		found = go_to(reader, position);
	return found == -ENOENT ? 0 : found;
}

int logread_seek_last(struct logread *reader, uint64_t n)
{
	struct logset_position position;

	int r = logfind_last(&reader->set, n, &position);
	if (r == 0 && !position.is_current && position.name.first[0] == '\0')
		return 0;
	return go_to_found(reader, r, &position);
}

int logread_seek_time(struct logread *reader, uint64_t wall_us)
{
	struct logset_position position = {0};

	int r = logfind_time(&reader->set, wall_us, &position);
	return go_to_found(reader, r, &position);
}

int logread_watch(struct logread *reader, int inotify_fd)
{
	const char *directory = reader->set.directory;
	uint32_t mask = IN_MODIFY | IN_MOVED_TO | IN_CREATE;

	if (inotify_add_watch(inotify_fd, directory, mask) >= 0)
		return 1;
	if (errno != ENOENT)
		return -errno;
	/* The directory is made with the first byte; the one above it tells. */
	_cleanup_(freep) char *above = strdup(directory);
	if (!above)
		return -ENOMEM;
	char *slash = strrchr(above, '/');
	if (!slash || slash == above)
		return -ENOENT;
	*slash = '\0';
	if (inotify_add_watch(inotify_fd, above, IN_CREATE | IN_MODIFY | IN_MOVED_TO) < 0)
		return -errno;
	/* It may have come between. */
	if (inotify_add_watch(inotify_fd, directory, mask) >= 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

/* ---- the last words of a run ---- */

static bool is_before(const struct logset_position *a, const struct logset_position *b)
{
	if (a->is_current != b->is_current)
		return b->is_current;
	int order = a->is_current ? 0 : logname_compare(&a->name, &b->name);
	return order < 0 || (order == 0 && a->offset < b->offset);
}

int logread_tail_run(const char *directory, uint64_t since_wall_us, unsigned n, size_t size_max,
	struct buf *ret_lines)
{
	_cleanup_(logread_closep) struct logread *reader = NULL;
	struct logset_position position, since;
	struct logline line;
	size_t begin = ret_lines->size;

	int r = logread_open(LOGSET_OUTPUT, directory, &reader);
	if (r == 0)
		r = logfind_last(&reader->set, n, &position);
	if (r == 0 && !position.is_current && position.name.first[0] == '\0')
		r = -ENOENT;
	if (r == 0 && since_wall_us > 0 && logfind_time(&reader->set, since_wall_us, &since) == 0 &&
		is_before(&position, &since))
		position = since;
	if (r == 0)
		r = go_to(reader, &position);
	if (r < 0)
		return r;
	while ((r = logread_next(reader, true, &line)) > 0) {
		/* What a run before left unfinished. */
		if (ret_lines->size > begin && !line.is_continued && ret_lines->data[ret_lines->size - 1] != '\n')
			buf_append_char(ret_lines, '\n');
		buf_append(ret_lines, line.data, line.size);
		if (line.has_newline)
			buf_append_char(ret_lines, '\n');
		if (buf_status(ret_lines) < 0)
			return buf_status(ret_lines);
		size_t size = ret_lines->size - begin;
		if (size > size_max) {
			memmove(ret_lines->data + begin, ret_lines->data + begin + size - size_max, size_max + 1);
			ret_lines->size -= size - size_max;
		}
	}
	return r;
}
