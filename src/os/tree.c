/*
 * Trees: which back end answers, chosen once, and what is the same for both: signals to all, and
 * killing process by process.
 *
 * Killing in rounds. A process that forks as fast as it is killed is outrun by stopping first: all
 * that are seen are stopped, until a look shows nobody new and everybody at rest. At rest matters:
 * a fork(2) under way when SIGSTOP comes is still completed, and its child is not seen before. None
 * of the stopped can fork or be orphaned; then they are killed. Since stopping is bounded (a
 * process in state D does not stop), a round may miss some, and the caller asks for the next.
 *
 * Nobody is signalled but through a pidfd whose identity was checked, and never init, us, or
 * process 1.
 */
#include "os/tree.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/tree_backend.h"
#include "os/tree_proc.h"

#define STOP_BOUND_US                                                                              \
	20000 /* for all to come to rest, in one round: the caller must not be held up */
#define STOP_PAUSE_NS 200000

struct trees {
	const struct tree_backend *backend;
	void *state;
	pid_t init_pid;
};

int trees_new(const char *runtime, pid_t init_pid, struct trees **ret_trees, struct error *error)
{
	_cleanup_(freep) struct trees *trees = calloc(1, sizeof(*trees));
	const char *wanted = getenv("HOB_TREE");
	int r = -ENOTSUP;

	if (!trees)
		return error_set(
			error, EXIT_JOB_FAILED, -ENOMEM, "No memory to keep track of processes");
	trees->init_pid = init_pid;
	trees->backend = &tree_cgroup;
	if (!wanted || strcmp(wanted, "scan") != 0)
		r = tree_cgroup_new(runtime, &trees->state);
	if (r == -ENOTSUP) {
		trees->backend = &tree_scan;
		r = tree_scan_new(init_pid, &trees->state);
	}
	if (r < 0)
		return error_set(error, EXIT_JOB_FAILED, r, "Cannot keep track of processes: %s",
			strerror(-r));
	*ret_trees = take(trees);
	return 0;
}

struct trees *trees_free(struct trees *trees)
{
	if (trees)
		trees->backend->free(trees->state);
	free(trees);
	return NULL;
}

bool trees_use_cgroups(const struct trees *trees)
{
	return trees->backend == &tree_cgroup;
}

int tree_prepare(struct trees *trees, const struct tree_id *tree, char **ret_cgroup)
{
	return trees->backend->prepare(trees->state, tree, ret_cgroup);
}

void tree_release(struct trees *trees, const struct tree_id *tree)
{
	trees->backend->release(trees->state, tree);
}

void trees_sweep(struct trees *trees)
{
	if (trees->backend->sweep)
		trees->backend->sweep(trees->state);
}

void trees_refresh(struct trees *trees)
{
	trees->backend->refresh(trees->state);
}

int tree_list(struct trees *trees, const struct tree_id *tree, struct tree_process **ret_processes)
{
	return trees->backend->list(trees->state, tree, ret_processes);
}

int tree_count(struct trees *trees, const struct tree_id *tree)
{
	return trees->backend->count(trees->state, tree);
}

int tree_contains(struct trees *trees, const struct tree_id *tree, pid_t pid)
{
	if (pid <= 0)
		return -ESRCH;
	return trees->backend->contains(trees->state, tree, pid);
}

int tree_watch(struct trees *trees, const struct tree_id *tree)
{
	return trees->backend->watch(trees->state, tree);
}

/* ------------------------------------------------------------------ signals */

/* 1: sent (then also SIGCONT, where wanted), 0: it is gone or not ours to signal, or a negative
 * errno. */
static int signal_one(const struct trees *trees, const struct tree_process *process, int signo,
	bool then_continue)
{
	if (process->pid <= 1 || process->pid == trees->init_pid || process->pid == getpid())
		return 0;
	int pidfd = process_open(process->pid, &process->identity);
	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	int r = process_signal(pidfd, signo);
	if (r == 0 && then_continue)
		process_signal(pidfd, SIGCONT);
	close(pidfd);
	return r == -ESRCH ? 0 : r < 0 ? r : 1;
}

static bool stops(int signo)
{
	return signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;
}

int tree_signal(struct trees *trees, const struct tree_id *tree, int signo, pid_t except)
{
	_cleanup_(freep) struct tree_process *processes = NULL;
	bool then_continue = !stops(signo) && signo != SIGCONT && signo != SIGKILL && signo != 0;
	int n_signalled = 0, first_error = 0;

	int n = tree_list(trees, tree, &processes);
	for (int i = 0; i < n; i++) {
		if (processes[i].pid == except)
			continue;
		int r = signal_one(trees, &processes[i], signo, then_continue);
		if (r < 0 && !first_error)
			first_error = r;
		n_signalled += r > 0;
	}
	if (n < 0)
		return n == -EAGAIN ? 0 : n;
	return n_signalled || !first_error ? n_signalled : first_error;
}

/* ------------------------------------------------------------------ killing */

static int by_pid(const void *a, const void *b)
{
	const struct tree_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool is_listed(const struct tree_process *list, int n, const struct tree_process *process)
{
	if (n <= 0)
		return false;
	const struct tree_process *found = bsearch(process, list, (size_t)n, sizeof(*list), by_pid);
	return found && found->identity.start_ticks == process->identity.start_ticks &&
	       found->identity.pidfd_inode == process->identity.pidfd_inode;
}

/* Stopped, or nothing that could fork any more. D is at rest only for now: the bound takes care of
 * it. */
static bool is_at_rest(pid_t pid)
{
	struct process_stat stat;

	return tree_proc_alive(pid, &stat) <= 0 || stat.state == 'T' || stat.state == 't';
}

/* Stops those of now who were not in the last look. True: nobody was new and all are at rest. */
static bool stop_newcomers(const struct trees *trees, const struct tree_process *last, int n_last,
	const struct tree_process *now, int n_now)
{
	bool all_known = true, all_at_rest = true;

	for (int i = 0; i < n_now; i++) {
		if (!is_listed(last, n_last, &now[i])) {
			all_known = false;
			signal_one(trees, &now[i], SIGSTOP, false);
		} else if (!is_at_rest(now[i].pid)) {
			all_at_rest = false;
		}
	}
	return all_known && all_at_rest;
}

/* Returns the number of processes with *ret_processes, or a negative errno. */
static int stop_all(
	struct trees *trees, const struct tree_id *tree, struct tree_process **ret_processes)
{
	const struct timespec pause = {.tv_nsec = STOP_PAUSE_NS};
	uint64_t until_us = clock_monotonic_us() + STOP_BOUND_US;
	_cleanup_(freep) struct tree_process *last = NULL;
	int n_last = 0;

	for (;;) {
		struct tree_process *now = NULL;
		trees_refresh(trees);
		int n = tree_list(trees, tree, &now);
		if (n == -EAGAIN) {
			/* Whom we know is stopped at least; the rest is for the next round. */
			if (clock_monotonic_us() < until_us)
				continue;
			break;
		}
		if (n < 0)
			return n;
		if (n > 0)
			qsort(now, (size_t)n, sizeof(*now), by_pid);
		bool is_done = stop_newcomers(trees, last, n_last, now, n);
		bool has_new = n > n_last;
		free(last);
		last = now;
		n_last = n;
		if (is_done || clock_monotonic_us() >= until_us)
			break;
		/* Newcomers mean a race: look again at once. Else give them time to come to rest.
		 */
		if (!has_new)
			nanosleep(&pause, NULL);
	}
	*ret_processes = take(last);
	return n_last;
}

/*
 * cgroup.kill leaves a process alone whose first thread has ended (seen with Linux 6.18: it signals
 * that thread, not the process), so each that is left is signalled all the same.
 */
int tree_kill_round(struct trees *trees, const struct tree_id *tree)
{
	_cleanup_(freep) struct tree_process *processes = NULL;
	int n, n_killed = 0, first_error = 0;

	int n_at_once = trees->backend->kill(trees->state, tree);
	if (n_at_once == -ENOTSUP)
		n = stop_all(trees, tree, &processes);
	else if (n_at_once > 0)
		n = tree_list(trees, tree, &processes);
	else
		return n_at_once;
	for (int i = 0; i < n; i++) {
		int r = signal_one(trees, &processes[i], SIGKILL, false);
		if (r < 0 && !first_error)
			first_error = r;
		n_killed += r > 0;
	}
	trees_refresh(trees);
	if (n < 0)
		return n == -EAGAIN ? 0 : n;
	if (n_killed < n_at_once)
		n_killed = n_at_once;
	return n_killed || !first_error ? n_killed : first_error;
}

int64_t tree_memory(struct trees *trees, const struct tree_id *tree)
{
	_cleanup_(freep) struct tree_process *processes = NULL;

	int64_t bytes = trees->backend->memory(trees->state, tree);
	if (bytes != -ENOTSUP)
		return bytes;
	int n = tree_list(trees, tree, &processes);
	if (n < 0)
		return n;
	bytes = 0;
	for (int i = 0; i < n; i++)
		bytes += tree_proc_memory(processes[i].pid);
	return bytes;
}
