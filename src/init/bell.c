/*
 * Bells. One that finds no room in the socket is not queued: the table has what it would have said,
 * so a flag is enough, and the supervisor is told to look at everything as soon as there is room.
 */
#include "init/init.h"

#include <errno.h>

static int ring(struct init *init, enum channel_op op, uint64_t token, uint64_t value)
{
	struct channel_message message = {
		.version = CHANNEL_VERSION, .op = op, .token = token, .value = value};

	return channel_send(init->channel_fd, &message, NULL, 0);
}

void bell_send(struct init *init, enum channel_op op, uint64_t token, uint64_t value)
{
	/* A supervisor that starts looks at everything by itself. */
	if (init->channel_fd < 0)
		return;
	int r = ring(init, op, token, value);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		init->bells_lost = true;
}

void bell_row(struct init *init, const struct table_row *row)
{
	bell_send(init, CHANNEL_BELL, row->token, (uint64_t)(row - init->table.rows));
}

void bell_retry(struct init *init)
{
	if (init->channel_fd < 0) {
		init->bells_lost = init->orphans_came = false;
		return;
	}
	if (init->bells_lost && ring(init, CHANNEL_LOOK_AT_ALL, 0, 0) == 0)
		init->bells_lost = false;
	if (init->orphans_came && ring(init, CHANNEL_ORPHANS, 0, 0) == 0)
		init->orphans_came = false;
}
