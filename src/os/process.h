/*
 * A process and the proof that it is still the same one: the inode number of its pidfd (unique for
 * the life of a boot, pidfs, Linux 6.9), else its start time in clock ticks (proc(5), stat field 22).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_identity {
	uint64_t pidfd_inode; /* 0 where the kernel has no pidfs */
	uint64_t start_ticks; /* 0 = not known */
};

/* Of a living process (a zombie too). 0, -ESRCH, or another negative errno. */
int process_identify(pid_t pid, struct process_identity *ret_identity);
/* Of an open pidfd, also after the process is gone. 0, or -ENOTSUP where the kernel has no pidfs. */
int process_identify_pidfd(int pidfd, struct process_identity *ret_identity);
/* pidfd_open(2) and proof: the descriptor (CLOEXEC), or -ESRCH when pid is another process by now. */
int process_open(pid_t pid, const struct process_identity *identity);
/* pidfd_send_signal(2). 0, -ESRCH, -EPERM. */
int process_signal(int pidfd, int signo);
/* What /proc/PID/stat tells. */
struct process_stat {
	pid_t ppid, pgrp, session;
	char state;           /* R S D Z T ... */
	char comm[16];
	unsigned long flags;  /* PF_FORKNOEXEC = 0x40 */
	uint64_t start_ticks;
};
int process_stat(pid_t pid, struct process_stat *ret_stat);
/* "/usr/bin/nginx -g daemon off" cut to size, control characters as '?'; falls back to [comm]. */
int process_command(pid_t pid, char *text, size_t size);
