/*
 * Processes and their identity.
 *
 * A pid alone proves nothing: it may have been given to somebody else since. With pidfs (Linux 6.9)
 * the inode number of a pidfd is unique for the boot. Before it, all pidfds share one anonymous
 * inode, so the file system's type is asked before the number is believed; start_ticks serve then.
 *
 * The pidfd calls are made by number: Debian 12's libc has them, older ones that we build against
 * may not.
 */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PIDFS_MAGIC 0x50494446 /* linux/magic.h, PID_FS_MAGIC */
#define STAT_TEXT_MAX 1024
#define STAT_START_FIELD 22 /* proc(5), /proc/PID/stat */

static int pidfd_open_raw(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

/* Reads a small file of /proc/PID whole, NUL-terminated. Its size, or a negative errno. */
static ssize_t read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	do
		n = read(fd, text, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	return n;
}

/* The identity behind an open pidfd; pidfd_inode stays 0 where the kernel has no pidfs. */
static uint64_t inode_of(int pidfd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(pidfd, &fs) < 0 || fs.f_type != PIDFS_MAGIC || fstat(pidfd, &st) < 0)
		return 0;
	return st.st_ino;
}

static int start_of(pid_t pid, uint64_t *ret_ticks)
{
	struct process_stat stat;

	int r = process_stat(pid, &stat);
	if (r < 0)
		return r;
	*ret_ticks = stat.start_ticks;
	return 0;
}

int process_identify_pidfd(int pidfd, struct process_identity *ret_identity)
{
	uint64_t inode = inode_of(pidfd);

	if (!inode)
		return -ENOTSUP;
	*ret_identity = (struct process_identity){.pidfd_inode = inode};
	return 0;
}

int process_identify(pid_t pid, struct process_identity *ret_identity)
{
	struct process_identity identity = {0};

	int pidfd = pidfd_open_raw(pid);
	if (pidfd == -ESRCH)
		return -ESRCH;
	if (pidfd >= 0) {
		identity.pidfd_inode = inode_of(pidfd);
		close(pidfd);
	}
	if (!identity.pidfd_inode) {
		int r = start_of(pid, &identity.start_ticks);
		if (r < 0)
			return r;
	}
	*ret_identity = identity;
	return 0;
}

int process_open(pid_t pid, const struct process_identity *identity)
{
	uint64_t ticks;
	bool same;

	int pidfd = pidfd_open_raw(pid);
	if (pidfd < 0)
		return pidfd;
	if (identity->pidfd_inode)
		same = inode_of(pidfd) == identity->pidfd_inode;
	else
		same = identity->start_ticks && start_of(pid, &ticks) == 0 &&
		       ticks == identity->start_ticks;
	/*
	 * start_of() went by pid: if that process was still the pidfd's when it was read, a signal
	 * 0 now still finds it.
	 */
	if (same && !identity->pidfd_inode && process_signal(pidfd, 0) == -ESRCH)
		same = false;
	if (same)
		return pidfd;
	close(pidfd);
	return -ESRCH;
}

int process_signal(int pidfd, int signo)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

/* comm may hold blanks and parentheses: it ends at the last ')' of the line. */
int process_stat(pid_t pid, struct process_stat *ret_stat)
{
	struct process_stat stat = {0};
	char text[STAT_TEXT_MAX];
	int ppid, pgrp, session;

	ssize_t size = read_proc(pid, "stat", text, sizeof(text));
	if (size < 0)
		return (int)size;
	char *open_paren = strchr(text, '('), *close_paren = strrchr(text, ')');
	if (!open_paren || !close_paren || close_paren < open_paren)
		return -EBADMSG;
	*close_paren = '\0';
	snprintf(stat.comm, sizeof(stat.comm), "%.*s", (int)sizeof(stat.comm) - 1, open_paren + 1);

	char *rest = close_paren + 1;
	if (sscanf(rest, " %c %d %d %d %*d %*d %lu", &stat.state, &ppid, &pgrp, &session,
		    &stat.flags) != 5)
		return -EBADMSG;
	stat.ppid = ppid;
	stat.pgrp = pgrp;
	stat.session = session;
	/* `rest` begins before field 3. */
	for (int field = 2; field < STAT_START_FIELD; field++) {
		rest = strchr(rest, ' ');
		if (!rest)
			return -EBADMSG;
		rest++;
	}
	stat.start_ticks = strtoull(rest, NULL, 10);
	*ret_stat = stat;
	return 0;
}

/* The bytes of a UTF-8 sequence are let through; what a terminal may act on is not. */
static char harmless(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
}

int process_command(pid_t pid, char *text, size_t size)
{
	struct process_stat stat;

	if (size == 0)
		return -EINVAL;
	ssize_t n = read_proc(pid, "cmdline", text, size);
	if (n <= 0) {
		/* A kernel thread, a zombie, or one that emptied its arguments. */
		int r = process_stat(pid, &stat);
		if (r < 0)
			return r;
		n = snprintf(text, size, "[%s]", stat.comm);
		n = n < (ssize_t)size ? n : (ssize_t)size - 1;
	}
	while (n > 0 && text[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		text[i] = text[i] ? harmless(text[i]) : ' ';
	text[n] = '\0';
	return 0;
}
