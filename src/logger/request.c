/* A message of another shape or version is passed over: its sender is of another version, and will be replaced. */
#include "logger/request.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include "logger/mover.h"
#include "logger/report.h"

static void take_open(struct mover *mover, const struct log_message *message)
{
	int r = mover_add_fifo(mover, message->log_name, message->run_id, true);
	if (r < 0) {
		report_trouble(mover, message->log_name, message->run_id, r);
		return;
	}
	struct log *log = mover_find_fifo(mover, message->run_id)->log;
	log->size_max = message->size_max ? message->size_max : LOG_SIZE_MAX_DEFAULT;
	log->keep = message->keep < LOG_KEEP_MOST ? message->keep : LOG_KEEP_MOST;
}

static void take_end(struct mover *mover, const struct log_message *message)
{
	struct fifo *fifo = mover_find_fifo(mover, message->run_id);

	if (!fifo) {
		int r = mover_add_fifo(mover, message->log_name, message->run_id, false);
		if (r == -ENOENT || r == -ENOTSUP || r == -ENAMETOOLONG) {
			/* Drained and gone already, or never there. */
			report_ended(mover, message->log_name, message->run_id);
			return;
		}
		if (r < 0) {
			report_trouble(mover, message->log_name, message->run_id, r);
			return;
		}
		fifo = mover_find_fifo(mover, message->run_id);
	}
	if (fifo->ending)
		return;
	fifo->ending = fifo->by_event = true;
	fifo->is_empty = false;
	mover->n_ending++;
	mover_place(mover, fifo, FIFO_DUE);
}

static void take_forget(struct mover *mover, const struct log_message *message)
{
	struct log *log;

	HASH_FIND_STR(mover->logs, message->log_name, log);
	if (!log || !log->is_open)
		return;
	log->close_wanted = true;
	mover->trim_wanted = true;
}

static void take_hello(struct mover *mover, const struct log_message *message)
{
	outbox_clear(&mover->outbox);
	mover->n_flushes = 0;
	report_again(mover);
}

static void take_flush(struct mover *mover, const struct log_message *message)
{
	if (!mover_flush(mover, message->cookie, message->log_name))
		report_flushed(mover, message->cookie);
}

static void (*const handlers[])(struct mover *, const struct log_message *) = {
	[LOG_OP_HELLO] = take_hello,
	[LOG_OP_OPEN] = take_open,
	[LOG_OP_END] = take_end,
	[LOG_OP_FLUSH] = take_flush,
	[LOG_OP_FORGET] = take_forget,
};

/* A name that is a file's name and no more. */
static bool name_is_valid(const struct log_message *message)
{
	const char *name = message->log_name;

	if (memchr(name, '\0', sizeof(message->log_name)) == NULL || name[0] == '.' || strchr(name, '/'))
		return false;
	return name[0] != '\0' || message->op == LOG_OP_FLUSH || message->op == LOG_OP_HELLO;
}

static void handle(struct mover *mover, const struct log_message *message)
{
	if (message->op >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[message->op])
		return;
	if (name_is_valid(message))
		handlers[message->op](mover, message);
}

_Bool request_has_room(const struct mover *mover)
{
	return mover->outbox.n < OUTBOX_MAX && mover->n_flushes < MOVER_FLUSHES_MAX;
}

int request_receive(struct mover *mover)
{
	struct log_message message;

	while (request_has_room(mover)) {
		ssize_t n = recv(mover->outbox.fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -ECONNRESET;
		if (n == 0)
			return -ECONNRESET;
		if (n == (ssize_t)sizeof(message) && message.version == LOG_MESSAGE_VERSION)
			handle(mover, &message);
	}
	return 0;
}
