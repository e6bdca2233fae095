/*
 * The engine's questions about a run's processes, answered: check, signal, kill in rounds. Each is
 * answered with EVENT_TREE at once, and once more when the tree has become empty.
 */
#pragma once

#include "supervisor/driver.h"

void tree_check(struct driver *driver, const struct effect *effect);
void tree_send(struct driver *driver, const struct effect *effect);
void tree_kill(struct driver *driver, const struct effect *effect);
/* Orphans were reaped, or a cgroup says it may be empty: asks again for every tree that is awaited.
 */
void tree_look_at_awaited(struct driver *driver);
/* No answer is owed any more. */
void tree_forget(struct driver *driver, struct attachment *attachment);
/* "4242 nginx: worker (D, 12 s), 4243 ..." of what is left, malloc'd, or NULL. */
char *tree_describe(struct driver *driver, const struct service *service);
