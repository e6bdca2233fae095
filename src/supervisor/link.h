/*
 * The link to init: wishes out, bells in. A wish that init's socket has no room for waits here, in
 * order; a bell makes the driver look at the table's row and feed what is new in it.
 */
#pragma once

#include "supervisor/driver.h"

#define LINK_QUEUE_MAX 65536 /* wishes that may wait for init at one time */

struct link;

int link_new(struct driver *driver);
void link_free(struct driver *driver);
/*
 * Sends or queues one message; takes ownership of the descriptors in any case. 0, or -ENOBUFS,
 * -ENOMEM: it was not taken.
 */
int link_send(struct driver *driver, const struct channel_message *message, const int *fds,
	unsigned n_fds);
/* Short forms. */
int link_token(struct driver *driver, enum channel_op op, uint64_t token, uint64_t value);
int link_keep(struct driver *driver, enum kept_kind kind, struct id128 id, int fd);
void link_drop(struct driver *driver, enum kept_kind kind, struct id128 id);
/* Takes in every bell that is waiting: the first thing in each turn (DESIGN 2.2, rule 4). */
void link_drain(struct driver *driver);
/* Looks at one row, or at all, and feeds the engine what they say. */
void link_look(struct driver *driver, uint64_t token);
void link_look_at_all(struct driver *driver);
/* The row of a service's token, or NULL: where the last bell said, else by search. */
const struct table_row *link_row(
	struct driver *driver, const struct attachment *attachment, uint64_t token);
/* A status as waitpid(2) gives it. */
struct exit_info link_exit_info(int wait_status);
/* Has init noted a termination request that nobody has taken yet? Then the engine is told. */
void link_shutdown_wanted(struct driver *driver);
