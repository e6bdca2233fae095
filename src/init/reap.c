/*
 * Reaping, in three steps: look at who has ended without reaping it, write its row, reap it. A
 * status is thus in the table before the kernel forgets it, and a pid that is in a row without
 * EXITED cannot have been given to another process.
 */
#include "init/init.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"

/* siginfo_t to the form of waitpid(2). */
static int wait_status_of(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return (info->si_status & 0xff) << 8;
	return info->si_status | (info->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

static uint64_t timeval_us(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* The ring is read by others: the entry first, then the head that covers it. */
static void note_orphan(struct init *init, pid_t pid, int wait_status)
{
	struct table_header *header = init->table.header;
	uint64_t head = atomic_load(&header->orphan_head);
	struct process_identity identity = {0};
	unsigned entry = head % TABLE_ORPHANS;

	init->orphans_came = true;
	if (table_reserve(&init->table, TABLE_ORPHAN_RING, entry + 1) < 0)
		return;
	(void)process_identify(pid, &identity);
	init->table.orphans[entry] = (struct table_orphan){
		.pid = (int32_t)pid, .wait_status = wait_status, .identity = identity};
	atomic_store_explicit(&header->orphan_head, head + 1, memory_order_release);
}

static void note_exit(struct init *init, pid_t pid, int wait_status, const struct rusage *usage)
{
	struct table_row *row = row_by_pid(init, pid);

	if (!row) {
		note_orphan(init, pid, wait_status);
		return;
	}
	row->cpu_us = timeval_us(&usage->ru_utime) + timeval_us(&usage->ru_stime);
	row->memory_max_bytes = (uint64_t)usage->ru_maxrss * 1024;
	row_set_exited(init, row, wait_status);
	bell_row(init, row);
}

void reap_all(struct init *init)
{
	for (;;) {
		siginfo_t info = {0};
		struct rusage usage;

		/* The system call itself: it gives the resource usage, libc's waitid() does not. */
		if (syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, &usage) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (info.si_pid == 0)
			return;
		if (!role_died(init, info.si_pid, clock_monotonic_us()))
			note_exit(init, info.si_pid, wait_status_of(&info), &usage);
		while (waitpid(info.si_pid, NULL, WNOHANG) < 0 && errno == EINTR)
			;
	}
}
