/*
 * The loop. epoll_wait(2) fills an array; sources that are ready are marked, and then served in the
 * order of their rank, whatever order the kernel listed them in. Removing a source inside a
 * callback unmarks it, so that nothing is served after its removal; its memory is freed at the
 * turn's end.
 *
 * The deadline needs no timerfd of its own rank: the caller looks at its deadlines after each turn.
 */
#include "os/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"

#define LOOP_EVENTS_MAX 256
#define LOOP_RANKS 8

struct loop_source {
	struct loop *loop;
	struct loop_source *next_removed;
	loop_callback callback;
	void *data;
	int fd;
	unsigned rank;
	uint32_t ready; /* events of this turn that were not served yet */
	bool removed;
};

struct loop {
	int epoll_fd, timer_fd;
	uint64_t now_us, deadline_us;
	struct loop_source *removed; /* freed at the end of the turn */
};

int loop_new(struct loop **ret_loop)
{
	struct epoll_event event = {.events = EPOLLIN};

	_cleanup_(freep) struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->deadline_us = UINT64_MAX;
	loop->now_us = clock_monotonic_us();
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0 ||
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0) {
		int r = -errno;
		if (loop->timer_fd >= 0)
			close(loop->timer_fd);
		close(loop->epoll_fd);
		return r;
	}
	*ret_loop = take(loop);
	return 0;
}

static void free_removed(struct loop *loop)
{
	while (loop->removed) {
		struct loop_source *source = loop->removed;
		loop->removed = source->next_removed;
		free(source);
	}
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	free_removed(loop);
	close(loop->timer_fd);
	close(loop->epoll_fd);
	free(loop);
	return NULL;
}

int loop_add(struct loop *loop, int fd, uint32_t epoll_events, unsigned rank,
	loop_callback callback, void *data, struct loop_source **ret_source)
{
	assert(rank < LOOP_RANKS);
	struct loop_source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	*source = (struct loop_source){
		.loop = loop, .callback = callback, .data = data, .fd = fd, .rank = rank};
	struct epoll_event event = {.events = epoll_events, .data.ptr = source};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;
		free(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

int loop_modify(struct loop_source *source, uint32_t epoll_events)
{
	struct epoll_event event = {.events = epoll_events, .data.ptr = source};

	return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno
											: 0;
}

void loop_remove(struct loop_source *source)
{
	if (!source || source->removed)
		return;
	/* Fails only when the caller has closed the descriptor before: then it is out already. */
	epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->removed = true;
	source->ready = 0;
	source->next_removed = source->loop->removed;
	source->loop->removed = source;
}

int loop_set_deadline(struct loop *loop, uint64_t deadline_us)
{
	struct itimerspec timer = {0};

	if (deadline_us == loop->deadline_us)
		return 0;
	if (deadline_us != UINT64_MAX) {
		uint64_t at_us = deadline_us > 0 ? deadline_us : 1; /* 0 would disarm it */
		timer.it_value.tv_sec = (time_t)(at_us / 1000000);
		timer.it_value.tv_nsec = (long)(at_us % 1000000) * 1000;
	}
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL) < 0)
		return -errno;
	loop->deadline_us = deadline_us;
	return 0;
}

static void serve(struct epoll_event *events, int n)
{
	for (unsigned rank = 0; rank < LOOP_RANKS; rank++) {
		for (int i = 0; i < n; i++) {
			struct loop_source *source = events[i].data.ptr;
			if (!source || source->rank != rank || !source->ready)
				continue;
			uint32_t ready = source->ready;
			source->ready = 0;
			source->callback(source->data, ready);
		}
	}
}

int loop_turn(struct loop *loop, int poll_only)
{
	struct epoll_event events[LOOP_EVENTS_MAX];
	int n = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS_MAX, poll_only ? 0 : -1);

	if (n < 0 && errno != EINTR)
		return -errno;
	loop->now_us = clock_monotonic_us();
	for (int i = 0; i < n; i++) {
		struct loop_source *source = events[i].data.ptr;
		if (source) {
			source->ready = events[i].events;
		} else {
			uint64_t expirations;
			if (read(loop->timer_fd, &expirations, sizeof(expirations)) > 0)
				loop->deadline_us =
					UINT64_MAX; /* it has fired: the next one is set anew */
		}
	}
	if (n > 0)
		serve(events, n);
	free_removed(loop);
	return 0;
}

uint64_t loop_now_us(const struct loop *loop)
{
	return loop->now_us;
}
