/* A list that is empty nearly always: the socket holds some hundred messages. */
#include "logger/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <utlist.h>

struct outbox_item {
	struct log_message message;
	struct outbox_item *prev, *next;
};

/* 1: sent; 0: no room now; -1: nobody is there. */
static int try_send(struct outbox *outbox, const struct log_message *message)
{
	if (outbox->fd < 0)
		return -1;
	for (;;) {
		ssize_t n = send(outbox->fd, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			return 1;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

bool outbox_send(struct outbox *outbox, const struct log_message *message)
{
	struct log_message stamped = *message;

	stamped.version = LOG_MESSAGE_VERSION;
	if (outbox->n == 0) {
		int r = try_send(outbox, &stamped);
		if (r != 0)
			return r > 0;
	}
	if (outbox->n >= OUTBOX_HARD_MAX)
		return false;
	struct outbox_item *item = calloc(1, sizeof(*item));
	if (!item)
		return false;
	item->message = stamped;
	DL_APPEND(outbox->items, item);
	outbox->n++;
	return true;
}

bool outbox_try(struct outbox *outbox, const struct log_message *message)
{
	struct log_message stamped = *message;

	stamped.version = LOG_MESSAGE_VERSION;
	/* Nobody will ever hear it: then it counts as told. */
	if (outbox->fd < 0)
		return true;
	return outbox->n == 0 && try_send(outbox, &stamped) > 0;
}

void outbox_flush(struct outbox *outbox)
{
	struct outbox_item *item, *next;

	DL_FOREACH_SAFE(outbox->items, item, next) {
		if (try_send(outbox, &item->message) == 0)
			return;
		DL_DELETE(outbox->items, item);
		free(item);
		outbox->n--;
	}
}

void outbox_clear(struct outbox *outbox)
{
	struct outbox_item *item, *next;

	DL_FOREACH_SAFE(outbox->items, item, next) {
		DL_DELETE(outbox->items, item);
		free(item);
	}
	outbox->n = 0;
}
