/*
 * Clients on the control socket. A connection may have many calls in flight (they are answered in
 * the order they came, as Varlink wants); what it may cost is bounded, and one that does not read
 * is dropped.
 */
#pragma once

#include <jansson.h>

#include "supervisor/driver.h"

#define CONTROL_CLIENTS_MAX 256 /* connections; a new one replaces the oldest idle one */
#define CONTROL_CALLS_MAX                                                                          \
	4096 /* unanswered calls a connection; more are not read until some are                    \
	      */
#define CONTROL_OUT_MAX (64u * 1024 * 1024) /* bytes of replies that wait for one client */
#define CONTROL_STALL_US 30000000 /* a client that takes in nothing for so long is dropped */

struct control;
struct client;

/* A call that is being answered. */
struct call {
	struct call *next; /* of the same client, in order of arrival */
	struct client *client;
	uint64_t number; /* what the engine knows the waiter by */
	bool more, oneway, done;
	enum verb verb;
	struct buf out; /* replies, moved to the client when it is this call's turn */
};

int control_open(struct driver *driver);
void control_close(struct driver *driver);

/* EFFECT_REPLY, EFFECT_PROGRESS. */
void control_reply(struct driver *driver, const struct effect *effect);
void control_progress(struct driver *driver, const struct effect *effect);

/* For methods.c: the final reply of a call; parameters' reference is taken. Flushes the client. */
void call_answer(struct driver *driver, struct call *call, json_t *parameters);
void call_refuse(struct driver *driver, struct call *call, const char *error, json_t *parameters);
void call_continue(struct driver *driver, struct call *call, json_t *parameters);
/* A new number under which the engine knows this call. */
uint64_t call_number(struct driver *driver, struct call *call);
/* The call of that number, or NULL when its client is gone. */
struct call *call_find(struct driver *driver, uint64_t number);

/* --- methods.c --- */

struct wire_call;
/* Carries out one call: answers it, or leaves it pending for the engine. */
void method_call(struct driver *driver, struct call *call, const struct wire_call *wire);
