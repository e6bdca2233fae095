/*
 * The loop: epoll and one timerfd. Hand-written because the order in which events are
 * taken is part of the crash-safety argument: sources have a rank, and a turn serves all ready
 * sources of a lower rank before any of a higher one.
 */
#pragma once

#include <stdint.h>

struct loop;
struct loop_source;

typedef void (*loop_callback)(void *data, uint32_t epoll_events);

int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *loop);
/* fd stays the caller's. rank: 0 first. Returns 0 or a negative errno. */
int loop_add(struct loop *loop, int fd, uint32_t epoll_events, unsigned rank,
	loop_callback callback, void *data, struct loop_source **ret_source);
int loop_modify(struct loop_source *source, uint32_t epoll_events);
/* Safe from inside a callback, also for a source that is ready in this turn. NULL is fine. */
void loop_remove(struct loop_source *source);
/* The one deadline (CLOCK_MONOTONIC, us; UINT64_MAX = none). */
int loop_set_deadline(struct loop *loop, uint64_t deadline_us);
/* One turn: waits for something (not at all when poll_only), reads the clock once, serves. Returns
 * 0, or a negative errno. */
int loop_turn(struct loop *loop, int poll_only);
/* CLOCK_MONOTONIC as read at the start of this turn, before any source was served. */
uint64_t loop_now_us(const struct loop *loop);
