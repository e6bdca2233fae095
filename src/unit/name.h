/* Unit names taken apart (systemd.unit(5)): PREFIX[@INSTANCE].TYPE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

struct unit_name_parts {
	const char *prefix, *instance,
		*type; /* into the name; instance NULL: no '@'; type without dot */
	size_t prefix_size, instance_size;
};

/* 0, or -EINVAL: not a valid full unit name. */
int unit_name_split(const char *name, struct unit_name_parts *ret_parts);
/* Appends what an escaped part stands for: '-' is '/', \xHH a byte (systemd-escape(1)). */
int unit_name_unescape(struct buf *buf, const char *part, size_t size);
