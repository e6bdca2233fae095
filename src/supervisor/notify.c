/*
 * A datagram is peeked, fed to the engine (which saves), and only then received: a crash in between
 * leaves it in the queue, and applying it twice does no harm.
 *
 * The sender is known by SCM_CREDENTIALS. It is a service's main process, or belongs to a
 * service's tree; one that has ended already can no longer be told and its message is refused,
 * which is why sd_notify_barrier(3) exists: its descriptors are closed when the message was taken.
 */
#include "supervisor/notify.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/link.h"

#define NOTIFY_MESSAGE_MAX 4096 /* bytes (systemd: NOTIFY_BUFFER_MAX) */
#define NOTIFY_FDS_MAX 253	/* SCM_MAX_FD */

struct datagram {
	char text[NOTIFY_MESSAGE_MAX + 1];
	ssize_t size;
	pid_t pid;
	bool cut;
};

union control_buffer {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)];
};

static void take_control(struct msghdr *message, struct datagram *ret_datagram)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred credentials;
			memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
			ret_datagram->pid = credentials.pid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			for (size_t i = 0; i < n; i++) {
				int fd;
				memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
				close(fd);
			}
		}
	}
}

/* Peeking installs copies of the descriptors too: they are closed each time. */
static int receive(int fd, int flags, struct datagram *ret_datagram)
{
	union control_buffer control;
	struct iovec iov = {.iov_base = ret_datagram->text, .iov_len = NOTIFY_MESSAGE_MAX};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	ret_datagram->pid = 0;
	ret_datagram->size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
	if (ret_datagram->size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	ret_datagram->text[ret_datagram->size] = '\0';
	ret_datagram->cut = (message.msg_flags & MSG_TRUNC) != 0;
	take_control(&message, ret_datagram);
	return 1;
}

/*
 * A child that was quicker than init's bell: its row has its pid, which it wrote itself. Looking at
 * the row tells the engine, too.
 */
static void look_for_quick_ones(struct driver *driver, pid_t pid)
{
	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		if (s->token == 0 || s->main_pid != 0)
			continue;
		const struct table_row *row = table_find(&driver->table, s->token);
		if (row && atomic_load_explicit(&row->state, memory_order_acquire) == ROW_RUNNING &&
			row->pid == pid) {
			link_look(driver, s->token);
			return;
		}
	}
}

/* Whose process is it? First by the main pids, then by the trees of those that may notify. */
static struct service *find_sender(struct driver *driver, pid_t pid, enum notify_sender *ret_sender)
{
	struct service *s;

	look_for_quick_ones(driver, pid);
	*ret_sender = SENDER_MAIN;
	for (s = engine_next(driver->engine, NULL); s; s = engine_next(driver->engine, s)) {
		if (s->token != 0 && s->main_pid == pid)
			return s;
	}
	*ret_sender = SENDER_TREE;
	for (s = engine_next(driver->engine, NULL); s; s = engine_next(driver->engine, s)) {
		if (id128_is_null(s->run.id) || s->run.ended_us != 0 ||
			unit_u64(s->unit, UNIT_NOTIFY_ACCESS) == NOTIFY_NONE)
			continue;
		struct tree_id id = attachment_tree_id(s);
		if (tree_contains(driver->trees, &id, pid) > 0)
			return s;
	}
	return NULL;
}

static void feed(struct driver *driver, const struct datagram *datagram)
{
	enum notify_sender sender;
	struct service *service = find_sender(driver, datagram->pid, &sender);
	struct event event = {.type = EVENT_NOTIFY,
		.sender = sender,
		.pid = datagram->pid,
		.text = datagram->text};

	/* A message that does not fit, or holds a NUL, is nobody's protocol. */
	if (!service || datagram->cut || strlen(datagram->text) != (size_t)datagram->size)
		return;
	event.service = service->name;
	event.run_id = service->run.id;
	driver_feed(driver, &event);
}

void notify_drain(struct driver *driver)
{
	static struct datagram datagram;

	while (driver->notify_fd >= 0 && receive(driver->notify_fd, MSG_PEEK, &datagram) > 0) {
		trees_refresh(driver->trees);
		feed(driver, &datagram);
		receive(driver->notify_fd, 0, &datagram);
	}
}

static void on_notify(void *data, uint32_t events)
{
	struct driver *driver = data;

	link_drain(driver);
	notify_drain(driver);
}

int notify_open(struct driver *driver)
{
	struct id128 none = {{0}};
	int on = 1;

	driver->notify_fd = table_find_kept(&driver->table, KEPT_NOTIFY, none);
	if (driver->notify_fd < 0)
		return driver->notify_fd;
	if (setsockopt(driver->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	return loop_add(driver->loop, driver->notify_fd, EPOLLIN, RANK_NOTIFY, on_notify, driver,
		&driver->notify_source);
}

void notify_close(struct driver *driver)
{
	loop_remove(driver->notify_source);
	driver->notify_source = NULL;
}
