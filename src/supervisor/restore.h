/*
 * Going on where the predecessor stopped (DESIGN 2.3): records, then the table, then what became of
 * the difference. At a first start all of it is empty, and it is the same path.
 */
#pragma once

#include "supervisor/driver.h"

/* 0, or a negative errno: nothing can be restored at all. */
int restore(struct driver *driver);
