/* Keys that systemd has and hob does not act on: known, so that they are told from typing errors.
 */
#pragma once

#include <stdbool.h>

/* In [Unit] or [Service]: is it a key of systemd's that is not in unit/key.def? */
bool foreign_key_is_known(const char *section, const char *name);
/* A further section of unit files, of which hob reads nothing ([Install], [Socket] ...). */
bool foreign_section_is_known(const char *section);
