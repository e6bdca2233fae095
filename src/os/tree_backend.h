/*
 * What a back end of the trees gives (os/tree.h has the meaning of each; tree.c is the only
 * caller). Internal to os/tree*.c.
 */
#pragma once

#include "os/tree.h"

struct tree_backend {
	const char *name;
	void (*free)(void *state);
	int (*prepare)(void *state, const struct tree_id *tree, char **ret_cgroup);
	void (*release)(void *state, const struct tree_id *tree);
	void (*sweep)(void *state); /* may be NULL */
	void (*refresh)(void *state);
	int (*list)(void *state, const struct tree_id *tree, struct tree_process **ret_processes);
	int (*count)(void *state, const struct tree_id *tree);
	int (*contains)(void *state, const struct tree_id *tree, pid_t pid);
	/* Kills all at once: how many there were, or -ENOTSUP: tree.c does it process by process.
	 */
	int (*kill)(void *state, const struct tree_id *tree);
	/* Bytes, or -ENOTSUP: tree.c adds up the processes. */
	int64_t (*memory)(void *state, const struct tree_id *tree);
	int (*watch)(void *state, const struct tree_id *tree);
};

extern const struct tree_backend tree_cgroup, tree_scan;

/* -ENOTSUP: no cgroup can be made here. */
int tree_cgroup_new(const char *runtime, void **ret_state);
int tree_scan_new(pid_t init_pid, void **ret_state);
