/* Only found and read here; what is in force is known to the supervisor alone. */
#include "cli/unitfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit/unit.h"

int unitfile_find(const struct place *place, const char *unit, char **ret_path)
{
	for (char **directory = place->unit_path; directory && *directory; directory++) {
		char *path;
		if (asprintf(&path, "%s/%s", *directory, unit) < 0)
			return -ENOMEM;
		if (access(path, F_OK) == 0) {
			*ret_path = path;
			return 0;
		}
		free(path);
	}
	return -ENOENT;
}

int unitfile_read(const char *path, char **ret_text)
{
	_cleanup_(buf_done) struct buf text = {0};
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	while (n > 0 && text.size <= UNIT_TEXT_MAX && buf_reserve(&text, BUFSIZ) == 0) {
		n = read(fd, text.data + text.size, BUFSIZ);
		if (n > 0)
			text.size += (size_t)n;
	}
	int code = n < 0 ? -errno : buf_status(&text);
	close(fd);
	if (code < 0)
		return code;
	if (text.size > UNIT_TEXT_MAX)
		return -EFBIG;
	if (text.size > 0)
		text.data[text.size] = '\0';
	*ret_text = buf_take_string(&text);
	return *ret_text ? 0 : -ENOMEM;
}
