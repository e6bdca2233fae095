/*
 * A SIGKILL between any two of these calls leaves something that rotate_repair() or the next rotation
 * makes good: index renamed and log not (completed), index removed and log not (removed next time).
 * The oldest are removed before the rename, so that a full disk has room again.
 */
#include "logger/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "os/logchannel.h"
#include "os/logindex.h"
#include "os/logname.h"

int log_paths_make(struct log_paths *paths, const char *log_dir, const struct log *log)
{
	size_t room = sizeof(paths->directory) - LOGNAME_SIZE;

	if (strcmp(log->name, LOG_EVENTS_NAME) == 0) {
		paths->prefix = "events-";
		paths->suffix = ".jsonl";
		if ((size_t)snprintf(paths->directory, room, "%s", log_dir) >= room)
			return -ENAMETOOLONG;
		snprintf(paths->log, sizeof(paths->log), "%s/events.jsonl", paths->directory);
		paths->index[0] = '\0';
		return 0;
	}
	paths->prefix = "";
	paths->suffix = ".log";
	if ((size_t)snprintf(paths->directory, room, "%s/%s", log_dir, log->name) >= room)
		return -ENAMETOOLONG;
	snprintf(paths->log, sizeof(paths->log), "%s/current.log", paths->directory);
	snprintf(paths->index, sizeof(paths->index), "%s/current.idx", paths->directory);
	return 0;
}

static int unlink_rotated(int directory_fd, const struct log_paths *paths, const struct logname *name)
{
	char file[LOGNAME_SIZE + 16];

	if (paths->index[0]) {
		snprintf(file, sizeof(file), "%s.idx", name->first);
		unlinkat(directory_fd, file, 0);
	}
	snprintf(file, sizeof(file), "%s%s%s", paths->prefix, name->first, paths->suffix);
	return unlinkat(directory_fd, file, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Indexes whose log somebody has removed. */
static void unlink_lone_indexes(int directory_fd, const struct log_paths *paths)
{
	_cleanup_(freep) struct logname *names = NULL;
	char file[LOGNAME_SIZE + 16];
	struct stat st;
	size_t n;

	if (!paths->index[0] || logname_list(directory_fd, "", ".idx", &names, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s%s", names[i].first, paths->suffix);
		if (fstatat(directory_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			unlink_rotated(directory_fd, paths, &names[i]);
	}
}

/* The name behind all there are, also where the clock went back. */
static void choose_name(const struct logname *names, size_t n, uint64_t first_us, struct logname *ret_name)
{
	uint64_t last_us;
	unsigned last_number;

	logname_render(first_us, 0, ret_name);
	if (n == 0 || logname_compare(ret_name, &names[n - 1]) > 0)
		return;
	if (logname_parse(names[n - 1].first, &last_us, &last_number) == 0)
		logname_render(last_us, last_number + 1, ret_name);
}

static int rename_current(int directory_fd, const struct log_paths *paths, const struct logname *name)
{
	char file[LOGNAME_SIZE + 16];

	if (paths->index[0]) {
		snprintf(file, sizeof(file), "%s.idx", name->first);
		if (renameat(AT_FDCWD, paths->index, directory_fd, file) < 0 && errno != ENOENT)
			return -errno;
	}
	snprintf(file, sizeof(file), "%s%s%s", paths->prefix, name->first, paths->suffix);
	if (renameat(AT_FDCWD, paths->log, directory_fd, file) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int rotate_in(int directory_fd, const struct log_paths *paths, uint64_t first_us, uint32_t keep)
{
	_cleanup_(freep) struct logname *names = NULL;
	struct logname name;
	size_t n = 0;
	int r;

	unlink_lone_indexes(directory_fd, paths);
	r = logname_list(directory_fd, paths->prefix, paths->suffix, &names, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n && n - i + 1 > keep; i++)
		r = unlink_rotated(directory_fd, paths, &names[i]);
	if (r < 0)
		return r;
	if (keep == 0) {
		if (paths->index[0])
			unlink(paths->index);
		return unlink(paths->log) < 0 && errno != ENOENT ? -errno : 0;
	}
	choose_name(names, n, first_us, &name);
	return rename_current(directory_fd, paths, &name);
}

int rotate_run(const struct log_paths *paths, uint64_t first_us, uint32_t keep)
{
	int directory_fd = open(paths->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		return -errno;
	int r = rotate_in(directory_fd, paths, first_us, keep);
	close(directory_fd);
	return r;
}

/* Is this lone index the one of the current log? */
static bool names_inode(int directory_fd, const char *index, uint64_t inode)
{
	struct logindex_header header = {0};
	int fd = openat(directory_fd, index, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	bool is = pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
		  logindex_header_check(&header) == 0 && header.log_inode == inode;
	close(fd);
	return is;
}

static int repair_in(int directory_fd, const struct log_paths *paths, uint64_t inode)
{
	_cleanup_(freep) struct logname *names = NULL;
	char index[LOGNAME_SIZE + 16], log[LOGNAME_SIZE + 16];
	struct stat st;
	size_t n = 0;

	int r = logname_list(directory_fd, "", ".idx", &names, &n);
	/* Only the last can be one that was cut off. */
	if (r < 0 || n == 0)
		return r;
	snprintf(index, sizeof(index), "%s.idx", names[n - 1].first);
	snprintf(log, sizeof(log), "%s%s", names[n - 1].first, paths->suffix);
	if (fstatat(directory_fd, log, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return 0;
	if (!names_inode(directory_fd, index, inode))
		return 0;
	return renameat(AT_FDCWD, paths->log, directory_fd, log) < 0 ? -errno : 0;
}

int rotate_repair(const struct log_paths *paths)
{
	struct stat st;

	if (!paths->index[0] || access(paths->index, F_OK) == 0 || lstat(paths->log, &st) < 0)
		return 0;
	int directory_fd = open(paths->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		return -errno;
	int r = repair_in(directory_fd, paths, (uint64_t)st.st_ino);
	close(directory_fd);
	return r;
}
