/* Exec*= lines while they are read (systemd.service(5), "Command lines"). */
#pragma once

#include <stdint.h>
#include "base/strv.h"

struct value_input;

struct command {
	char *path;
	struct strv argv; /* argv[0] included */
	uint32_t flags;	  /* EXEC_* of unit/unit.h */
};

/* Zero-initialised is empty; owns its commands. */
struct command_list {
	struct command *items;
	size_t n, capacity;
};

/*
 * Appends the commands of one line. 0; -EBADMSG: a line that cannot be run and has no "-", which
 * the unit must not be loaded with; -EINVAL (see value_warn); -ENOMEM.
 */
int command_parse_line(const struct value_input *in, const char *text, struct command_list *list);
void command_list_done(struct command_list *list);
