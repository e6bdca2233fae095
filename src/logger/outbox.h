/*
 * Messages to the supervisor. Sending never blocks; what does not fit into the socket waits here, and
 * while too much waits nothing more is read from the supervisor, so the list is bounded by what it asks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "os/logchannel.h"

#define OUTBOX_MAX 256   /* waiting messages from which on the channel is not read */
#define OUTBOX_HARD_MAX 70000 /* more than one a FIFO: never reached */
#define LOG_MESSAGE_VERSION 1

struct outbox_item;

struct outbox {
	int fd; /* -1: the other end is gone for good */
	unsigned n;
	struct outbox_item *items;
};

/* True: sent or kept. False: lost, because the other end or the memory is gone; state must tell it later. */
bool outbox_send(struct outbox *outbox, const struct log_message *message);
/* True: sent. Never keeps it: for what is told again until it is heard. */
bool outbox_try(struct outbox *outbox, const struct log_message *message);
/* Sends what waits, as far as it goes. */
void outbox_flush(struct outbox *outbox);
/* Throws away what waits: the one it was for is gone, the new one will ask. */
void outbox_clear(struct outbox *outbox);
