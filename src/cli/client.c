/*
 * One loop per call: send, then read frames until one does not continue. SIGINT is blocked but
 * while it waits in ppoll(2), so that a Ctrl-C between two looks is not lost.
 */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id128.h"
#include "os/clock.h"
#include "os/instance.h"

#define READ_SIZE 65536
#define TICK_US 1000000 /* how often progress is told of time that passes */
#define RETRY_POLL_MS 10

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signo)
{
	interrupted = 1;
}

/* One call on its way. */
struct exchange {
	const struct buf *frame;
	client_progress progress;
	void *data;
	uint64_t started_us;
	uint64_t answer_until_us; /* UINT64_MAX: the first reply has come */
	uint64_t tick_us;
	sigset_t waiting_mask; /* SIGINT unblocked */
};

void client_request_id(char text[static 33])
{
	struct id128 id = {0};

	/* getrandom(2) of so few bytes does not fail once the pool is up; else the clock must do.
	 */
	if (getrandom(id.bytes, sizeof(id.bytes), 0) != (ssize_t)sizeof(id.bytes)) {
		uint64_t words[2] = {
			clock_wall_us(), (uint64_t)getpid() << 32 ^ clock_monotonic_us()};
		memcpy(id.bytes, words, sizeof(words));
	}
	id128_render(id, text);
}

/* --- the connection --- */

void client_disconnect(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	buf_clear(&client->stream.in);
}

static int connect_now(struct client *client, struct error *error)
{
	const struct place *place = cli_place(client->cli, error);

	if (!place)
		return error->code;
	int fd = client->may_start ? instance_connect_or_start(place, client->cli->program, error)
				   : instance_connect(place, error);
	if (fd == -ENOENT)
		return error_set(error, EXIT_NO_SUCH_UNIT, -ENOENT,
			"no instance of hob runs here (%s)", place->runtime);
	if (fd < 0)
		return fd;
	client->fd = fd;
	return 0;
}

int client_open(struct client *client, struct cli *cli, bool may_start, struct error *error)
{
	*client = (struct client){.cli = cli, .may_start = may_start, .fd = -1};
	return connect_now(client, error);
}

void client_done(struct client *client)
{
	client_disconnect(client);
	wire_stream_done(&client->stream);
}

/* --- errors --- */

/* What an error reply means here. */
static const struct {
	const char *name;
	enum exit_status status;
	int code;
	const char *text; /* where the reply brings none */
} error_rows[] = {
	{WIRE_NO_SUCH_UNIT, EXIT_NO_SUCH_UNIT, -ENOENT, "no such unit"},
	{WIRE_INVALID_UNIT, EXIT_USAGE, -EBADMSG, "the unit is invalid"},
	{WIRE_NOT_PERMITTED, EXIT_NOT_PERMITTED, -EPERM, "not permitted"},
	{WIRE_SHUTTING_DOWN, EXIT_JOB_FAILED, -ESHUTDOWN, "the instance is shutting down"},
	{WIRE_FAILED, EXIT_JOB_FAILED, -EREMOTEIO, "the supervisor failed to do it"},
	{WIRE_METHOD_NOT_FOUND, EXIT_JOB_FAILED, -EOPNOTSUPP,
		"the running instance is of another version and does not know this method"},
	{WIRE_INVALID_PARAMETER, EXIT_USAGE, -EINVAL, "a parameter was refused"},
};

static int error_reply(const struct wire_reply *reply, struct error *error)
{
	const char *text = NULL, *parameter = NULL;

	wire_get_string(reply->parameters, "text", false, &text);
	wire_get_string(reply->parameters, "parameter", false, &parameter);
	for (size_t i = 0; i < ARRAY_SIZE(error_rows); i++) {
		if (strcmp(error_rows[i].name, reply->error) != 0)
			continue;
		return error_set(error, error_rows[i].status, error_rows[i].code, "%s%s%s",
			text ? text : error_rows[i].text, parameter ? ": " : "",
			parameter ? parameter : "");
	}
	return error_set(
		error, EXIT_JOB_FAILED, -EREMOTEIO, "the instance answered %s", reply->error);
}

static int no_answer(struct client *client, struct error *error)
{
	return error_set(error, EXIT_NO_ANSWER, -ETIMEDOUT,
		"the instance is there (%s/control) but does not answer: waited %d s",
		client->cli->place.runtime, (int)(CLIENT_ANSWER_US / 1000000));
}

/* --- one call --- */

/* 0, or -ECONNRESET: the connection is lost. */
static int send_frame(struct client *client, const struct buf *frame, struct error *error)
{
	for (size_t sent = 0; sent < frame->size;) {
		ssize_t n = send(client->fd, frame->data + sent, frame->size - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) /* SO_SNDTIMEO */
			return no_answer(client, error);
		if (n < 0)
			return -ECONNRESET;
		sent += (size_t)n;
	}
	return 0;
}

void client_send_ahead(struct client *client, const struct buf *frames)
{
	struct error error;

	if (client->fd >= 0)
		(void)send_frame(client, frames, &error);
}

/* Waits until something can be read. 0, -EINTR: Ctrl-C, -ETIMEDOUT with the error set. */
static int wait_readable(struct client *client, struct exchange *exchange, struct error *error)
{
	struct pollfd item = {.fd = client->fd, .events = POLLIN};

	for (;;) {
		uint64_t now_us = clock_monotonic_us();
		uint64_t until_us = exchange->answer_until_us;
		if (exchange->progress && exchange->tick_us < until_us)
			until_us = exchange->tick_us;
		uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
		struct timespec left = {.tv_sec = (time_t)(left_us / 1000000),
			.tv_nsec = (long)(left_us % 1000000) * 1000};
		if (interrupted)
			return -EINTR;
		int n = ppoll(
			&item, 1, until_us == UINT64_MAX ? NULL : &left, &exchange->waiting_mask);
		if (n > 0)
			return 0;
		now_us = clock_monotonic_us();
		if (n == 0 && now_us >= exchange->answer_until_us)
			return no_answer(client, error);
		if (n == 0 && exchange->progress && now_us >= exchange->tick_us) {
			exchange->progress(exchange->data, NULL, now_us - exchange->started_us);
			exchange->tick_us = now_us + TICK_US;
		}
	}
}

/* Reads some bytes. 0, -ECONNRESET, or -ENOMEM with the error set. */
static int read_some(struct client *client, struct error *error)
{
	struct buf *in = &client->stream.in;

	if (buf_reserve(in, READ_SIZE) < 0)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	ssize_t n = recv(client->fd, in->data + in->size, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -ECONNRESET;
	in->size += (size_t)n;
	in->data[in->size] = '\0';
	return 0;
}

/* The next reply. 0, -ECONNRESET, -EINTR, or another negative errno with the error set. */
static int receive(struct client *client, struct exchange *exchange, struct wire_reply *ret_reply,
	struct error *error)
{
	const char *frame;
	size_t size;

	for (;;) {
		int r = wire_next_frame(&client->stream.in, WIRE_REPLY_MAX, &frame, &size);
		if (r < 0)
			return error_set(
				error, EXIT_NO_ANSWER, r, "the instance's answer is too long");
		if (r > 0)
			break;
		r = wait_readable(client, exchange, error);
		if (r == 0)
			r = read_some(client, error);
		if (r < 0)
			return r;
	}
	int r = wire_parse_reply(frame, size, ret_reply, error);
	wire_consume_frame(&client->stream.in, size);
	return r;
}

/* Sends and reads until the last reply. As receive(). */
static int attempt(struct client *client, struct exchange *exchange, struct wire_reply *ret_reply,
	struct error *error)
{
	exchange->answer_until_us = clock_monotonic_us() + CLIENT_ANSWER_US;
	int r = send_frame(client, exchange->frame, error);
	while (r == 0) {
		struct wire_reply reply;
		r = receive(client, exchange, &reply, error);
		if (r < 0)
			break;
		if (!reply.continues) {
			*ret_reply = reply;
			return 0;
		}
		exchange->answer_until_us = UINT64_MAX;
		if (exchange->progress)
			exchange->progress(exchange->data,
				json_object_get(reply.parameters, "progress"),
				clock_monotonic_us() - exchange->started_us);
		wire_reply_done(&reply);
	}
	return r;
}

/*
 * Attempts until there is an answer. A lost connection is made anew: the listening socket outlives
 * the supervisor, so this waits in the kernel's queue until the next one accepts.
 */
static int exchange_run(struct client *client, struct exchange *exchange,
	struct wire_reply *ret_reply, struct error *error)
{
	uint64_t retry_until_us = 0;

	for (;;) {
		int r = client->fd >= 0 ? 0 : connect_now(client, error);
		if (r == 0)
			r = attempt(client, exchange, ret_reply, error);
		if (r != -ECONNRESET)
			return r;
		client_disconnect(client);
		uint64_t now_us = clock_monotonic_us();
		if (retry_until_us == 0)
			retry_until_us = now_us + CLIENT_RETRY_US;
		if (now_us >= retry_until_us)
			return error_set(error, EXIT_NO_ANSWER, -ECONNRESET,
				"the instance (%s) breaks each connection off without an answer",
				client->cli->place.runtime);
		poll(NULL, 0, RETRY_POLL_MS);
	}
}

int client_call(struct client *client, const char *method, json_t *parameters,
	client_progress progress, void *data, struct wire_reply *ret_reply, struct error *error)
{
	_cleanup_(buf_done) struct buf frame = {0};
	struct sigaction action = {.sa_handler = note_interrupt}, action_before;
	sigset_t interrupt, mask_before;
	struct exchange exchange = {.frame = &frame,
		.progress = progress,
		.data = data,
		.started_us = clock_monotonic_us(),
		.tick_us = clock_monotonic_us() + TICK_US};

	int r = wire_append_call(&frame, method, parameters, progress != NULL, false);
	if (r == -EMSGSIZE)
		return error_set(error, EXIT_CANNOT_EXECUTE, -E2BIG,
			"arguments and environment are too long: the limit is %d KiB",
			WIRE_CALL_MAX / 1024);
	if (r < 0)
		return error_set(error, EXIT_JOB_FAILED, r, "out of memory");

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	if (progress) {
		sigaction(SIGINT, &action, &action_before);
		sigprocmask(SIG_BLOCK, &interrupt, &mask_before);
	} else {
		sigprocmask(SIG_BLOCK, NULL, &mask_before);
	}
	exchange.waiting_mask = mask_before;
	if (progress)
		sigdelset(&exchange.waiting_mask, SIGINT);
	r = exchange_run(client, &exchange, ret_reply, error);
	if (progress) {
		sigprocmask(SIG_SETMASK, &mask_before, NULL);
		sigaction(SIGINT, &action_before, NULL);
	}
	if (r == 0 && ret_reply->error) {
		r = error_reply(ret_reply, error);
		wire_reply_done(ret_reply);
	}
	return r;
}
