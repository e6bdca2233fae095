/*
 * tee(2) is what makes looking possible: the scratch pipe gets references to the stage's pages, and
 * reading the scratch pipe takes nothing out of the stage.
 */
#include "logger/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int stage_open(struct stage *stage, const char *runtime_dir, int read_fd, int write_fd)
{
	char path[PATH_MAX];

	*stage = (struct stage){.read_fd = read_fd, .write_fd = write_fd, .null_fd = -1, .scratch = {-1, -1}};
	if (snprintf(path, sizeof(path), "%s/stage", runtime_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int r = set_nonblocking(read_fd);
	if (r == 0)
		r = set_nonblocking(write_fd);
	if (r == 0)
		r = ledger_open(path, &stage->ledger);
	if (r == 0 && (stage->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0)
		r = -errno;
	if (r == 0 && pipe2(stage->scratch, O_CLOEXEC | O_NONBLOCK) < 0)
		r = -errno;
	if (r < 0)
		stage_close(stage);
	return r;
}

void stage_close(struct stage *stage)
{
	ledger_close(stage->ledger);
	if (stage->null_fd >= 0)
		close(stage->null_fd);
	for (int i = 0; i < 2; i++)
		if (stage->scratch[i] >= 0)
			close(stage->scratch[i]);
	*stage = (struct stage){.read_fd = -1, .write_fd = -1, .null_fd = -1, .scratch = {-1, -1}};
}

uint64_t stage_waiting(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 || n < 0 ? 0 : (uint64_t)n;
}

int64_t stage_peek(struct stage *stage, void *data, uint64_t size)
{
	char *to = data;
	size_t done = 0;

	ssize_t n = tee(stage->read_fd, stage->scratch[1], size < STAGE_PEEK_MAX ? size : STAGE_PEEK_MAX,
		SPLICE_F_NONBLOCK);
	if (n <= 0)
		return n < 0 && errno != EAGAIN ? -errno : 0;
	while (done < (size_t)n) {
		ssize_t got = read(stage->scratch[0], to + done, (size_t)n - done);
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		done += (size_t)got;
	}
	return n;
}

int64_t stage_drop(struct stage *stage, uint64_t size)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t n = splice(stage->read_fd, NULL, stage->null_fd, NULL, size - done, SPLICE_F_NONBLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		done += (uint64_t)n;
		stage->consumed += (uint64_t)n;
	}
	return (int64_t)done;
}
