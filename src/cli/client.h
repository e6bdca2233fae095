/*
 * A client of the instance: one connection, calls one after the other. A connection that is lost
 * (the supervisor died and is being replaced) is made anew and the same call sent again, for at
 * most CLIENT_RETRY_US; requests carry an id, so that they are not done twice.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "base/error.h"
#include "cli/cli.h"
#include "wire/interface.h"
#include "wire/varlink.h"

#define CLIENT_ANSWER_US 5000000 /* until the first reply to a call */
#define CLIENT_RETRY_US 10000000 /* of trying again after a lost connection */

struct client {
	struct cli *cli;
	bool may_start; /* an instance is started where none runs */
	int fd;		/* -1: not connected */
	struct wire_stream stream;
};

/*
 * Connects. 0, or a negative errno with an error; -ENOENT: no instance runs (EXIT_NO_SUCH_UNIT).
 * Paired with client_done() in any case.
 */
int client_open(struct client *client, struct cli *cli, bool may_start, struct error *error);
void client_done(struct client *client);
/* The next call connects anew. */
void client_disconnect(struct client *client);

/* Told of each state a job passes through, and once a second with service NULL. */
typedef void (*client_progress)(void *data, const json_t *service, uint64_t waited_us);

/*
 * Calls a method; takes the reference to parameters. progress not NULL: with "more"; then only the
 * first reply is bounded in time, and SIGINT ends the waiting (-EINTR).
 * 0: *ret_reply is the last reply, the caller's to wire_reply_done(). An error reply becomes an
 * error value: -ENOENT no such unit, -EBADMSG invalid unit, -EPERM, -ESHUTDOWN, -EOPNOTSUPP,
 * -EINVAL, -EREMOTEIO.
 */
int client_call(struct client *client, const char *method, json_t *parameters,
	client_progress progress, void *data, struct wire_reply *ret_reply, struct error *error);

/*
 * Sends frames whose answers nobody reads (calls made "oneway"); a connection for that alone. What
 * cannot be sent is no error: the calls that follow do the same.
 */
void client_send_ahead(struct client *client, const struct buf *frames);

/* A fresh request id as text. */
void client_request_id(char text[static 33]);
