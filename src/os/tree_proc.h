/*
 * What /proc tells about kinship: children, the tag and the run id of a process. Internal to
 * os/tree*.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/id128.h"
#include "os/process.h"

#define PID_LIST_MAX (1u << 20)

struct pid_list {
	pid_t *pids;
	size_t n, capacity;
};

int pid_list_add(struct pid_list *list, pid_t pid); /* 0, -ENOMEM, -E2BIG */
void pid_list_done(struct pid_list *list);
/* The numbers in a file (children, cgroup.procs) are added; zeros are left out. 0, or a negative
 * errno. */
int pid_list_read(struct pid_list *list, const char *path);

/* Every process and its parent, by parent: where the kernel does not list children. */
struct kinship {
	struct kin {
		pid_t pid, ppid;
	} * kin;
	size_t n, capacity;
};

/* Has the kernel /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)? */
bool tree_proc_lists_children(void);
/*
 * Adds pid's children (zombies too) to list, in the kernel's order: oldest child first. 0, -ESRCH,
 * or -EAGAIN: so many ended meanwhile that the list cannot be trusted.
 */
int tree_proc_children(pid_t pid, struct pid_list *list);

int kinship_read(struct kinship *kinship); /* replaces what was there */
int kinship_children(const struct kinship *kinship, pid_t pid, struct pid_list *list);
void kinship_done(struct kinship *kinship);

/* The process's stat, if it lives: 1; 0: it is gone or a zombie with no thread left; or a negative
 * errno. */
int tree_proc_alive(pid_t pid, struct process_stat *ret_stat);
/* Its RLIMIT_LOCKS where soft = hard, else (and where it cannot be read) 0. */
uint64_t tree_proc_tag(pid_t pid);
/* INVOCATION_ID of its environment, or the null id. */
struct id128 tree_proc_run_id(pid_t pid);
/* PSS, or RSS where that may not be read; 0 when it is gone. Bytes. */
int64_t tree_proc_memory(pid_t pid);
