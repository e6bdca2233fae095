/* The notify socket (sd_notify(3)): whose message is it, and nothing consumed before it is
 * recorded. */
#pragma once

#include "supervisor/driver.h"

int notify_open(struct driver *driver);
void notify_close(struct driver *driver);
/* Takes in all that waits. */
void notify_drain(struct driver *driver);
