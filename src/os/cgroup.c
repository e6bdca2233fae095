/*
 * Reading /proc/self/mountinfo and /proc/PID/cgroup. Both are text with a line for each hierarchy:
 * version 2's is the one of type "cgroup2", and the one numbered 0 and without controllers.
 */
#include "os/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* "\040" and the like in /proc/self/mountinfo (proc(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned code;
		if (from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
			*to = (char)code;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Fields (proc(5)): id parent major:minor root mountpoint options [optional ...] - type source ...
 */
int cgroup_find_mount(char **ret_root, char **ret_mount)
{
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0;
	int r = -ENOTSUP;

	FILE *file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return -errno;
	while (r == -ENOTSUP && getline(&line, &capacity, file) > 0) {
		char *root = NULL, *mount = NULL;
		if (!strstr(line, " - cgroup2 "))
			continue;
		if (sscanf(line, "%*s %*s %*s %ms %ms", &root, &mount) == 2) {
			unescape(root);
			unescape(mount);
			*ret_root = take(root);
			*ret_mount = take(mount);
			r = 0;
		}
		free(root);
		free(mount);
	}
	fclose(file);
	return r;
}

int cgroup_find_path(pid_t pid, char **ret_path)
{
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0;
	char name[32];
	ssize_t size;
	int r = -ENOTSUP;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	FILE *file = fopen(name, "re");
	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == -ENOTSUP && (size = getline(&line, &capacity, file)) > 0) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		if (line[size - 1] == '\n')
			line[size - 1] = '\0';
		*ret_path = strdup(line + 3);
		r = *ret_path ? 0 : -ENOMEM;
	}
	/* A process that ended while we read gives nothing (ESRCH). */
	if (r == -ENOTSUP && ferror(file))
		r = -ESRCH;
	fclose(file);
	return r;
}

const char *cgroup_below(const char *path, const char *root)
{
	size_t length = strlen(root);

	if (strcmp(root, "/") == 0)
		return strcmp(path, "/") == 0 ? "" : path;
	if (strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return NULL;
	return path + length;
}
