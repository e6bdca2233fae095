/*
 * A process is taken for the recorded one when it has the run id in its environment or the
 * service's tag as its RLIMIT_LOCKS: both were set before it ran and are its own to lose only by
 * purpose. The pidfd is opened first and the proof is read after it, so that the proof is of that
 * very process.
 */
#include "supervisor/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#include "supervisor/link.h"
#include "supervisor/logger.h"

#define PROC_FILE_MAX (4u * 1024 * 1024)
#define STATUS_POLL_US 2000   /* between two looks at the ring of orphans */
#define STATUS_WAIT_US 200000 /* until a process that ended is told without its status */

static int read_proc(pid_t pid, const char *name, struct buf *ret_text)
{
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (r == 0 && ret_text->size < PROC_FILE_MAX) {
		r = buf_reserve(ret_text, 4096);
		ssize_t n = r == 0 ? read(fd, ret_text->data + ret_text->size, 4096) : 0;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		ret_text->size += (size_t)n;
	}
	close(fd);
	return r;
}

static bool has_run_id(pid_t pid, struct id128 run_id)
{
	_cleanup_(buf_done) struct buf environ = {0};
	char wanted[64] = "INVOCATION_ID=";

	id128_render(run_id, wanted + strlen(wanted));
	return read_proc(pid, "environ", &environ) == 0 && environ.size > 0 &&
	       memmem(environ.data, environ.size, wanted, strlen(wanted) + 1) != NULL;
}

static bool has_tag(pid_t pid, uint64_t tag)
{
	_cleanup_(buf_done) struct buf limits = {0};
	char wanted[64];

	snprintf(
		wanted, sizeof(wanted), "Max file locks            %llu ", (unsigned long long)tag);
	return read_proc(pid, "limits", &limits) == 0 && limits.size > 0 &&
	       memmem(limits.data, limits.size, wanted, strlen(wanted)) != NULL;
}

/* --- the end --- */

/* How init saw it end, if it came to init as an orphan. */
static const struct table_orphan *find_orphan(
	const struct driver *driver, const struct attachment *a)
{
	uint64_t head = atomic_load(&driver->table.header->orphan_head);
	uint64_t n = head < TABLE_ORPHANS ? head : TABLE_ORPHANS;

	for (uint64_t i = 1; i <= n; i++) {
		const struct table_orphan *orphan =
			&driver->table.orphans[(head - i) % TABLE_ORPHANS];
		if (orphan->pid == a->adopted_pid &&
			orphan->identity.pidfd_inode == a->adopted_identity.pidfd_inode &&
			orphan->identity.start_ticks == a->adopted_identity.start_ticks)
			return orphan;
	}
	return NULL;
}

/* A zombie's pidfd polls readable, but its status comes only when it was reaped. */
static void look_for_status(struct driver *driver, struct timer *timer)
{
	struct attachment *attachment =
		(struct attachment *)((char *)timer - offsetof(struct attachment, adopted_timer));
	const struct table_orphan *orphan = find_orphan(driver, attachment);
	struct event event = {.type = EVENT_PROCESS_EXITED,
		.token = attachment->adopted_token,
		.exit.kind = EXIT_KIND_UNKNOWN};

	if (!orphan && driver_now_us(driver) < attachment->adopted_until_us) {
		timer_set(driver, timer, driver_now_us(driver) + STATUS_POLL_US);
		return;
	}
	if (orphan)
		event.exit = link_exit_info(orphan->wait_status);
	adopt_end(attachment);
	driver_feed(driver, &event);
}

static void on_end(void *data, uint32_t events)
{
	struct attachment *attachment = data;
	struct driver *driver = attachment->driver;

	loop_remove(attachment->adopted_source);
	attachment->adopted_source = NULL;
	attachment->adopted_until_us = driver_now_us(driver) + STATUS_WAIT_US;
	attachment->adopted_timer.fire = look_for_status;
	timer_set(driver, &attachment->adopted_timer, driver_now_us(driver));
}

/* --- the beginning --- */

static int watch(struct attachment *attachment, uint64_t token, pid_t pid)
{
	adopt_end(attachment);
	int r = process_identify(pid, &attachment->adopted_identity);
	int fd = r < 0 ? r : process_open(pid, &attachment->adopted_identity);
	if (fd < 0)
		return fd;
	r = loop_add(attachment->driver->loop, fd, EPOLLIN, RANK_TABLE, on_end, attachment,
		&attachment->adopted_source);
	if (r < 0) {
		close(fd);
		return r;
	}
	attachment->adopted_fd = fd;
	attachment->adopted_token = token;
	attachment->adopted_pid = pid;
	return 0;
}

static void feed(struct driver *driver, enum event_type type, uint64_t token, pid_t pid)
{
	struct event event = {.type = type, .token = token, .pid = pid};

	driver_feed(driver, &event);
}

bool adopt(struct driver *driver, struct service *service)
{
	struct attachment *attachment = service->slot;
	pid_t pid = service->main_pid;

	if (pid <= 0 || watch(attachment, service->token, pid) < 0)
		return false;
	if (!has_run_id(pid, service->run.id) && !has_tag(pid, attachment_tag(service->run.id))) {
		adopt_end(attachment);
		return false;
	}
	/* The present init may be another than the one that kept its FIFO. */
	if (logger_run_begin(driver, service) < 0)
		driver_warn("the log of %s is not kept", service->name);
	feed(driver, EVENT_PROCESS_STARTED, service->token, pid);
	feed(driver, EVENT_PROCESS_EXECED, service->token, pid);
	return true;
}

static void refuse(struct driver *driver, uint64_t token)
{
	struct event event = {
		.type = EVENT_PROCESS_EXITED, .token = token, .exit.kind = EXIT_KIND_UNKNOWN};

	if (driver_queue(driver, &event) < 0)
		driver_warn("out of memory: a MAINPID= is left undecided");
}

void adopt_ask(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;
	struct channel_message message = {.op = CHANNEL_WATCH,
		.token = effect->token,
		.pid = effect->pid,
		.id = effect->service->run.id};
	struct tree_id tree = attachment_tree_id(effect->service);
	struct process_identity identity;

	/* The pidfd first: the check is then of the process that it stands for. */
	int r = process_identify(effect->pid, &identity);
	int fd = r < 0 ? r : process_open(effect->pid, &identity);
	trees_refresh(driver->trees);
	if (fd < 0 || tree_contains(driver->trees, &tree, effect->pid) <= 0) {
		if (fd >= 0)
			close(fd);
		refuse(driver, effect->token);
		return;
	}
	attachment->asked_pid = effect->pid;
	snprintf(message.unit_name, sizeof(message.unit_name), "%s", effect->service->name);
	if (link_send(driver, &message, &fd, 1) < 0)
		refuse(driver, effect->token);
}

void adopt_not_mine(struct driver *driver, uint64_t token)
{
	struct service *service = engine_find_token(driver->engine, token);
	struct attachment *attachment = service ? service->slot : NULL;
	struct event gone = {
		.type = EVENT_PROCESS_EXITED, .token = token, .exit.kind = EXIT_KIND_UNKNOWN};

	if (!attachment)
		return;
	struct tree_id tree = attachment_tree_id(service);
	trees_refresh(driver->trees);
	/* Its pidfd first: the check is then of that very process. */
	if (watch(attachment, token, attachment->asked_pid) < 0) {
		driver_feed(driver, &gone);
	} else if (tree_contains(driver->trees, &tree, attachment->asked_pid) <= 0) {
		adopt_end(attachment);
		driver_feed(driver, &gone);
	} else
		feed(driver, EVENT_WATCHED, token, attachment->asked_pid);
}

bool adopt_signal(struct attachment *attachment, uint64_t token, int signo)
{
	if (attachment->adopted_fd < 0 || attachment->adopted_token != token)
		return false;
	(void)process_signal(attachment->adopted_fd, signo); /* -ESRCH: its end is on its way */
	return true;
}

void adopt_end(struct attachment *attachment)
{
	if (attachment->adopted_fd < 0)
		return;
	timer_cancel(attachment->driver, &attachment->adopted_timer);
	loop_remove(attachment->adopted_source);
	close(attachment->adopted_fd);
	attachment->adopted_fd = -1;
	attachment->adopted_source = NULL;
}
