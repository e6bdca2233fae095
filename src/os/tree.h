/*
 * All processes of a run: which they are, whether any is left, ending them. Two back ends behind one
 * interface: cgroup v2 (tree_cgroup.c) and the scan of /proc (tree_scan.c); HOB_TREE=scan forces the
 * second. By the scan a process belongs if it carries the service's tag (RLIMIT_LOCKS), or has the
 * run id in its environment (INVOCATION_ID), or has an ancestor that belongs.
 *
 * A snapshot of /proc is taken at most once between two tree_refresh() calls and serves all trees.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/error.h"
#include "base/id128.h"
#include "os/process.h"

struct trees; /* of an instance */

/* Which tree is meant. */
struct tree_id {
	const char *unit_name;
	struct id128 run_id;
	uint64_t tag;       /* RLIMIT_LOCKS value; unique to the run */
	pid_t main_pid;     /* 0 = none lives */
	/*
	 * When the main process ended (table_row.ended_us), 0 = not known. With it "nothing is left" may be
	 * answered from what was read since, without it that answer always costs a new look.
	 */
	uint64_t main_ended_us;
};

struct tree_process {
	pid_t pid;
	struct process_identity identity;
};

/* runtime: names the cgroup subtree (hob-HASH where it is not root's own "hob"). init_pid: whose orphans to look at. */
int trees_new(const char *runtime, pid_t init_pid, struct trees **ret_trees, struct error *error);
struct trees *trees_free(struct trees *trees);
bool trees_use_cgroups(const struct trees *trees);

/* Before the first spawn of a run: makes its cgroup and gives the path for the spec (malloc'd; NULL with the scan). */
int tree_prepare(struct trees *trees, const struct tree_id *tree, char **ret_cgroup);
/* When the run's tree is empty: removes its cgroup. */
void tree_release(struct trees *trees, const struct tree_id *tree);

/* After a crash: removes the cgroups of runs that have ended. Those with processes stay. */
void trees_sweep(struct trees *trees);

/* Forget the snapshot: the next question looks anew. Call once a turn of the loop. */
void trees_refresh(struct trees *trees);
/*
 * The processes of the run (zombies not counted), malloc'd. Returns their number or a negative errno; -EAGAIN: they
 * replace each other faster than they can be listed.
 */
int tree_list(struct trees *trees, const struct tree_id *tree, struct tree_process **ret_processes);
/* Quick: how many are left. With the scan and a dead main process it looks at init's orphans first, which costs one read. */
int tree_count(struct trees *trees, const struct tree_id *tree);
/* Does pid belong? 1, 0 or a negative errno. */
int tree_contains(struct trees *trees, const struct tree_id *tree, pid_t pid);
/* signo, then SIGCONT, to all (but `except`, 0 = none), each through its pidfd. Returns how many were signalled. */
int tree_signal(struct trees *trees, const struct tree_id *tree, int signo, pid_t except);
/*
 * One round of killing: cgroup.kill, or SIGSTOP to all, rescan until no new ones, SIGKILL all.
 * Returns how many were killed in this round. The caller calls again until tree_count() is 0;
 * what is still there after `TREE_KILL_ROUNDS` rounds spread over TREE_KILL_BOUND_US is unkillable.
 */
#define TREE_KILL_BOUND_US 5000000
int tree_kill_round(struct trees *trees, const struct tree_id *tree);
/* Memory of the tree in bytes: the cgroup's where the controller is there, else the sum of PSS, else RSS. */
int64_t tree_memory(struct trees *trees, const struct tree_id *tree);
/* A descriptor that polls readable (EPOLLPRI for cgroup.events) when the tree may have become empty, or -ENOTSUP (scan: CHANNEL_ORPHANS tells). */
int tree_watch(struct trees *trees, const struct tree_id *tree);
