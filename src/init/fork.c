/*
 * Forking a child that will become a service.
 *
 * fork(2) copies the table of descriptors and the child then closes what it got: with 5,000 kept
 * FIFOs that costs more than all the rest of the fork. So from some number on the child is made
 * with CLONE_FILES, which copies nothing, and its very first act is close_range(2) with
 * CLOSE_RANGE_UNSHARE: that copies only the numbers below FORK_SHARED_FROM. What is kept lies above
 * (keep.c), what came with the message below.
 *
 * Until then init must not close what came with the message. It does not wait for it: the child
 * says through an eventfd that it has a table of its own, and its row is not STARTING any more, or
 * it has ended. No more than a few children may be on that way at once; the next is forked plainly.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHARE_KEPT_MIN 256 /* with fewer descriptors kept, copying is cheaper than sharing */

/* clone3(2) (Linux 5.3; CLONE_INTO_CGROUP 5.7) as fork(2): the pid, 0 in the child, or a negative
 * errno. */
static pid_t clone_with(uint64_t flags, int cgroup_fd)
{
	struct clone_args args = {.flags = flags | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.exit_signal = SIGCHLD,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0};

	long pid = syscall(SYS_clone3, &args, sizeof(args));
	return pid < 0 ? -errno : (pid_t)pid;
}

static bool may_share(struct init *init, const int *fds, unsigned n_fds)
{
	if (init->n_unsettled == INIT_UNSETTLED_MAX)
		fork_settle(init);
	if (!init->can_share || init->n_unsettled == INIT_UNSETTLED_MAX ||
		atomic_load(&init->table.header->kept_used) < SHARE_KEPT_MIN)
		return false;
	for (unsigned i = 0; i < n_fds; i++)
		if (fds[i] >= FORK_SHARED_FROM)
			return false;
	return init->lock_fd < FORK_SHARED_FROM && init->event_fd < FORK_SHARED_FROM;
}

static bool is_worth_another_way(pid_t pid)
{
	return pid < 0 && pid != -EAGAIN && pid != -ENOMEM;
}

/*
 * Where clone3() or the cgroup is refused, the child tries to enter the cgroup by itself, and if it
 * may not, reports that with the cgroup's own errno.
 */
pid_t fork_child(struct init *init, const char *cgroup, const int *fds, unsigned n_fds,
	struct forked *ret_forked)
{
	bool shares = may_share(init, fds, n_fds);
	uint64_t flags = shares ? CLONE_FILES : 0;
	pid_t pid = -ENOSYS;

	int cgroup_fd = cgroup[0] ? open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	*ret_forked = (struct forked){.in_cgroup = cgroup_fd >= 0, .shares_fds = shares};
	if (cgroup_fd >= 0 || shares)
		pid = clone_with(flags, cgroup_fd);
	/* A child that shares the table leaves this number to its parent. */
	if (cgroup_fd >= 0 && !(pid == 0 && shares))
		close(cgroup_fd);
	if (is_worth_another_way(pid)) {
		*ret_forked = (struct forked){0};
		pid = fork();
		pid = pid < 0 ? -errno : pid;
	}
	return pid;
}

void fork_defer_close(struct init *init, struct table_row *row, int *fds, unsigned n_fds)
{
	struct unsettled *unsettled = &init->unsettled[init->n_unsettled++];

	*unsettled = (struct unsettled){.row = row, .n_fds = n_fds};
	for (unsigned i = 0; i < n_fds; i++) {
		unsettled->fds[i] = fds[i];
		fds[i] = -1;
	}
}

void fork_settle(struct init *init)
{
	uint64_t count;

	if (read(init->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	for (unsigned i = 0; i < init->n_unsettled;) {
		struct unsettled *unsettled = &init->unsettled[i];
		if (atomic_load_explicit(&unsettled->row->state, memory_order_acquire) ==
			ROW_STARTING) {
			i++;
			continue;
		}
		for (unsigned j = 0; j < unsettled->n_fds; j++)
			close(unsettled->fds[j]);
		*unsettled = init->unsettled[--init->n_unsettled];
	}
}

bool fork_can_share(void)
{
	/* Closes nothing: there is no such descriptor. */
	return syscall(SYS_close_range, ~0u, ~0u, CLOSE_RANGE_UNSHARE) == 0;
}
