/*
 * The table is the truth: a bell only says which row to look at, and a lost one is made good by
 * looking at all. Feeding the same state of a row twice does no harm, the engine ignores it.
 */
#include "supervisor/link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/spec.h"
#include "supervisor/adopt.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "supervisor/tree.h"
#include "supervisor/watch.h"

struct wish {
	struct wish *next;
	struct channel_message message;
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds;
};

struct link {
	struct loop_source *source;
	struct wish *first, **last;
	unsigned n_wishes;
};

static void close_all(const int *fds, unsigned n_fds)
{
	for (unsigned i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* --- out --- */

static bool must_wait(int r)
{
	/* ETOOMANYREFS: too many descriptors of ours are in flight (unix(7)). */
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS;
}

static void send_waiting(struct driver *driver)
{
	struct link *link = driver->link;

	while (link->first) {
		struct wish *wish = link->first;
		int r = channel_send(CHANNEL_SUPERVISOR_FD, &wish->message, wish->fds, wish->n_fds);
		if (must_wait(r))
			return;
		link->first = wish->next;
		if (!link->first)
			link->last = &link->first;
		link->n_wishes--;
		close_all(wish->fds, wish->n_fds);
		free(wish);
	}
	loop_modify(link->source, EPOLLIN);
}

static int queue_wish(
	struct link *link, const struct channel_message *message, const int *fds, unsigned n_fds)
{
	if (link->n_wishes >= LINK_QUEUE_MAX)
		return -ENOBUFS;
	struct wish *wish = calloc(1, sizeof(*wish));
	if (!wish)
		return -ENOMEM;
	wish->message = *message;
	wish->n_fds = n_fds;
	if (n_fds > 0)
		memcpy(wish->fds, fds, n_fds * sizeof(*fds));
	*link->last = wish;
	link->last = &wish->next;
	link->n_wishes++;
	(void)loop_modify(
		link->source, EPOLLIN | EPOLLOUT); /* of a source that is there: cannot fail */
	return 0;
}

int link_send(struct driver *driver, const struct channel_message *message, const int *fds,
	unsigned n_fds)
{
	struct channel_message stamped = *message;
	int r = -EAGAIN;

	stamped.version = CHANNEL_VERSION;
	if (!driver->link->first)
		r = channel_send(CHANNEL_SUPERVISOR_FD, &stamped, fds, n_fds);
	if (must_wait(r)) {
		r = queue_wish(driver->link, &stamped, fds, n_fds);
		if (r == 0)
			return 0; /* the queue owns the descriptors now */
	}
	close_all(fds, n_fds);
	return r;
}

int link_token(struct driver *driver, enum channel_op op, uint64_t token, uint64_t value)
{
	struct channel_message message = {.op = op, .token = token, .value = value};

	return link_send(driver, &message, NULL, 0);
}

int link_keep(struct driver *driver, enum kept_kind kind, struct id128 id, int fd)
{
	struct channel_message message = {.op = CHANNEL_KEEP, .kind = kind, .id = id};

	return link_send(driver, &message, &fd, 1);
}

void link_drop(struct driver *driver, enum kept_kind kind, struct id128 id)
{
	struct channel_message message = {.op = CHANNEL_DROP, .kind = kind, .id = id};

	if (link_send(driver, &message, NULL, 0) < 0)
		driver_warn("a descriptor of a run that is over stays open in init until the next "
			    "start");
}

/* --- in --- */

struct exit_info link_exit_info(int wait_status)
{
	if (WIFEXITED(wait_status))
		return (struct exit_info){
			.kind = EXIT_KIND_EXITED, .code = WEXITSTATUS(wait_status)};
	if (WIFSIGNALED(wait_status))
		return (struct exit_info){.code = WTERMSIG(wait_status),
			.kind = WCOREDUMP(wait_status) ? EXIT_KIND_DUMPED : EXIT_KIND_KILLED};
	return (struct exit_info){.kind = EXIT_KIND_UNKNOWN};
}

static struct exit_info exit_of_row(const struct table_row *row)
{
	uint32_t failed = atomic_load_explicit(&row->step, memory_order_acquire);

	if (failed == STEP_NONE)
		return link_exit_info(row->wait_status);
	return (struct exit_info){.kind = EXIT_KIND_STEP,
		.step = (int)failed,
		.error = row->step_errno,
		.code = child_step_exit_status((enum child_step)failed)};
}

static void feed_exit(struct driver *driver, const struct table_row *row)
{
	struct event event = {.type = EVENT_PROCESS_EXITED,
		.token = row->token,
		.pid = row->pid,
		.run_id = row->run_id,
		.exit = exit_of_row(row),
		.cpu_us = row->cpu_us,
		.memory_max_bytes = row->memory_max_bytes};
	struct service *service = engine_find_token(driver->engine, row->token);

	if (service && service->slot)
		((struct attachment *)service->slot)->main_ended_us = row->ended_us;
	/* A process that ended without a failed step was past execve, whether or not we saw it. */
	watch_exec_ended(driver, row->token, event.exit.kind != EXIT_KIND_STEP);
	driver_feed(driver, &event);
}

static void feed_row(struct driver *driver, const struct table_row *row, uint32_t state)
{
	struct event started = {.type = EVENT_PROCESS_STARTED,
		.token = row->token,
		.pid = row->pid,
		.run_id = row->run_id};

	/* First whose pid it is: a message it sent before it ended is still in the notify socket.
	 */
	if (row->pid > 0)
		driver_feed(driver, &started);
	if (state == ROW_EXITED) {
		notify_drain(driver);
		feed_exit(driver, row);
	}
}

/* A row that no service names: the record that named it is gone. What has ended may go. */
static void look_at_stranger(struct driver *driver, const struct table_row *row, uint32_t state)
{
	if (state == ROW_EXITED && link_token(driver, CHANNEL_ACK, row->token, 0) < 0)
		driver_warn("init's table keeps a row that nobody needs");
}

static void look_at_row(struct driver *driver, const struct table_row *row)
{
	uint32_t state = atomic_load_explicit(&row->state, memory_order_acquire);

	if (state == ROW_FREE)
		return;
	if (!engine_find_token(driver->engine, row->token))
		look_at_stranger(driver, row, state);
	else
		feed_row(driver, row, state);
}

void link_look(struct driver *driver, uint64_t token)
{
	const struct table_row *row = table_find(&driver->table, token);

	if (row)
		look_at_row(driver, row);
}

void link_look_at_all(struct driver *driver)
{
	uint32_t n = atomic_load_explicit(&driver->table.header->rows_used, memory_order_acquire);

	for (uint32_t i = 0; i < n; i++)
		look_at_row(driver, &driver->table.rows[i]);
	driver->n_orphan_bells++;
}

void link_shutdown_wanted(struct driver *driver)
{
	uint32_t signo = atomic_load(&driver->table.header->shutdown_wanted);
	struct event event = {.type = EVENT_SHUTDOWN, .id = signo};

	if (signo == 0)
		return;
	store_set_word(driver->store, STORE_SHUTDOWN, 1);
	driver_feed(driver, &event);
	link_token(driver, CHANNEL_SHUTDOWN_TAKEN, 0, signo);
}

/* The bell tells the row's number, which spares the search. */
static void take_row_bell(struct driver *driver, const struct channel_message *message)
{
	const struct table_row *row = table_row_at(&driver->table, message->value, message->token);
	struct service *service = engine_find_token(driver->engine, message->token);
	struct attachment *attachment = service ? service->slot : NULL;

	if (attachment)
		attachment->row_number = message->value;
	if (row)
		look_at_row(driver, row);
}

const struct table_row *link_row(
	struct driver *driver, const struct attachment *attachment, uint64_t token)
{
	const struct table_row *row = table_row_at(&driver->table, attachment->row_number, token);

	return row ? row : table_find(&driver->table, token);
}

static void take_bell(struct driver *driver, const struct channel_message *message)
{
	struct event event = {.type = EVENT_WATCHED, .token = message->token};

	switch ((enum channel_op)message->op) {
	case CHANNEL_BELL:
		take_row_bell(driver, message);
		break;
	case CHANNEL_LOOK_AT_ALL:
		link_look_at_all(driver);
		link_shutdown_wanted(driver);
		break;
	case CHANNEL_ORPHANS:
		driver->n_orphan_bells++;
		break;
	case CHANNEL_WATCHED:
		driver_feed(driver, &event);
		break;
	case CHANNEL_NOT_MINE:
		adopt_not_mine(driver, message->token);
		break;
	case CHANNEL_SHUTDOWN:
		link_shutdown_wanted(driver);
		break;
	case CHANNEL_LOGGER:
		logger_is_new(driver);
		break;
	default:
		break; /* of a newer init: its table says the same */
	}
}

void link_drain(struct driver *driver)
{
	while (!driver->said_exit) {
		struct channel_message message;
		int fds[CHANNEL_FDS_MAX];
		unsigned n_fds = 0;

		int r = channel_receive(CHANNEL_SUPERVISOR_FD, &message, fds, &n_fds);
		if (r == 0)
			break;
		if (r == -EBADMSG)
			continue;
		if (r < 0) {
			/* Without init nobody would reap or restart: its successor begins anew. */
			driver_warn(
				"init is gone; services run on, `hob start` begins a new instance");
			_exit(1);
		}
		close_all(fds, n_fds);
		take_bell(driver, &message);
	}
	if (driver->n_orphan_bells > 0 && !driver->said_exit) {
		driver->n_orphan_bells = 0;
		tree_look_at_awaited(driver);
	}
}

static void on_channel(void *data, uint32_t events)
{
	struct driver *driver = data;

	if (events & EPOLLOUT)
		send_waiting(driver);
	if (!driver->said_exit)
		link_drain(driver);
}

int link_new(struct driver *driver)
{
	driver->link = calloc(1, sizeof(*driver->link));
	if (!driver->link)
		return -ENOMEM;
	driver->link->last = &driver->link->first;
	return loop_add(driver->loop, CHANNEL_SUPERVISOR_FD, EPOLLIN, RANK_TABLE, on_channel,
		driver, &driver->link->source);
}

void link_free(struct driver *driver)
{
	if (!driver->link)
		return;
	loop_remove(driver->link->source);
	while (driver->link->first) {
		struct wish *wish = driver->link->first;
		driver->link->first = wish->next;
		close_all(wish->fds, wish->n_fds);
		free(wish);
	}
	free(driver->link);
	driver->link = NULL;
}
