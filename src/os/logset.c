/*
 * Two things are read one after the other, the directory and the file behind a name, and a rotation may
 * come between. So what was opened as current is only believed when, after that, nothing new has been
 * rotated.
 */
#include "os/logset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"

#define TRIES_MAX 100 /* against a logger that rotates all the time */

static const struct {
	const char *current, *prefix, *suffix;
	bool has_index;
} kinds[] = {
	[LOGSET_OUTPUT] = {"current.log", "", ".log", true},
	[LOGSET_EVENTS] = {"events.jsonl", "events-", ".jsonl", false},
};

int logset_init(struct logset *set, enum logset_kind kind, const char *directory)
{
	*set = (struct logset){.kind = kind, .directory = strdup(directory)};
	return set->directory ? 0 : -ENOMEM;
}

void logset_done(struct logset *set)
{
	free(set->directory);
	set->directory = NULL;
}

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int open_directory(const struct logset *set)
{
	int fd = open(set->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int logset_list(const struct logset *set, struct logname **ret_names, size_t *ret_n)
{
	_cleanup_(closep) int fd = open_directory(set);

	if (fd == -ENOENT || fd == -ENOTDIR) {
		*ret_names = NULL;
		*ret_n = 0;
		return 0;
	}
	if (fd < 0)
		return fd;
	return logname_list(fd, kinds[set->kind].prefix, kinds[set->kind].suffix, ret_names, ret_n);
}

static int open_in(const struct logset *set, int directory_fd, const struct logname *name,
	struct logset_file *file)
{
	char text[LOGNAME_SIZE + 16];
	struct stat st;

	snprintf(text, sizeof(text), "%s%s%s", kinds[set->kind].prefix, name ? name->first : "",
		kinds[set->kind].suffix);
	const char *path = name ? text : kinds[set->kind].current;
	file->fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		return -errno;
	if (fstat(file->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(file->fd);
		file->fd = -1;
		return -EMEDIUMTYPE;
	}
	file->inode = (uint64_t)st.st_ino;
	if (!kinds[set->kind].has_index)
		return 0;
	snprintf(text, sizeof(text), "%s.idx", name ? name->first : "current");
	/* A log without its index is a log without times. */
	logindex_open(&file->index, directory_fd, text);
	return 0;
}

int logset_open(const struct logset *set, const struct logname *name, struct logset_file *ret_file)
{
	struct logset_file file = {.fd = -1, .is_current = !name, .index.fd = -1};
	_cleanup_(closep) int directory_fd = open_directory(set);

	if (directory_fd < 0)
		return directory_fd == -ENOTDIR ? -ENOENT : directory_fd;
	if (name)
		file.name = *name;
	int r = open_in(set, directory_fd, name, &file);
	if (r == 0)
		*ret_file = file;
	return r;
}

void logset_close(struct logset_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	logindex_close(&file->index);
	file->fd = -1;
}

/* The first rotated file behind `name`. 1, 0: none, or a negative errno. */
static int find_after(const struct logset *set, const struct logname *name, struct logname *ret_name)
{
	_cleanup_(freep) struct logname *names = NULL;
	size_t n = 0;

	int r = logset_list(set, &names, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (name->first[0] == '\0' || logname_compare(&names[i], name) > 0) {
			*ret_name = names[i];
			return 1;
		}
	return 0;
}

int logset_open_after(const struct logset *set, const struct logname *name, struct logset_file *ret_file)
{
	struct logname after = *name, next;

	for (int i = 0; i < LOGNAME_FILES_MAX; i++) {
		struct logset_file file = {.fd = -1, .index.fd = -1};
		int r = find_after(set, &after, &next);
		if (r < 0)
			return r;
		int opened = logset_open(set, r > 0 ? &next : NULL, &file);
		if (opened < 0 && opened != -ENOENT)
			return opened;
		if (r > 0) {
			after = next;
			if (opened == -ENOENT)
				continue; /* removed meanwhile: it was the oldest */
			*ret_file = file;
			return 1;
		}
		/* It is the next one only if nothing has come between. */
		r = find_after(set, &after, &next);
		if (r == 0 && opened == 0) {
			file.name = after;
			*ret_file = file;
			return 1;
		}
		logset_close(&file);
		if (r <= 0)
			return r;
	}
	return -EBUSY;
}

bool logset_was_rotated(const struct logset *set, const struct logset_file *file)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", set->directory, kinds[set->kind].current) >= (int)sizeof(path))
		return false;
	return stat(path, &st) < 0 || (uint64_t)st.st_ino != file->inode;
}

void logset_find_rotated(const struct logset *set, struct logset_file *file)
{
	struct logset_file rotated = {.fd = -1, .index.fd = -1};
	struct logname next;

	if (find_after(set, &file->name, &next) <= 0 || logset_open(set, &next, &rotated) < 0)
		return;
	if (rotated.inode == file->inode)
		file->name = next;
	logset_close(&rotated);
}

int logset_snapshot(const struct logset *set, struct logset_file *ret_current,
	struct logname **ret_names, size_t *ret_n)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		struct logset_file file = {.fd = -1, .is_current = true, .index.fd = -1};
		_cleanup_(freep) struct logname *names = NULL;
		size_t n = 0;

		int opened = logset_open(set, NULL, &file);
		int r = opened < 0 && opened != -ENOENT ? opened : logset_list(set, &names, &n);
		if (r == 0 && (opened < 0 || !logset_was_rotated(set, &file))) {
			if (n > 0)
				file.name = names[n - 1];
			*ret_current = file;
			*ret_names = take(names);
			*ret_n = n;
			return 0;
		}
		logset_close(&file);
		if (r < 0)
			return r;
	}
	return -EBUSY;
}
