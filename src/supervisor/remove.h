/* Removing a service's logs: a directory of plain files, nothing else in it is touched. */
#pragma once

#include "supervisor/driver.h"

void remove_logs(struct driver *driver, const char *unit_name);
