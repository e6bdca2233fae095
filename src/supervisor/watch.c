/*
 * The exec pipe is CLOEXEC in the child: its end without a failed step in the row means that execve
 * has succeeded. A successor after a crash has no pipe; it asks /proc/PID/stat for PF_FORKNOEXEC,
 * which the kernel clears in execve, every 5 ms for as long as a start waits for it.
 *
 * The readiness pipe is peeked with tee(2): what it said must be recorded before it is consumed,
 * and it is never consumed at all, since its end comes with the run.
 */
#include "supervisor/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/child.h"
#include "os/process.h"
#include "os/spec.h"
#include "supervisor/link.h"

#define EXEC_POLL_US 5000
#define PF_FORKNOEXEC 0x40 /* include/linux/sched.h: forked but didn't exec */
#define READY_PEEK_MAX 4096

static void feed_execed(struct driver *driver, uint64_t token)
{
	struct event event = {.type = EVENT_PROCESS_EXECED, .token = token};

	driver_feed(driver, &event);
}

void watch_exec_end(struct attachment *attachment)
{
	if (attachment->exec_source)
		loop_remove(attachment->exec_source);
	if (attachment->exec_fd >= 0)
		close(attachment->exec_fd);
	attachment->exec_source = NULL;
	attachment->exec_fd = -1;
	attachment->exec_token = 0;
}

/* init had no room for a row: only the pipe says what became of the spawn. */
static void feed_refused(struct driver *driver, uint64_t token, const struct child_failure *failure)
{
	struct event event = {.type = EVENT_PROCESS_EXITED,
		.token = token,
		.exit = {.kind = EXIT_KIND_STEP,
			.step = failure->step,
			.error = failure->error,
			.code = child_step_exit_status((enum child_step)failure->step)}};

	driver_feed(driver, &event);
}

/* Neither a row nor a word: the wish did not arrive. */
static void feed_not_sent(struct driver *driver, uint64_t token)
{
	struct event event = {.type = EVENT_PROCESS_NOT_SENT, .token = token};

	if (token > atomic_load(&driver->table.header->last_token))
		driver_feed(driver, &event);
}

static void on_exec(void *data, uint32_t events)
{
	struct attachment *attachment = data;
	struct driver *driver = attachment->driver;
	uint64_t token = attachment->exec_token;
	struct child_failure failure;

	bool failed = read(attachment->exec_fd, &failure, sizeof(failure)) == sizeof(failure);
	watch_exec_end(attachment);
	link_drain(driver);
	const struct table_row *row = link_row(driver, attachment, token);
	if (!row && failed)
		feed_refused(driver, token, &failure);
	else if (!row)
		feed_not_sent(driver, token);
	if (row && atomic_load_explicit(&row->step, memory_order_acquire) == STEP_NONE &&
		atomic_load_explicit(&row->state, memory_order_acquire) != ROW_EXITED)
		feed_execed(driver, token);
}

int watch_exec(struct driver *driver, struct attachment *attachment, uint64_t token, int fd)
{
	watch_exec_end(attachment);
	attachment->exec_token = token;
	attachment->exec_fd = fd;
	if (fd >= 0)
		return loop_add(driver->loop, fd, EPOLLIN, RANK_EXEC, on_exec, attachment,
			&attachment->exec_source);
	timer_set(driver, &driver->exec_poll, driver_now_us(driver));
	return 0;
}

void watch_exec_ended(struct driver *driver, uint64_t token, bool ran)
{
	struct service *service = engine_find_token(driver->engine, token);
	struct attachment *attachment = service ? service->slot : NULL;

	if (!attachment || attachment->exec_token != token)
		return;
	watch_exec_end(attachment);
	if (ran)
		feed_execed(driver, token);
}

/* 1: past execve; 0: not yet; negative: it is gone, the bell will tell. */
static int has_execed(pid_t pid)
{
	struct process_stat stat;
	int r = process_stat(pid, &stat);

	return r < 0 ? r : !(stat.flags & PF_FORKNOEXEC);
}

void watch_exec_poll(struct driver *driver, struct timer *timer)
{
	bool again = false;

	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		struct attachment *attachment = s->slot;
		if (!attachment || !attachment->exec_token || attachment->exec_fd >= 0)
			continue;
		uint64_t token = attachment->exec_token;
		const struct table_row *row = link_row(driver, attachment, token);
		int r = row ? has_execed(row->pid) : 0;
		if (r > 0 && atomic_load(&row->state) == ROW_RUNNING) {
			watch_exec_end(attachment);
			feed_execed(driver, token);
		} else {
			again = true;
		}
	}
	if (again)
		timer_set(driver, timer, driver_now_us(driver) + EXEC_POLL_US);
}

/* --- readiness descriptor --- */

enum peeked { PEEKED_NOTHING, PEEKED_NEWLINE, PEEKED_END };

/* Copies what waits into a pipe of our own, so that the original keeps it. */
static enum peeked peek(int fd)
{
	char bytes[READY_PEEK_MAX];
	int copy[2];

	if (pipe2(copy, O_CLOEXEC | O_NONBLOCK) < 0)
		return PEEKED_NOTHING;
	ssize_t n = tee(fd, copy[1], sizeof(bytes), SPLICE_F_NONBLOCK);
	enum peeked result = n == 0 ? PEEKED_END : PEEKED_NOTHING;
	if (n > 0) {
		n = read(copy[0], bytes, sizeof(bytes));
		if (n > 0 && memchr(bytes, '\n', (size_t)n))
			result = PEEKED_NEWLINE;
		else if (n == sizeof(bytes))
			result = PEEKED_END; /* so much and no newline: not this protocol */
	}
	close(copy[0]);
	close(copy[1]);
	return result;
}

static void on_ready(void *data, uint32_t events)
{
	struct attachment *attachment = data;
	struct driver *driver = attachment->driver;
	struct event event = {
		.service = attachment->service->name, .run_id = attachment->ready_run};

	link_drain(driver);
	/* The run may have ended just now, and another one begun. */
	if (!attachment->ready_source || !id128_equal(attachment->ready_run, event.run_id))
		return;
	enum peeked peeked = peek(attachment->ready_fd);
	if (peeked == PEEKED_NOTHING && !(events & EPOLLHUP))
		return;
	event.type = peeked == PEEKED_NEWLINE ? EVENT_READY : EVENT_READY_CLOSED;
	loop_remove(attachment->ready_source);
	attachment->ready_source = NULL;
	driver_feed(driver, &event);
	watch_ready_end(driver, attachment);
}

int watch_ready(struct driver *driver, struct attachment *attachment, int fd)
{
	attachment->ready_fd = fd;
	attachment->ready_run = attachment->service->run.id;
	return loop_add(driver->loop, fd, EPOLLIN, RANK_NOTIFY, on_ready, attachment,
		&attachment->ready_source);
}

void watch_ready_end(struct driver *driver, struct attachment *attachment)
{
	if (attachment->ready_fd < 0)
		return;
	loop_remove(attachment->ready_source);
	attachment->ready_source = NULL;
	close(attachment->ready_fd);
	attachment->ready_fd = -1;
	link_drop(driver, KEPT_READY, attachment->ready_run);
}
