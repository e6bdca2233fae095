/* Unit files on disk, for verbs that can say something although no instance runs. */
#pragma once

#include "os/place.h"

/* The first file of that name in the unit path, malloc'd. 0, -ENOENT, -ENOMEM. */
int unitfile_find(const struct place *place, const char *unit, char **ret_path);
/* Its text, malloc'd and NUL-terminated. 0, -EFBIG, or another negative errno. */
int unitfile_read(const char *path, char **ret_text);
