/*
 * The notify message: one datagram, no answer. A socket is opened for each, since they are rare and
 * a descriptor kept open would be closed, or inherited, behind our back.
 */
#include "hob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NOTIFY_TIMEOUT_S 5

/*
 * A path that is too long for sun_path is reached through its directory: *ret_dir_fd is then open
 * and the caller's to close, else -1.
 */
static int address_of(
	const char *name, struct sockaddr_un *ret_address, socklen_t *ret_size, int *ret_dir_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);

	*ret_dir_fd = -1;
	if ((name[0] != '/' && name[0] != '@') || length < 2)
		return -EAFNOSUPPORT;
	if (length < sizeof(address.sun_path)) {
		memcpy(address.sun_path, name, length);
	} else if (name[0] == '@') {
		return -ENAMETOOLONG;
	} else {
		const char *base = strrchr(name, '/') + 1;
		char *directory = strndup(name, (size_t)(base - name));
		if (!directory)
			return -ENOMEM;
		int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
		int r = -errno;
		free(directory);
		if (fd < 0)
			return r;
		int n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
			fd, base);
		if (n < 0 || (size_t)n >= sizeof(address.sun_path)) {
			close(fd);
			return -ENAMETOOLONG;
		}
		*ret_dir_fd = fd;
		length = (size_t)n;
	}
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	*ret_address = address;
	/* An abstract name is as long as it is told; a path includes its NUL. */
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'));
	return 0;
}

static int send_text(const char *name, const char *text, size_t size)
{
	static const struct timeval timeout = {.tv_sec = NOTIFY_TIMEOUT_S};
	struct sockaddr_un address;
	socklen_t address_size = 0;
	int dir_fd;

	int r = address_of(name, &address, &address_size, &dir_fd);
	if (r < 0)
		return r;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		r = -errno;
	} else {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
		do {
			ssize_t n = sendto(fd, text, size, MSG_NOSIGNAL,
				(struct sockaddr *)&address, address_size);
			r = n < 0 ? -errno : 0;
		} while (r == -EINTR);
		close(fd);
	}
	if (dir_fd >= 0)
		close(dir_fd);
	return r;
}

int hob_notify(const char *format, ...)
{
	char *text;
	va_list arguments;

	const char *name = getenv("NOTIFY_SOCKET");
	if (!name || !*name)
		return 0;
	va_start(arguments, format);
	int n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0)
		return -ENOMEM;
	int r = send_text(name, text, (size_t)n);
	free(text);
	return r;
}
