/*
 * The loop. It waits in epoll without a time limit when nothing is in use: an idle logger costs
 * nothing.
 *
 * There is no way to end it but a signal, and no state to save: what is in the pipes is in the
 * kernel, whose bytes are in the stage is in the ledger, and the rest the supervisor tells again.
 */
#include "logger/logger.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <fcntl.h>
#include <unistd.h>
#include "logger/mover.h"
#include "logger/report.h"
#include "logger/request.h"
#include "os/clock.h"

#define EVENTS_PER_TURN 256

/* Descriptors: one a FIFO, two a log that is open. Returns how many logs may be. */
static unsigned raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 32;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur / 8 >= WRITER_OPEN_MAX)
		return WRITER_OPEN_MAX;
	return limit.rlim_cur / 8 < 8 ? 8 : (unsigned)(limit.rlim_cur / 8);
}

static int watch(struct mover *mover, int fd, void *tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};

	return epoll_ctl(mover->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int set_up(struct mover *mover, const struct logger_config *config)
{
	*mover = (struct mover){
		.config = config,
		.outbox.fd = config->channel_fd,
		.rescan_us = UINT64_MAX,
		.channel_events = EPOLLIN,
		.now_us = clock_monotonic_us(),
	};
	unsigned open_max = raise_limits();
	int r = stage_open(
		&mover->stage, config->runtime_dir, config->stage_read_fd, config->stage_write_fd);
	if (r < 0)
		return r;
	mover->stage.copy_only = config->copy_only;
	int size = fcntl(config->stage_write_fd, F_GETPIPE_SZ);
	mover->stage_size = size > 0 ? (uint64_t)size : FIFO_SMALL_SIZE;
	mover->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (mover->epoll_fd < 0)
		return -errno;
	r = writer_start(&mover->writer, &mover->stage, config->log_dir, open_max);
	if (r == 0)
		r = watch(mover, mover->writer.done_fd, &mover->writer);
	if (r == 0)
		r = watch(mover, config->channel_fd, &mover->outbox);
	return r;
}

/* Listens to the channel for what there is room and need for. */
static void adjust_channel(struct mover *mover)
{
	struct epoll_event event = {.data.ptr = &mover->outbox};

	if (mover->outbox.fd < 0)
		return;
	if (request_has_room(mover))
		event.events |= EPOLLIN;
	if (mover->outbox.n > 0 || mover->report_all)
		event.events |= EPOLLOUT;
	if (event.events == mover->channel_events)
		return;
	mover->channel_events = event.events;
	epoll_ctl(mover->epoll_fd, EPOLL_CTL_MOD, mover->outbox.fd, &event);
}

static void serve_channel(struct mover *mover, uint32_t events)
{
	if (events & EPOLLOUT)
		outbox_flush(&mover->outbox);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || request_receive(mover) == 0)
		return;
	/* init holds both ends, so init is gone: what is staged is delivered, then we go, too. What
	 * services write from now on waits in their FIFOs, which they hold open themselves. */
	epoll_ctl(mover->epoll_fd, EPOLL_CTL_DEL, mover->outbox.fd, NULL);
	outbox_clear(&mover->outbox);
	mover->outbox.fd = -1;
}

static void serve(struct mover *mover, const struct epoll_event *event)
{
	uint64_t count;

	if (event->data.ptr == &mover->outbox) {
		serve_channel(mover, event->events);
	} else if (event->data.ptr == &mover->writer) {
		if (read(mover->writer.done_fd, &count, sizeof(count)) > 0)
			mover->writer_spoke = true;
	} else {
		struct fifo *fifo = event->data.ptr;
		fifo->by_event = true;
		mover_place(mover, fifo, FIFO_DUE);
	}
}

static int timeout_ms(const struct mover *mover)
{
	uint64_t deadline_us = mover_deadline_us(mover);

	if (deadline_us == UINT64_MAX)
		return -1;
	uint64_t now_us = clock_monotonic_us();
	return deadline_us <= now_us ? 0 : (int)((deadline_us - now_us + 999) / 1000);
}

static int turn(struct mover *mover)
{
	struct epoll_event events[EVENTS_PER_TURN];

	int n = epoll_wait(mover->epoll_fd, events, EVENTS_PER_TURN, timeout_ms(mover));
	if (n < 0 && errno != EINTR)
		return -errno;
	mover->now_us = clock_monotonic_us();
	for (int i = 0; i < n; i++)
		serve(mover, &events[i]);
	/* After the events: only here are FIFOs freed, which the events of this turn point to. */
	mover_pump(mover);
	adjust_channel(mover);
	return 0;
}

int logger_run(const struct logger_config *config)
{
	static struct mover mover;
	struct log_message hello = {.op = LOG_OP_LOGGER_HELLO};

	/* A file that may not grow is a write that fails, like a full disk. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	int r = set_up(&mover, config);
	if (r == 0) {
		mover_recover(&mover);
		outbox_send(&mover.outbox, &hello);
		mover_scan(&mover);
		mover_pump(&mover);
		adjust_channel(&mover);
	}
	while (r == 0 && (mover.outbox.fd >= 0 || mover.writer.busy))
		r = turn(&mover);
	if (r == 0)
		return 0;
	fprintf(stderr, "hob logger: %s\n", strerror(-r));
	return 1;
}

int logger_main(const char *runtime_dir, const char *log_dir, int stage_read_fd, int stage_write_fd,
	int channel_fd)
{
	struct logger_config config = {
		.runtime_dir = runtime_dir,
		.log_dir = log_dir,
		.stage_read_fd = stage_read_fd,
		.stage_write_fd = stage_write_fd,
		.channel_fd = channel_fd,
	};

	prctl(PR_SET_NAME, "hob-logger");
	return logger_run(&config);
}
