/*
 * SPAWN, WATCH and SIGNAL.
 *
 * A token that is not higher than the last one was seen before: whoever is new and cannot know
 * whether its predecessor's message went out sends it again, and it is dropped here. So a process
 * is forked at most once for a token, whatever happens to the supervisor.
 *
 * Whatever goes wrong becomes a row like that of a process that ended, and goes down the exec pipe.
 * Only when there is no room even for that row, the pipe alone has it, and LOOK_AT_ALL is rung.
 */
#include "init/init.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"
#include "os/process.h"

enum spawn_fd { FD_SPEC, FD_EXEC, FD_READY };

#define SPAWN_FDS_MIN 2
#define EXIT_STATUS_FAILED (1 << 8) /* as waitpid(2) gives exit status 1 */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* Is the token new? Then it is used up from now on. */
static bool take_token(struct init *init, uint64_t token)
{
	if (token <= atomic_load(&init->table.header->last_token))
		return false;
	atomic_store(&init->table.header->last_token, token);
	return true;
}

static void fail(
	struct init *init, struct table_row *row, int exec_fd, enum child_step step, int error)
{
	struct child_failure failure = {.step = (int32_t)step, .error = -error};

	if (row) {
		row->step_errno = failure.error;
		atomic_store_explicit(&row->step, (uint32_t)step, memory_order_release);
		row_set_exited(init, row, EXIT_STATUS_FAILED);
		bell_row(init, row);
	} else {
		init->bells_lost = true;
	}
	/* A new pipe has room; init ignores SIGPIPE. */
	if (exec_fd >= 0 && write(exec_fd, &failure, sizeof(failure)) < 0)
		return;
}

static _Noreturn void run_child(struct init *init, struct table_row *row, const int *fds,
	unsigned n_fds, const struct forked *forked)
{
	struct child_context context = {
		.table = &init->table,
		.row = row,
		.spec_fd = fds[FD_SPEC],
		.exec_fd = fds[FD_EXEC],
		.ready_fd = n_fds > FD_READY ? fds[FD_READY] : -1,
		.lock_fd = init->lock_fd,
		.in_cgroup = forked->in_cgroup,
		.shared_from = forked->shares_fds ? FORK_SHARED_FROM : 0,
		.event_fd = init->event_fd,
		.oom_score = init->oom_score,
		.n_files = init->n_files,
	};

	child_run(&context);
}

void spawn(struct init *init, const struct channel_message *message, int *fds, unsigned n_fds)
{
	int exec_fd = n_fds > FD_EXEC ? fds[FD_EXEC] : -1;
	char cgroup[PATH_MAX];
	struct forked forked;

	if (!take_token(init, message->token))
		return;
	struct table_row *row = row_new(init, message, false);
	if (!row) {
		fail(init, row_new(init, message, true), exec_fd, STEP_FORK, -ENOSPC);
		return;
	}
	if (n_fds < SPAWN_FDS_MIN || spec_read_cgroup(fds[FD_SPEC], cgroup, sizeof(cgroup)) < 0) {
		fail(init, row, exec_fd, STEP_SPEC, -EBADMSG);
		return;
	}
	/* Before the fork: from now on the child itself may move it on to RUNNING. */
	atomic_store_explicit(&row->state, ROW_STARTING, memory_order_release);
	pid_t pid = fork_child(init, cgroup, fds, n_fds, &forked);
	if (pid == 0)
		run_child(init, row, fds, n_fds, &forked);
	if (pid < 0) {
		fail(init, row, exec_fd, STEP_FORK, pid);
		return;
	}
	row_set_pid(init, row, pid);
	bell_row(init, row);
	if (forked.shares_fds)
		fork_defer_close(init, row, fds, n_fds);
}

/* Among the last reaped orphans, by identity only: a pid may have been used again. */
static const struct table_orphan *find_orphan(
	struct init *init, pid_t pid, const struct process_identity *identity)
{
	uint64_t head = atomic_load(&init->table.header->orphan_head);
	uint64_t n = head < TABLE_ORPHANS ? head : TABLE_ORPHANS;

	for (uint64_t back = 1; back <= n; back++) {
		const struct table_orphan *orphan =
			&init->table.orphans[(head - back) % TABLE_ORPHANS];
		if (orphan->pid == (int32_t)pid && orphan->identity.pidfd_inode &&
			orphan->identity.pidfd_inode == identity->pidfd_inode)
			return orphan;
	}
	return NULL;
}

/*
 * Is pid a child of ours, alive or not reaped yet, and what pidfd means? As our child it keeps its
 * pid while this is asked, so the two are compared by identity, and where there is no pidfs by
 * both being ours.
 */
static bool is_child(int pidfd, pid_t pid, struct process_identity *ret_identity)
{
	struct process_identity of_pidfd;
	siginfo_t info;

	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return false;
	if (process_identify(pid, ret_identity) < 0)
		return false;
	return process_identify_pidfd(pidfd, &of_pidfd) < 0 ||
	       of_pidfd.pidfd_inode == ret_identity->pidfd_inode;
}

void spawn_watch(
	struct init *init, const struct channel_message *message, const int *fds, unsigned n_fds)
{
	const struct table_orphan *orphan = NULL;
	struct process_identity identity = {0};
	pid_t pid = message->pid;

	if (!take_token(init, message->token))
		return;
	bool is_ours =
		n_fds > 0 && pid > 0 && !row_by_pid(init, pid) && is_child(fds[0], pid, &identity);
	if (!is_ours && n_fds > 0 && process_identify_pidfd(fds[0], &identity) == 0)
		orphan = find_orphan(init, pid, &identity);
	struct table_row *row = is_ours || orphan ? row_new(init, message, false) : NULL;
	if (!row) {
		bell_send(init, CHANNEL_NOT_MINE, message->token, 0);
		return;
	}
	row->watched = 1;
	row->identity = identity;
	if (orphan) {
		row->pid = 0; /* it has none any more */
		row_set_exited(init, row, orphan->wait_status);
		bell_row(init, row);
		return;
	}
	row_set_pid(init, row, pid);
	atomic_store_explicit(&row->state, ROW_RUNNING, memory_order_release);
	bell_send(init, CHANNEL_WATCHED, row->token, (uint64_t)(row - init->table.rows));
}

void spawn_signal(struct init *init, uint64_t token, uint64_t signo)
{
	struct table_row *row = row_by_token(init, token);

	if (!row || row->pid <= 0 || atomic_load(&row->state) == ROW_EXITED || signo >= _NSIG)
		return;
	/* It was not reaped (init.h): the pid is its own. ESRCH cannot be; EPERM would be told by
	 * nobody. */
	(void)kill(row->pid, (int)signo);
}
