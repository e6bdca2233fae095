/*
 * "forget --logs". Only regular files directly inside LOG/NAME go, then the directory; symlinks are
 * removed, not followed. A subdirectory that somebody made keeps the directory.
 */
#include "supervisor/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

void remove_logs(struct driver *driver, const char *unit_name)
{
	_cleanup_(freep) char *path = NULL;

	if (asprintf(&path, "%s/%s", driver->place.log, log_name(unit_name)) < 0) {
		path = NULL;
		return;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *e = readdir(directory); e; e = readdir(directory))
		unlinkat(fd, e->d_name, 0); /* "." and ".." are refused */
	closedir(directory);
	if (rmdir(path) < 0 && errno != ENOENT)
		driver_warn("cannot remove %s: %s", path, strerror(errno));
}
