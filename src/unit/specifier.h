/* Specifiers of unit files (systemd.unit(5), "Specifiers"), as far as they follow from the name. */
#pragma once

#include "base/buf.h"

/*
 * Appends text with %n %N %p %P %i %I %j %J %f and %% replaced. What systemd knows beyond these
 * stays as it is written, and the first such letter is put into *ret_unsupported (0: none).
 * Anything else after a '%' is no specifier and stays. unit_name has to be valid. 0 or -ENOMEM.
 */
int specifier_expand(
	struct buf *buf, const char *unit_name, const char *text, char *ret_unsupported);
