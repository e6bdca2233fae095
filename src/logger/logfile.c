/*
 * The file is exactly what the program wrote: bytes go in with splice(2) at an offset we know, never
 * with O_APPEND (splice refuses it) and never with O_SYNC (an error after the write would double them).
 *
 * A batch's record goes into the index before its bytes go into the log. So whatever instruction a
 * SIGKILL hits, all bytes of the log have a record that is not later than they are; a record without
 * bytes has the log's size as its offset, and the next one takes its place.
 *
 * Where splice is refused bytes are copied: noted in the ledger where they belong, looked at with tee,
 * written with pwrite, then taken out. A successor that finds the note writes them to the same place.
 */
#include "logger/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "logger/rotate.h"
#include "os/logindex.h"

#define CHECK_INTERVAL_US 1000000 /* how often the file is looked for in its place */
#define RECORD_INTERVAL_US 50000   /* a batch so soon after a record needs none of its own */
#define NONE UINT64_MAX

static char peeked[STAGE_PEEK_MAX]; /* there is one writer thread; its pages are taken when first used */

void logfile_init(struct logfile *file)
{
	*file = (struct logfile){.fd = -1, .index_fd = -1, .last_offset = NONE, .full_at = NONE};
}

void logfile_close(struct log *log)
{
	struct logfile *file = &log->file;

	if (file->fd >= 0)
		close(file->fd);
	if (file->index_fd >= 0)
		close(file->index_fd);
	file->fd = file->index_fd = -1;
	file->last_offset = file->full_at = NONE;
	file->n_records = file->first_us = file->last_us = 0;
	log->is_open = false;
}

/* ---- the index ---- */

static void write_record(struct logfile *file, uint64_t offset, const struct batch *batch, uint64_t flags)
{
	struct logindex_record record = {
		.offset = offset,
		.wall_us = batch->wall_us,
		.monotonic_us = batch->monotonic_us,
		.flags = flags,
	};
	uint64_t i = file->n_records;

	if (i > 0 && file->last_offset == offset) {
		/* Its batch never came (dropped, or lost with a logger): this one is in its place. */
		record.flags |= file->last_flags & LOGINDEX_RUN;
		i--;
	}
	off_t at = (off_t)(sizeof(struct logindex_header) + i * sizeof(record));
	/* Times are worth less than lines: what cannot be noted is marked, not waited for. */
	if (pwrite(file->index_fd, &record, sizeof(record), at) != (ssize_t)sizeof(record)) {
		file->gap = true;
		return;
	}
	file->gap = false;
	file->n_records = i + 1;
	file->last_offset = offset;
	file->last_flags = record.flags;
	file->last_us = record.monotonic_us;
}

static void note_batch(struct logfile *file, struct batch *batch)
{
	bool is_near = file->last_us > 0 && batch->monotonic_us - file->last_us < RECORD_INTERVAL_US;

	batch->noted = true;
	if (is_near && batch->flags == 0 && !file->gap && file->offset > 0)
		return;
	if (file->index_fd >= 0)
		write_record(file, file->offset, batch, batch->flags | (file->gap ? LOGINDEX_GAP : 0));
}

/* Makes the index one of this log: a header, and no record behind the log's end. */
static int repair_index(struct logfile *file, const char *path, const struct stat *log_stat,
	uint64_t wall_us)
{
	struct logindex index;
	struct logindex_header header;
	struct logindex_record record;
	uint64_t i;

	int r = logindex_open(&index, AT_FDCWD, path);
	if (r == 0 && pread(file->index_fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
		header.log_inode == (uint64_t)log_stat->st_ino) {
		if (logindex_find_offset(&index, file->offset, &i, &record)) {
			file->n_records = i + 1;
			file->last_offset = record.offset;
			file->last_flags = record.flags;
		}
		if (logindex_get(&index, 0, &record) && file->n_records > 0)
			file->first_us = record.wall_us;
		logindex_close(&index);
		off_t size = (off_t)(sizeof(header) + file->n_records * sizeof(record));
		return ftruncate(file->index_fd, size) < 0 ? -errno : 0;
	}
	logindex_close(&index);
	logindex_header_init(&header, (uint64_t)log_stat->st_ino, wall_us);
	if (ftruncate(file->index_fd, 0) < 0)
		return -errno;
	return pwrite(file->index_fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) ? 0 : -ENOSPC;
}

/* An index that cannot be had costs the times, not the lines; it is tried again with the next check. */
static void open_index(struct logfile *file, const struct log_paths *paths, const struct stat *log_stat,
	const struct batch *batch)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

	file->index_fd = open(paths->index, flags, 0640);
	if (file->index_fd < 0)
		return;
	if (repair_index(file, paths->index, log_stat, batch->wall_us) < 0) {
		close(file->index_fd);
		file->index_fd = -1;
		file->n_records = 0;
		return;
	}
	if (file->n_records == 0 && file->offset > 0) {
		/* What was written before has no record of its own. */
		struct batch guess = {.wall_us = (uint64_t)log_stat->st_mtim.tv_sec * 1000000 +
						 (uint64_t)log_stat->st_mtim.tv_nsec / 1000};
		write_record(file, 0, &guess, LOGINDEX_GUESSED);
		file->first_us = guess.wall_us;
	}
}

/* ---- opening ---- */

static int open_log(const char *log_dir, const struct log_paths *paths)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

	int fd = open(paths->log, flags, 0640);
	if (fd < 0 && errno == ENOENT) {
		if (mkdir(log_dir, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (mkdir(paths->directory, 0750) < 0 && errno != EEXIST)
			return -errno;
		fd = open(paths->log, flags, 0640);
	}
	return fd < 0 ? -errno : fd;
}

/* When the file was made, for the name of one without an index. */
static uint64_t birth_us(int fd, const struct stat *st)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) == 0 && (stx.stx_mask & STATX_BTIME))
		return (uint64_t)stx.stx_btime.tv_sec * 1000000 + stx.stx_btime.tv_nsec / 1000;
	return (uint64_t)st->st_mtim.tv_sec * 1000000 + (uint64_t)st->st_mtim.tv_nsec / 1000;
}

/*
 * Where a predecessor that wrote by copy was: what it wrote and did not take out of the stage is taken
 * back, and will be written again to the same place.
 */
static int apply_copy_note(struct logfile *file, const struct stage *stage)
{
	const struct ledger *ledger = stage->ledger;

	if (!ledger->copying || ledger->copy_entry != stage->entry ||
		stage->consumed < ledger->copy_consumed)
		return 0;
	uint64_t at = ledger->copy_offset + (stage->consumed - ledger->copy_consumed);
	if (at >= file->offset)
		return 0;
	if (ftruncate(file->fd, (off_t)at) < 0)
		return -errno;
	file->offset = at;
	return 0;
}

static int open_files(struct log *log, const char *log_dir, const struct stage *stage,
	const struct batch *batch)
{
	struct logfile *file = &log->file;
	struct log_paths paths;
	struct stat st;

	int r = log_paths_make(&paths, log_dir, log);
	if (r == 0)
		r = rotate_repair(&paths);
	if (r < 0)
		return r;
	int fd = open_log(log_dir, &paths);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EMEDIUMTYPE;
	}
	file->fd = fd;
	file->inode = (uint64_t)st.st_ino;
	file->offset = (uint64_t)st.st_size;
	file->checked_us = batch->monotonic_us;
	file->copy = stage->copy_only;
	r = apply_copy_note(file, stage);
	if (r < 0) {
		logfile_close(log);
		return r;
	}
	if (log->has_index)
		open_index(file, &paths, &st, batch);
	if (file->first_us == 0)
		file->first_us = file->offset > 0 ? birth_us(fd, &st) : batch->wall_us;
	log->is_open = true;
	return 0;
}

/* Somebody may have removed, moved or cut the file, or there was no room for an index. */
static bool is_in_place(struct log *log, const char *log_dir)
{
	struct log_paths paths;
	struct stat st;

	if (log_paths_make(&paths, log_dir, log) < 0 || lstat(paths.log, &st) < 0)
		return false;
	return (uint64_t)st.st_ino == log->file.inode && (uint64_t)st.st_size == log->file.offset &&
	       (log->file.index_fd >= 0 || !log->has_index);
}

static int ensure_open(struct log *log, const char *log_dir, const struct stage *stage, struct batch *batch)
{
	struct logfile *file = &log->file;

	if (file->fd >= 0 && batch->monotonic_us - file->checked_us >= CHECK_INTERVAL_US) {
		file->checked_us = batch->monotonic_us;
		if (!is_in_place(log, log_dir))
			logfile_close(log);
	}
	if (file->fd >= 0)
		return 0;
	batch->noted = false;
	return open_files(log, log_dir, stage, batch);
}

/* ---- rotation ---- */

static bool ends_with_newline(const struct logfile *file)
{
	char last;

	return pread(file->fd, &last, 1, (off_t)file->offset - 1) == 1 && last == '\n';
}

static bool is_full(const struct log *log)
{
	uint64_t size_max = log->size_max < LOG_SIZE_MAX_LEAST ? LOG_SIZE_MAX_LEAST : log->size_max;

	/* Many small batches make an index larger than their log. */
	return log->file.offset >= size_max ||
	       log->file.n_records * sizeof(struct logindex_record) >= size_max;
}

static int rotate(struct log *log, const char *log_dir)
{
	struct log_paths paths;
	uint64_t first_us = log->file.first_us;

	int r = log_paths_make(&paths, log_dir, log);
	if (r < 0)
		return r;
	logfile_close(log);
	return rotate_run(&paths, first_us, log->keep);
}

/*
 * Rotates a full file at a line's end. Where there is none yet, *size becomes what may still be written:
 * up to and with the newline that comes next, or up to LOGFILE_CUT_MAX after it was full.
 * 1: rotated, nothing is open now.
 */
static int make_room(struct log *log, const char *log_dir, struct stage *stage, uint64_t *size)
{
	struct logfile *file = &log->file;
	uint64_t size_max = log->size_max < LOG_SIZE_MAX_LEAST ? LOG_SIZE_MAX_LEAST : log->size_max;

	if (file->offset == 0 || !is_full(log)) {
		if (*size > size_max - file->offset)
			*size = size_max - file->offset;
		return 0;
	}
	if (file->full_at == NONE)
		file->full_at = file->offset;
	uint64_t over = file->offset - file->full_at;
	if (ends_with_newline(file) || over >= LOGFILE_CUT_MAX) {
		int r = rotate(log, log_dir);
		return r < 0 ? r : 1;
	}
	int64_t n = stage_peek(stage, peeked, *size < LOGFILE_CUT_MAX - over ? *size : LOGFILE_CUT_MAX - over);
	if (n <= 0)
		return n < 0 ? (int)n : 0;
	const char *newline = memchr(peeked, '\n', (size_t)n);
	*size = newline ? (uint64_t)(newline - peeked) + 1 : (uint64_t)n;
	return 0;
}

/* ---- moving ---- */

static int64_t append_by_copy(struct logfile *file, struct stage *stage, uint64_t size)
{
	struct ledger *ledger = stage->ledger;

	ledger->copying = 0;
	ledger->copy_entry = stage->entry;
	ledger->copy_consumed = stage->consumed;
	ledger->copy_offset = file->offset;
	ledger->copying = 1;

	int64_t n = stage_peek(stage, peeked, size);
	int64_t written = n;
	if (n > 0) {
		written = pwrite(file->fd, peeked, (size_t)n, (off_t)file->offset);
		if (written < 0)
			written = -errno;
		else if (written == 0)
			written = -ENOSPC;
	}
	if (written > 0) {
		int64_t taken = stage_drop(stage, (uint64_t)written);
		written = taken < 0 ? taken : written;
	}
	ledger->copying = 0;
	return written;
}

static int64_t append_by_splice(struct logfile *file, struct stage *stage, uint64_t size)
{
	for (;;) {
		loff_t at = (loff_t)file->offset;
		ssize_t n = splice(stage->read_fd, NULL, file->fd, &at, size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (n >= 0) {
			stage->consumed += (uint64_t)n;
			return n;
		}
		if (errno == EAGAIN)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

int64_t logfile_append(struct log *log, const char *log_dir, struct stage *stage, uint64_t size,
	struct batch *batch)
{
	struct logfile *file = &log->file;
	uint64_t room;
	int r;

	do {
		room = size;
		r = ensure_open(log, log_dir, stage, batch);
		if (r == 0)
			r = make_room(log, log_dir, stage, &room);
	} while (r > 0);
	if (r < 0)
		return r;
	if (!batch->noted)
		note_batch(file, batch);

	int64_t n = -EINVAL;
	if (!file->copy)
		n = append_by_splice(file, stage, room);
	if (n == -EINVAL) {
		file->copy = true;
		n = append_by_copy(file, stage, room);
	}
	if (n > 0)
		file->offset += (uint64_t)n;
	return n;
}
