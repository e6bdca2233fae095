/*
 * Feeding the engine.
 *
 * An effect may fail at once (a spawn that init's socket refuses, a tree that is empty already):
 * its outcome is an event, but it may not be fed from within the step's effects, since those point
 * into the engine. So such events wait in a ring until the effects are done.
 */
#include "supervisor/driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "supervisor/logger.h"

#define WARNING_MAX 1024

/* For warnings, which come from everywhere; set once. */
static struct driver *the_driver;

struct queued_event {
	struct event event;
	char *service, *text; /* owned copies that event points to */
};

void driver_warns_into(struct driver *driver)
{
	the_driver = driver;
}

/* One system call for many steps: randomness is for run ids and jitter. */
static void draw_entropy(struct driver *driver, uint64_t ret_entropy[2])
{
	if (driver->n_entropy < 2) {
		if (getrandom(driver->entropy, sizeof(driver->entropy), 0) !=
			sizeof(driver->entropy))
			driver->entropy[0] ^= clock_monotonic_us();
		driver->n_entropy = sizeof(driver->entropy) / sizeof(driver->entropy[0]);
	}
	ret_entropy[0] = driver->entropy[--driver->n_entropy];
	ret_entropy[1] = driver->entropy[--driver->n_entropy];
}

static void step(struct driver *driver, struct event *event)
{
	event->now_us = clock_monotonic_us();
	event->wall_us = clock_wall_us();
	draw_entropy(driver, event->entropy);
	int r = engine_step(driver->engine, event, &driver->effects);
	if (r < 0) {
		/* What brought the event is consumed after it: a successor finds it still there. */
		driver_warn("out of memory: starting anew from the records");
		_exit(1);
	}
	effects_apply(driver);
}

int driver_queue(struct driver *driver, const struct event *event)
{
	if (driver->queue_n == driver->queue_capacity) {
		size_t capacity = driver->queue_capacity ? driver->queue_capacity * 2 : 16;
		struct queued_event *queue = calloc(capacity, sizeof(*queue));
		if (!queue)
			return -ENOMEM;
		for (size_t i = 0; i < driver->queue_n; i++)
			queue[i] = driver->queue[(driver->queue_head + i) % driver->queue_capacity];
		free(driver->queue);
		driver->queue = queue;
		driver->queue_capacity = capacity;
		driver->queue_head = 0;
	}
	struct queued_event queued = {.event = *event};
	if (event->service && !(queued.service = strdup(event->service)))
		return -ENOMEM;
	if (event->text && !(queued.text = strdup(event->text))) {
		free(queued.service);
		return -ENOMEM;
	}
	queued.event.service = queued.service;
	queued.event.text = queued.text;
	if (queued.event.unit)
		unit_ref(queued.event.unit);
	driver->queue[(driver->queue_head + driver->queue_n++) % driver->queue_capacity] = queued;
	return 0;
}

void driver_feed(struct driver *driver, struct event *event)
{
	step(driver, event);
	driver_pump(driver);
}

void driver_pump(struct driver *driver)
{
	while (driver->queue_n > 0) {
		struct queued_event queued = driver->queue[driver->queue_head];
		driver->queue_head = (driver->queue_head + 1) % driver->queue_capacity;
		driver->queue_n--;
		step(driver, &queued.event);
		free(queued.service);
		free(queued.text);
		unit_unref(queued.event.unit);
	}
}

void timer_set(struct driver *driver, struct timer *timer, uint64_t at_us)
{
	if (heap_set(&driver->timers, &timer->node, at_us) < 0)
		driver_warn("out of memory: a timer could not be set");
}

void timer_cancel(struct driver *driver, struct timer *timer)
{
	heap_remove(&driver->timers, &timer->node);
}

void driver_warn(const char *format, ...)
{
	char text[WARNING_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(stderr, "hob supervisor: %s\n", text);
	if (the_driver)
		eventlog_write(the_driver, NULL, "warning", text);
}
