/*
 * Waiting for a tree to become empty costs nothing: with cgroups its cgroup.events polls, with the
 * scan every process of a dead main is reaped by init, whose bell says that orphans went. Only
 * killing is timed, in rounds, since a process may fork while it is being killed.
 */
#include "supervisor/tree.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"

#define KILL_ROUND_US 10000   /* between two rounds of killing */
#define COUNT_AGAIN_US 100000 /* after a count that failed */
#define DESCRIBE_MAX 8	      /* processes named when they cannot be killed */
#define COMMAND_MAX 80

/* An effect's answer is queued, since a step is under way; a callback of the loop feeds it itself.
 */
enum when { IN_STEP, IN_CALLBACK };

static void answer(struct driver *driver, struct attachment *attachment, int n, bool unkillable,
	enum when when)
{
	_cleanup_(freep) char *names =
		unkillable ? tree_describe(driver, attachment->service) : NULL;
	struct event event = {.type = EVENT_TREE,
		.service = attachment->service->name,
		.id = attachment->tree_id,
		/* Who cannot be counted is there: "none" is never said because of an error. */
		.n_processes = n < 0 ? 1 : (uint32_t)n,
		.unkillable = unkillable,
		.text = names};

	if (when == IN_CALLBACK)
		driver_feed(driver, &event);
	else if (driver_queue(driver, &event) < 0)
		driver_warn("out of memory: the end of %s is told late", attachment->service->name);
}

void tree_forget(struct driver *driver, struct attachment *attachment)
{
	attachment->tree_wish = TREE_NOTHING;
	timer_cancel(driver, &attachment->tree_timer);
	loop_remove(attachment->tree_source);
	attachment->tree_source = NULL;
	if (attachment->tree_fd >= 0)
		close(attachment->tree_fd);
	attachment->tree_fd = -1;
}

static int count(struct driver *driver, const struct attachment *attachment)
{
	struct tree_id id = attachment_tree_id(attachment->service);

	return tree_count(driver->trees, &id);
}

static void look_again(struct driver *driver, struct attachment *attachment)
{
	if (attachment->tree_wish == TREE_NOTHING || count(driver, attachment) != 0)
		return;
	tree_forget(driver, attachment);
	answer(driver, attachment, 0, false, IN_CALLBACK);
}

static void on_tree(void *data, uint32_t events)
{
	struct attachment *attachment = data;
	char bytes[256];

	if (attachment->driver->said_exit)
		return;

	/* Reading cgroup.events arms it again; of a removed cgroup it fails, and the tree is gone.
	 */
	if (pread(attachment->tree_fd, bytes, sizeof(bytes), 0) < 0) {
		loop_remove(attachment->tree_source);
		attachment->tree_source = NULL;
	}
	trees_refresh(attachment->driver->trees);
	look_again(attachment->driver, attachment);
}

/* It could not be counted for want of something: no bell will tell, so it is asked again. */
static void count_again(struct driver *driver, struct timer *timer)
{
	struct attachment *attachment =
		(struct attachment *)((char *)timer - offsetof(struct attachment, tree_timer));

	trees_refresh(driver->trees);
	if (count(driver, attachment) < 0)
		timer_set(driver, timer, driver_now_us(driver) + COUNT_AGAIN_US);
	else
		look_again(driver, attachment);
}

/* Answers now; where something is left, arranges to answer again when it is gone. */
static void answer_and_await(
	struct driver *driver, struct attachment *attachment, enum tree_wish wish)
{
	struct tree_id id = attachment_tree_id(attachment->service);

	attachment->tree_wish = wish;
	if (attachment->tree_fd < 0)
		attachment->tree_fd = tree_watch(driver->trees, &id);
	if (attachment->tree_fd >= 0 && !attachment->tree_source &&
		loop_add(driver->loop, attachment->tree_fd, EPOLLPRI, RANK_TREE, on_tree,
			attachment, &attachment->tree_source) < 0)
		driver_warn("cannot watch the processes of %s", attachment->service->name);
	int n = count(driver, attachment);
	if (n == 0)
		tree_forget(driver, attachment);
	if (n < 0) {
		attachment->tree_timer.fire = count_again;
		timer_set(driver, &attachment->tree_timer, driver_now_us(driver) + COUNT_AGAIN_US);
	}
	answer(driver, attachment, n, false, IN_STEP);
}

void tree_check(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;

	attachment->tree_id = effect->id;
	answer_and_await(driver, attachment, TREE_AWAIT_EMPTY);
}

void tree_send(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;
	struct tree_id id = attachment_tree_id(effect->service);

	attachment->tree_id = effect->id;
	tree_signal(driver->trees, &id, effect->signo, effect->without_main ? id.main_pid : 0);
	answer_and_await(driver, attachment, TREE_AWAIT_EMPTY);
}

static void kill_round(struct driver *driver, struct timer *timer)
{
	struct attachment *attachment =
		(struct attachment *)((char *)timer - offsetof(struct attachment, tree_timer));
	struct tree_id id = attachment_tree_id(attachment->service);

	trees_refresh(driver->trees);
	int n = tree_count(driver->trees, &id);
	if (n == 0) {
		look_again(driver, attachment);
	} else if (driver_now_us(driver) >= attachment->tree_kill_until_us) {
		/* What is left goes on being awaited: it may end when its disk comes back. */
		attachment->tree_wish = TREE_AWAIT_EMPTY;
		answer(driver, attachment, n, true, IN_CALLBACK);
	} else {
		tree_kill_round(driver->trees, &id);
		timer_set(driver, timer, driver_now_us(driver) + KILL_ROUND_US);
	}
}

void tree_kill(struct driver *driver, const struct effect *effect)
{
	struct attachment *attachment = effect->service->slot;
	struct tree_id id = attachment_tree_id(effect->service);

	attachment->tree_id = effect->id;
	attachment->tree_kill_until_us = driver_now_us(driver) + TREE_KILL_BOUND_US;
	tree_kill_round(driver->trees, &id);
	trees_refresh(driver->trees);
	answer_and_await(driver, attachment, TREE_KILLING);
	if (attachment->tree_wish == TREE_NOTHING)
		return;
	attachment->tree_timer.fire = kill_round;
	timer_set(driver, &attachment->tree_timer, driver_now_us(driver) + KILL_ROUND_US);
}

void tree_look_at_awaited(struct driver *driver)
{
	trees_refresh(driver->trees);
	for (struct service *s = engine_next(driver->engine, NULL); s;
		s = engine_next(driver->engine, s)) {
		if (s->slot)
			look_again(driver, s->slot);
	}
}

char *tree_describe(struct driver *driver, const struct service *service)
{
	struct tree_id id = attachment_tree_id(service);
	_cleanup_(freep) struct tree_process *processes = NULL;
	_cleanup_(buf_done) struct buf text = {0};

	int n = tree_list(driver->trees, &id, &processes);
	for (int i = 0; i < n && i < DESCRIBE_MAX; i++) {
		struct process_stat stat;
		char command[COMMAND_MAX];
		if (process_stat(processes[i].pid, &stat) < 0 ||
			process_command(processes[i].pid, command, sizeof(command)) < 0)
			continue;
		buf_printf(&text, "%spid %d (%s, state %c)", text.size > 0 ? ", " : "",
			(int)processes[i].pid, command, stat.state);
	}
	if (n > DESCRIBE_MAX)
		buf_printf(&text, " and %d more", n - DESCRIBE_MAX);
	return buf_take_string(&text);
}
