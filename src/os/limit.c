/*
 * What stands in the way of a limit: for everybody the hard limit, unless privileged
 * (CAP_SYS_RESOURCE); for RLIMIT_NOFILE also fs.nr_open, which "infinity" is always above. What
 * stands in the way of nice is RLIMIT_NICE.
 */
#include "os/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define NICE_BASE 20 /* RLIMIT_NICE n allows nice down to 20 - n (getrlimit(2)) */

static rlim_t smaller(rlim_t a, rlim_t b)
{
	return a < b ? a : b;
}

/* RLIMIT_NOFILE may not be raised over fs.nr_open, not even by root. */
static rlim_t n_files_max(void)
{
	unsigned long long max = RLIM_INFINITY;
	char text[32];

	int fd = open("/proc/sys/fs/nr_open", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return max;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n > 0) {
		text[n] = '\0';
		max = strtoull(text, NULL, 10);
	}
	return max;
}

static int set_up_to(int resource, struct rlimit limit, rlim_t max)
{
	limit.rlim_max = smaller(limit.rlim_max, max);
	limit.rlim_cur = smaller(limit.rlim_cur, limit.rlim_max);
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

int limit_set(int resource, struct rlimit wanted)
{
	struct rlimit now;

	int r = set_up_to(resource, wanted, RLIM_INFINITY);
	if (r == -EPERM && resource == RLIMIT_NOFILE)
		r = set_up_to(resource, wanted, n_files_max());
	if (r != -EPERM)
		return r;
	if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
		return -errno;
	return set_up_to(resource, wanted, now.rlim_max);
}

int limit_set_nice(int nice)
{
	struct rlimit limit;

	if (setpriority(PRIO_PROCESS, 0, nice) == 0)
		return 0;
	if (errno != EACCES && errno != EPERM)
		return -errno;
	errno = 0;
	int now = getpriority(PRIO_PROCESS, 0);
	if (errno || getrlimit(RLIMIT_NICE, &limit) < 0)
		return -errno;
	int lowest = limit.rlim_cur > 2 * NICE_BASE ? -NICE_BASE : NICE_BASE - (int)limit.rlim_cur;
	if (lowest >= now)
		return 0;
	return setpriority(PRIO_PROCESS, 0, lowest) < 0 ? -errno : 0;
}
