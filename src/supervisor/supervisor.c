/*
 * Setting up and the turn of the loop. There is no shutdown path: init ends this process, or
 * somebody kills it, and both are the same.
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "supervisor/control.h"
#include "supervisor/driver.h"
#include "supervisor/link.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "supervisor/pins.h"
#include "supervisor/restore.h"
#include "supervisor/watch.h"

#define LATE_US 1000000 /* a turn this late means that we were stopped (DESIGN 2.2, rule 4) */

static int open_table(struct driver *driver)
{
	_cleanup_(freep) char *path = place_runtime_path(&driver->place, "table");
	_cleanup_(freep) char *records = place_runtime_path(&driver->place, "records");
	bool aside = false;

	if (!path || !records)
		return -ENOMEM;
	int r = table_open(&driver->table, path);
	if (r < 0)
		return r;
	r = store_open(records, driver->table.header->boot_id, &driver->store, &aside);
	if (r == 0 && aside)
		driver_warn("%s was not a record file of this boot; it is kept as %s.bad", records,
			records);
	return r;
}

static int open_trees(struct driver *driver)
{
	struct error error = {0};
	int r = trees_new(
		driver->place.runtime, driver->table.header->init_pid, &driver->trees, &error);

	if (r < 0)
		driver_warn("%s", error.text);
	return r;
}

/* Every start watches a pipe for a moment, every client is a descriptor. */
static void raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int set_up(struct driver *driver, const char *runtime_dir, const char *log_dir)
{
	int r = place_given(runtime_dir, log_dir, &driver->place);
	if (r == 0)
		r = open_table(driver);
	if (r == 0)
		r = engine_new(&driver->engine);
	if (r == 0)
		r = loop_new(&driver->loop);
	if (r == 0)
		r = open_trees(driver);
	if (r == 0)
		r = pins_new(driver);
	if (r == 0)
		r = link_new(driver);
	if (r == 0)
		r = logger_new(driver);
	if (r == 0)
		r = eventlog_open(driver);
	if (r == 0)
		driver_warns_into(driver);
	if (r == 0)
		r = notify_open(driver);
	if (r == 0)
		r = control_open(driver);
	return r;
}

/* --- the turn --- */

static void fire_timers(struct driver *driver)
{
	for (;;) {
		struct heap_node *node = heap_first(&driver->timers);
		if (!node || node->key > driver_now_us(driver))
			return;
		struct timer *timer = (struct timer *)((char *)node - offsetof(struct timer, node));
		heap_remove(&driver->timers, node);
		timer->fire(driver, timer);
	}
}

static uint64_t next_deadline(struct driver *driver)
{
	uint64_t engine_us = engine_next_deadline(driver->engine);
	const struct heap_node *node = heap_first(&driver->timers);

	return node && node->key < engine_us ? node->key : engine_us;
}

/* Deadlines come last, against the clock as it was read before anything was looked at. */
static void serve_deadlines(struct driver *driver)
{
	struct event event = {.type = EVENT_TIME};
	uint64_t due_us = engine_next_deadline(driver->engine);

	link_drain(driver);
	notify_drain(driver);
	trees_refresh(driver->trees);
	if (due_us != ENGINE_NO_DEADLINE && due_us <= driver_now_us(driver)) {
		if (driver_now_us(driver) - due_us > LATE_US) {
			struct event late = {
				.type = EVENT_LATE, .late_us = driver_now_us(driver) - due_us};
			driver_feed(driver, &late);
		}
		driver_feed(driver, &event);
	}
	fire_timers(driver);
	driver_pump(driver);
}

static int turn(struct driver *driver)
{
	uint64_t deadline_us = next_deadline(driver);

	if (!driver->said_exit)
		trees_refresh(driver->trees);
	int r = loop_set_deadline(driver->loop, deadline_us);
	if (r == 0)
		r = loop_turn(driver->loop, deadline_us <= clock_monotonic_us());
	if (r < 0)
		return r;
	store_set_word(driver->store, STORE_HEARTBEAT_US, driver_now_us(driver));
	if (!driver->said_exit)
		serve_deadlines(driver);
	return 0;
}

int supervisor_main(const char *runtime_dir, const char *log_dir)
{
	static struct driver driver = {.notify_fd = -1, .events_fd = -1};

	/* A client that goes away must not end us; init ends us with SIGTERM or SIGKILL. */
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "hob-supervisor");
	raise_nofile();
	driver.exec_poll.fire = watch_exec_poll;
	int r = set_up(&driver, runtime_dir, log_dir);
	if (r == 0)
		r = restore(&driver);
	while (r == 0)
		r = turn(&driver);
	driver_warn("cannot go on: %s", strerror(-r));
	return 1;
}
