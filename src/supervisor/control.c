/*
 * Reading, queueing and writing; what a call means is in methods.c.
 *
 * Each call has its own output buffer: replies to the first unanswered call go out at once, those
 * to later ones wait there, so that a `stop` that takes 90 s and a quick one behind it on the same
 * connection do not mix up. Different connections never wait for each other.
 */
#include "supervisor/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Out of memory leaves hh.tbl NULL instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"
#include "supervisor/link.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "supervisor/render.h"
#include "wire/interface.h"
#include "wire/varlink.h"

#define READ_SIZE 65536
#define ACCEPT_PAUSE_US 100000

struct client {
	struct client *next; /* newest first */
	struct driver *driver;
	int fd;
	struct loop_source *source;
	struct wire_stream stream;
	struct call *first, **last;
	unsigned n_calls;
	struct timer stall;
	bool closing; /* the other end will send no more */
	bool held;    /* frames wait until some call is answered */
};

struct waiting {
	uint64_t number;
	struct call *call;
	UT_hash_handle hh;
};

struct control {
	int fd;
	struct loop_source *source;
	struct client *clients;
	unsigned n_clients;
	struct waiting *waiting; /* by number */
	uint64_t last_number;
	struct timer pause; /* until accepting goes on */
};

/* --- calls --- */

uint64_t call_number(struct driver *driver, struct call *call)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return 0;
	waiting->number = call->number = ++driver->control->last_number;
	waiting->call = call;
	HASH_ADD(hh, driver->control->waiting, number, sizeof(waiting->number), waiting);
	if (!waiting->hh.tbl) {
		free(waiting);
		return call->number = 0;
	}
	return call->number;
}

static struct waiting *find_waiting(struct driver *driver, uint64_t number)
{
	struct waiting *waiting;

	HASH_FIND(hh, driver->control->waiting, &number, sizeof(number), waiting);
	return waiting;
}

struct call *call_find(struct driver *driver, uint64_t number)
{
	struct waiting *waiting = find_waiting(driver, number);

	return waiting ? waiting->call : NULL;
}

static void call_free(struct driver *driver, struct call *call)
{
	struct waiting *waiting = find_waiting(driver, call->number);

	if (waiting) {
		HASH_DEL(driver->control->waiting, waiting);
		free(waiting);
	}
	logger_flush_cancel(driver, call);
	buf_done(&call->out);
	free(call);
}

/* --- clients --- */

static void client_free(struct client *client)
{
	struct driver *driver = client->driver;

	for (struct client **at = &driver->control->clients; *at; at = &(*at)->next) {
		if (*at == client) {
			*at = client->next;
			break;
		}
	}
	driver->control->n_clients--;
	loop_remove(client->source);
	timer_cancel(driver, &client->stall);
	close(client->fd);
	while (client->first) {
		struct call *call = client->first;
		struct event event = {.type = EVENT_CLIENT_GONE, .client = call->number};
		client->first = call->next;
		bool awaited = call->number != 0 && !call->done;
		call_free(driver, call);
		if (awaited)
			driver_queue(driver, &event);
	}
	wire_stream_done(&client->stream);
	free(client);
}

/* Moves what the first calls have to say into the connection's buffer, in order. */
static int collect(struct client *client)
{
	size_t n_held = 0;

	while (client->first) {
		struct call *call = client->first;
		if (call->out.size > 0) {
			int r = buf_append(&client->stream.out, call->out.data, call->out.size);
			if (r < 0)
				return r;
			buf_clear(&call->out);
		}
		if (!call->done)
			break;
		client->first = call->next;
		if (!client->first)
			client->last = &client->first;
		client->n_calls--;
		call_free(client->driver, call);
	}
	for (struct call *call = client->first; call; call = call->next)
		n_held += call->out.size;
	return client->stream.out.size + n_held > CONTROL_OUT_MAX ? -EMSGSIZE : 0;
}

/* Which events are wanted now. */
static int update_events(struct client *client)
{
	struct buf *out = &client->stream.out;
	bool reading = !client->closing && client->n_calls < CONTROL_CALLS_MAX;

	if (out->size > 0 && client->stall.node.index == 0)
		timer_set(client->driver, &client->stall,
			driver_now_us(client->driver) + CONTROL_STALL_US);
	if (out->size == 0)
		timer_cancel(client->driver, &client->stall);
	/* EPOLLOUT brings us back at once, to the frames that had to wait. */
	bool back = out->size > 0 || (client->held && client->n_calls < CONTROL_CALLS_MAX);
	return loop_modify(client->source,
		(reading ? (uint32_t)EPOLLIN : 0) | (back ? (uint32_t)EPOLLOUT : 0));
}

/* Writes what the socket takes. Negative: the client is to be dropped. */
static int client_write(struct client *client)
{
	struct buf *out = &client->stream.out;
	int r = collect(client);

	if (r < 0)
		return r;
	while (out->size > 0) {
		ssize_t n = send(client->fd, out->data, out->size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		buf_consume(out, (size_t)n);
		timer_cancel(client->driver, &client->stall);
	}
	if (out->size == 0)
		buf_done(out); /* an idle connection costs nothing */
	if (client->closing && !client->first && out->size == 0)
		return -ECONNRESET;
	return update_events(client);
}

static void client_is_stalled(struct driver *driver, struct timer *timer)
{
	client_free((struct client *)((char *)timer - offsetof(struct client, stall)));
}

/* --- answering --- */

/*
 * Answers come from effects, while the client's own callback may be on the stack: a client that
 * cannot be written to is therefore only shut down here; its callback sees that and frees it.
 */
static void after_answer(struct call *call)
{
	struct client *client = call->client;

	if (client_write(client) < 0) {
		client->closing = true;
		shutdown(client->fd, SHUT_RDWR);
	}
}

void call_answer(struct driver *driver, struct call *call, json_t *parameters)
{
	int r = call->oneway ? (json_decref(parameters), 0)
			     : wire_append_reply(&call->out, parameters, false);

	if (r < 0)
		wire_append_error(&call->out, WIRE_FAILED,
			json_pack("{s:s}", "text", "the answer does not fit into memory"));
	call->done = true;
	after_answer(call);
}

void call_refuse(struct driver *driver, struct call *call, const char *error, json_t *parameters)
{
	if (call->oneway)
		json_decref(parameters);
	else
		wire_append_error(&call->out, error, parameters);
	call->done = true;
	after_answer(call);
}

void call_continue(struct driver *driver, struct call *call, json_t *parameters)
{
	if (call->oneway || !call->more) {
		json_decref(parameters);
		return;
	}
	wire_append_reply(&call->out, parameters, true);
	after_answer(call);
}

void control_reply(struct driver *driver, const struct effect *effect)
{
	struct call *call = call_find(driver, effect->client);

	if (call && !call->done)
		call_answer(driver, call, render_job(driver, effect));
}

void control_progress(struct driver *driver, const struct effect *effect)
{
	struct call *call = call_find(driver, effect->client);

	if (call && !call->done && call->more)
		call_continue(driver, call,
			json_pack("{s:o}", "progress",
				render_service(driver, effect->service, false)));
}

/* --- reading --- */

static int take_frame(struct client *client, const char *frame, size_t size)
{
	struct error error = {0};
	struct wire_call wire;

	int r = wire_parse_call(frame, size, &wire, &error);
	if (r < 0)
		return r;
	struct call *call = calloc(1, sizeof(*call));
	if (!call) {
		wire_call_done(&wire);
		return -ENOMEM;
	}
	call->client = client;
	call->more = wire.more;
	call->oneway = wire.oneway;
	*client->last = call;
	client->last = &call->next;
	client->n_calls++;
	method_call(client->driver, call, &wire);
	wire_call_done(&wire);
	return 0;
}

static int take_frames(struct client *client)
{
	client->held = false;
	while (client->n_calls < CONTROL_CALLS_MAX) {
		const char *frame;
		size_t size;

		int r = wire_next_frame(&client->stream.in, WIRE_CALL_MAX, &frame, &size);
		if (r <= 0)
			return r;
		r = take_frame(client, frame, size);
		if (r < 0)
			return r;
		wire_consume_frame(&client->stream.in, size);
	}
	client->held = client->stream.in.size > 0;
	return 0;
}

static int client_read(struct client *client)
{
	struct buf *in = &client->stream.in;

	int r = buf_reserve(in, READ_SIZE);
	if (r < 0)
		return r;
	ssize_t n = recv(client->fd, in->data + in->size, READ_SIZE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0) {
		client->closing = true;
		return 0;
	}
	in->size += (size_t)n;
	in->data[in->size] = '\0';
	r = take_frames(client);
	if (r == 0 && in->size == 0)
		buf_done(in);
	return r;
}

static void on_client(void *data, uint32_t events)
{
	struct client *client = data;
	int r = 0;

	link_drain(client->driver);
	notify_drain(client->driver);
	bool gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
	if (gone || (events & EPOLLIN))
		r = client_read(client);
	/* What it said before it went away counts: it may have asked for a stop and left. */
	while (gone && r == 0 && !client->closing)
		r = client_read(client);
	if (r == 0)
		r = take_frames(client); /* those that had to wait for room */
	if (r == 0)
		r = client_write(client);
	/* Half-closed and waiting for nothing: a client that has gone away. */
	if (r < 0 || gone)
		client_free(client);
}

/* --- accepting --- */

static bool is_allowed(int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
	       (credentials.uid == 0 || credentials.uid == geteuid());
}

static void drop_oldest_idle(struct control *control)
{
	struct client *oldest = NULL;

	for (struct client *c = control->clients; c; c = c->next) {
		if (!c->first)
			oldest = c;
	}
	if (oldest)
		client_free(oldest);
}

static int client_new(struct driver *driver, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	*client = (struct client){.driver = driver,
		.fd = fd,
		.last = &client->first,
		.stall.fire = client_is_stalled};
	int r = loop_add(
		driver->loop, fd, EPOLLIN, RANK_CONTROL, on_client, client, &client->source);
	if (r < 0) {
		free(client);
		return r;
	}
	client->next = driver->control->clients;
	driver->control->clients = client;
	driver->control->n_clients++;
	return 0;
}

static void refuse(int fd)
{
	_cleanup_(buf_done) struct buf out = {0};

	wire_append_error(&out, WIRE_NOT_PERMITTED,
		json_pack("{s:s}", "text", "this instance belongs to another user"));
	if (out.size > 0 && send(fd, out.data, out.size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* it does not want to know */
}

static void accept_again(struct driver *driver, struct timer *timer)
{
	loop_modify(driver->control->source, EPOLLIN);
}

/* For want of descriptors or memory: who is waiting stays in the kernel's queue for a moment. */
static void pause_accepting(struct driver *driver)
{
	drop_oldest_idle(driver->control);
	loop_modify(driver->control->source, 0);
	driver->control->pause.fire = accept_again;
	timer_set(driver, &driver->control->pause, driver_now_us(driver) + ACCEPT_PAUSE_US);
}

static void on_accept(void *data, uint32_t events)
{
	struct driver *driver = data;

	for (;;) {
		int fd = accept4(driver->control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				errno == ENOMEM)
				pause_accepting(driver);
			return;
		}
		if (driver->control->n_clients >= CONTROL_CLIENTS_MAX)
			drop_oldest_idle(driver->control);
		bool allowed = is_allowed(fd);
		if (!allowed)
			refuse(fd);
		if (!allowed || driver->control->n_clients >= CONTROL_CLIENTS_MAX ||
			client_new(driver, fd) < 0)
			close(fd);
	}
}

int control_open(struct driver *driver)
{
	struct id128 none = {{0}};

	driver->control = calloc(1, sizeof(*driver->control));
	if (!driver->control)
		return -ENOMEM;
	driver->control->fd = table_find_kept(&driver->table, KEPT_CONTROL, none);
	if (driver->control->fd < 0)
		return driver->control->fd;
	int flags = fcntl(driver->control->fd, F_GETFL);
	if (flags < 0 || fcntl(driver->control->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return loop_add(driver->loop, driver->control->fd, EPOLLIN, RANK_CONTROL, on_accept, driver,
		&driver->control->source);
}

void control_close(struct driver *driver)
{
	if (!driver->control)
		return;
	while (driver->control->clients)
		client_free(driver->control->clients);
	loop_remove(driver->control->source);
	timer_cancel(driver, &driver->control->pause);
	free(driver->control);
	driver->control = NULL;
}
