/*
 * Closing inherited descriptors. Never a loop to RLIMIT_NOFILE: that is 2^30 in many containers and
 * takes minutes. What is kept splits the numbers into ranges; a range is closed by the best means
 * there is.
 *
 * All of it may run between fork and exec: no memory is allocated, /proc/self/fd is read with
 * getdents64(2) itself, since opendir(3) allocates.
 */
#include "hob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLOSE_LOOP_MAX 65536

/* As the kernel lays it out (getdents64(2)); glibc declares no such struct. */
struct kernel_dirent {
	uint64_t inode;
	int64_t offset;
	unsigned short size;
	unsigned char type;
	char name[];
};

static bool is_kept(int fd, const int *keep, size_t n_keep)
{
	for (size_t i = 0; i < n_keep; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

/* The lowest kept number that is not below `from`, or -1. */
static int next_kept(int from, const int *keep, size_t n_keep)
{
	int next = -1;

	for (size_t i = 0; i < n_keep; i++)
		if (keep[i] >= from && (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

/* 0, or the negative errno of the first range that close_range(2) refused. */
static int close_by_range(int lowest, const int *keep, size_t n_keep)
{
	int from = lowest;

	for (;;) {
		int kept = next_kept(from, keep, n_keep);
		unsigned last = kept < 0 ? ~0u : (unsigned)kept - 1;
		if (kept != from && syscall(SYS_close_range, (unsigned)from, last, 0u) < 0)
			return -errno;
		if (kept < 0 || kept == INT_MAX)
			return 0;
		from = kept + 1;
	}
}

/* The number a directory entry stands for, or -1 ("." and ".."). */
static int entry_number(const char *name)
{
	int number = 0;

	if (!*name)
		return -1;
	for (; *name; name++) {
		if (*name < '0' || *name > '9' || number > (INT_MAX - 9) / 10)
			return -1;
		number = number * 10 + (*name - '0');
	}
	return number;
}

/*
 * Closing while reading is sound: the kernel's position in /proc/self/fd is a descriptor number, so
 * nothing is skipped.
 */
static int close_by_proc(int lowest, const int *keep, size_t n_keep)
{
	char buffer[2048] __attribute__((aligned(8)));
	long size;

	int dir_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	while ((size = syscall(SYS_getdents64, dir_fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < size;) {
			const struct kernel_dirent *entry = (const void *)(buffer + at);
			int fd = entry_number(entry->name);
			if (fd >= lowest && fd != dir_fd && !is_kept(fd, keep, n_keep))
				close(fd);
			at += entry->size;
		}
	}
	int r = size < 0 ? -errno : 0;
	/* It may have got a number that the caller wants kept and that was not open: it goes as
	 * well. */
	close(dir_fd);
	return r;
}

static void close_by_loop(int lowest, const int *keep, size_t n_keep)
{
	struct rlimit limit;
	int end = CLOSE_LOOP_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < CLOSE_LOOP_MAX)
		end = (int)limit.rlim_cur;
	for (int fd = lowest; fd < end; fd++)
		if (!is_kept(fd, keep, n_keep))
			close(fd);
}

int hob_close_from(int lowest, const int *keep, size_t n_keep)
{
	int saved_errno = errno;

	if (lowest < 0 || (n_keep > 0 && !keep))
		return -EINVAL;
	/* ENOSYS: before Linux 5.9; EPERM: some system call filters. Either way the others do. */
	if (close_by_range(lowest, keep, n_keep) < 0 && close_by_proc(lowest, keep, n_keep) < 0)
		close_by_loop(lowest, keep, n_keep);
	errno = saved_errno;
	return 0;
}
