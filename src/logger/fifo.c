/*
 * Opened O_RDWR: a FIFO that has lost its last writer would be readable for ever, with nothing to read;
 * and a service whose logger is alive never sees SIGPIPE, whoever else holds the FIFO.
 */
#include "logger/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fifo_path(char *path, size_t size, const char *runtime_dir, const char *log_name, struct id128 run_id)
{
	char run[ID128_TEXT_SIZE];

	int n = snprintf(path, size, "%s/fifo/%s.%s", runtime_dir, log_name, id128_render(run_id, run));
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int fifo_parse_name(const char *file_name, char ret_log_name[LOG_NAME_SIZE], struct id128 *ret_run_id)
{
	const char *dot = strrchr(file_name, '.');

	if (!dot || dot == file_name || file_name[0] == '.' || strlen(dot + 1) != ID128_TEXT_SIZE - 1 ||
		dot - file_name >= LOG_NAME_SIZE)
		return -EINVAL;
	int r = id128_parse(dot + 1, ret_run_id);
	if (r < 0)
		return r;
	memcpy(ret_log_name, file_name, (size_t)(dot - file_name));
	ret_log_name[dot - file_name] = '\0';
	return 0;
}

int fifo_open(const char *path)
{
	struct stat st;

	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return -ENOTSUP;
	}
	return fd;
}

uint64_t fifo_born(int fd)
{
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_CTIME, &status) < 0)
		return 0;
	const struct statx_timestamp *time =
		status.stx_mask & STATX_BTIME ? &status.stx_btime : &status.stx_ctime;
	return (uint64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

enum fifo_verdict fifo_fill(struct fifo *fifo, struct stage *stage, uint64_t size_max, uint64_t *ret_size)
{
	uint64_t done = 0;
	enum fifo_verdict verdict = FIFO_MORE;

	while (done < size_max) {
		ssize_t n = splice(fifo->fd, NULL, stage->write_fd, NULL, size_max - done,
			SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* The same EAGAIN says that nothing waits and that there is no room. */
			verdict = stage_waiting(fifo->fd) > 0 ? FIFO_STAGE_FULL : FIFO_EMPTY;
			break;
		}
		done += (uint64_t)n;
		/* One look is enough for who writes a little now and then: the next tick is near. */
		if (done < FIFO_BURST && !fifo->by_event && !fifo->ending)
			break;
	}
	fifo->is_empty = verdict == FIFO_EMPTY;
	fifo->n_moved += done;
	fifo->n_since_tick += done;
	*ret_size = done;
	return verdict;
}

void fifo_set_hot(struct fifo *fifo, bool is_hot)
{
	/* Smaller is refused while too much waits; the pipe then stays as it is, which only costs memory in use. */
	if (is_hot != fifo->is_hot) {
		int size = fcntl(fifo->fd, F_SETPIPE_SZ, is_hot ? FIFO_LARGE_SIZE : FIFO_SMALL_SIZE);
		if (size > 0)
			fifo->pipe_size = (uint64_t)size;
	}
	fifo->is_hot = is_hot;
	fifo->n_since_tick = 0;
}

uint64_t fifo_drop(struct fifo *fifo, struct stage *stage)
{
	uint64_t done = 0;

	/* Bounded: a fast writer would keep us here. */
	while (done < FIFO_LARGE_SIZE) {
		ssize_t n = splice(fifo->fd, NULL, stage->null_fd, NULL, FIFO_LARGE_SIZE, SPLICE_F_NONBLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	fifo->is_empty = stage_waiting(fifo->fd) == 0;
	fifo->n_moved += done;
	return done;
}
