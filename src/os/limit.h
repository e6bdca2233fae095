/*
 * Resource limits and nice, set to what was asked for or the closest that is allowed: nobody is
 * refused a start because a machine gives a little less. For the calling process.
 */
#pragma once

#include <sys/resource.h>

/* setrlimit(2). 0, or -EINVAL: there is no such resource, or soft is over hard. */
int limit_set(int resource, struct rlimit wanted);
/* setpriority(2). 0 or a negative errno. */
int limit_set_nice(int nice);
