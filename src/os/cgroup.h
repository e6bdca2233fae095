/*
 * Where version 2 of the cgroup hierarchy is, and who is where in it (cgroups(7)). Also in a hybrid
 * set-up, where version 1 is mounted beside it.
 */
#pragma once

#include <sys/types.h>

/*
 * The first mount of it that we see: the directory, and which part of the hierarchy shows there
 * ("/", or in a container without a cgroup namespace "/docker/4711"). Both malloc'd. 0, -ENOTSUP:
 * there is none, or another negative errno.
 */
int cgroup_find_mount(char **ret_root, char **ret_mount);
/* The path of a process in the hierarchy, malloc'd. 0, -ESRCH, -ENOTSUP, or another negative errno.
 */
int cgroup_find_path(pid_t pid, char **ret_path);
/* What of a path is below a mount's root: "/x/y" below "/x" is "/y"; NULL: it is elsewhere. */
const char *cgroup_below(const char *path, const char *root);
