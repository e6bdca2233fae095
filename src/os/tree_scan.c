/*
 * The tree of a service without any privilege. Its top-most processes, the roots, are children of
 * init: the main process, and orphans, whom the kernel gives to init (PR_SET_CHILD_SUBREAPER) and
 * who are known by tag or by run id. All others descend from a root.
 *
 * So there is no need to look at every process of the machine. What is read is init's list of
 * children, once between two refreshes, each new child's tag, once in its life, and from the roots
 * downwards. Only a kernel that lists no children makes us read all of /proc (struct kinship).
 *
 * A pid in init's list may be another process than at the last look. The list is in the order in
 * which the children came (fork(2) and reparenting both append), so a newcomer with an old number
 * stands behind all who were there before it: if the last of those we think we know is the same
 * process (same start time), they all are. See take_over().
 *
 * "Nothing is left" is never said from a list that is older than the end of the main process, whose
 * children become orphans at that moment.
 *
 * What slips through: a process of root that raised its RLIMIT_LOCKS again, cleared its
 * environment and lost its ancestors. A cgroup is the remedy.
 */
#include "os/tree_backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/tree_proc.h"

#define DEPTH_MAX 4096	 /* ancestors looked at for one process */
#define LOOKS_MAX 64	 /* for one answer, while processes end and leave children */
#define CONTAINS_TRIES 3 /* an ancestor may end while we climb */

/* A child of init. */
struct root {
	pid_t pid;
	uint64_t tag;	     /* 0: none */
	struct id128 run_id; /* read only where there is no tag */
	uint64_t start_ticks;
};

struct scan {
	pid_t init_pid;
	uint64_t outer_tag; /* init's own, where it is itself a service of another hob; 0: none */
	bool has_children_files;
	bool is_fresh;	  /* roots are of now: no refresh since they were read */
	uint64_t read_us; /* when init's list was read (begun) */
	struct root *roots;
	size_t n_roots;
	bool is_ordered; /* roots are in the kernel's order */
	struct kinship
		kinship;  /* only where there are no children files, or they could not be trusted */
	bool has_kinship; /* it is of now */
};

int tree_scan_new(pid_t init_pid, void **ret_state)
{
	struct scan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return -ENOMEM;
	scan->init_pid = init_pid;
	scan->outer_tag = tree_proc_tag(init_pid);
	scan->has_children_files = tree_proc_lists_children();
	*ret_state = scan;
	return 0;
}

static void scan_free(void *state)
{
	struct scan *scan = state;

	free(scan->roots);
	kinship_done(&scan->kinship);
	free(scan);
}

static int scan_prepare(void *state, const struct tree_id *tree, char **ret_cgroup)
{
	*ret_cgroup = NULL;
	return 0;
}

static void scan_release(void *state, const struct tree_id *tree)
{
}

static void scan_refresh(void *state)
{
	struct scan *scan = state;

	scan->is_fresh = false;
	scan->has_kinship = false;
}

static int children_of(struct scan *scan, pid_t pid, struct pid_list *list)
{
	if (scan->has_children_files) {
		size_t n_before = list->n;
		int r = tree_proc_children(pid, list);
		if (r == -ESRCH)
			return 0;
		if (r != -EAGAIN)
			return r;
		list->n = n_before;
	}
	if (!scan->has_kinship) {
		int r = kinship_read(&scan->kinship);
		if (r < 0)
			return r;
		scan->has_kinship = true;
	}
	return kinship_children(&scan->kinship, pid, list);
}

/* ------------------------------------------------------------------ the roots */

/*
 * Reads who a child of init is. Its tag is set before it executes anything, and its orphans inherit
 * it: a child without one is the supervisor, the logger, one that is still being set up, or has got
 * rid of it.
 */
static void classify(const struct scan *scan, struct root *root)
{
	root->tag = tree_proc_tag(root->pid);
	if (root->tag == scan->outer_tag)
		root->tag = 0; /* of all of us: it tells nothing */
	root->run_id = (struct id128){0};
	if (!root->tag)
		root->run_id = tree_proc_run_id(root->pid);
}

static bool is_same_process(const struct root *root)
{
	struct process_stat stat;

	return process_stat(root->pid, &stat) == 0 && stat.start_ticks == root->start_ticks;
}

/*
 * Fills in those of `roots` (pids only, start_ticks 0 = not known) whom the last list has too,
 * matching in order, and from the end takes back what is another process by now, up to the first
 * that is not.
 */
static void take_over(const struct scan *scan, struct root *roots, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at < scan->n_roots; i++) {
		size_t k = at;
		while (k < scan->n_roots && scan->roots[k].pid != roots[i].pid)
			k++;
		if (k == scan->n_roots)
			break; /* all that follow came later, too */
		roots[i] = scan->roots[k];
		at = k + 1;
	}
	for (size_t i = n; i-- > 0;) {
		if (!roots[i].start_ticks)
			continue;
		if (is_same_process(&roots[i]))
			break;
		roots[i] = (struct root){.pid = roots[i].pid};
	}
}

static int read_roots(struct scan *scan)
{
	_cleanup_(pid_list_done) struct pid_list children = {0};
	uint64_t now_us = clock_monotonic_us();
	struct process_stat stat;

	int r = children_of(scan, scan->init_pid, &children);
	if (r < 0)
		return r;
	struct root *roots = calloc(children.n + 1, sizeof(*roots));
	if (!roots)
		return -ENOMEM;
	for (size_t i = 0; i < children.n; i++)
		roots[i].pid = children.pids[i];
	/* By kinship they are in the order of their pids, which tells nothing. */
	bool was_ordered = scan->is_ordered;
	scan->is_ordered = !scan->has_kinship;
	if (was_ordered && scan->is_ordered)
		take_over(scan, roots, children.n);
	size_t n = 0;
	for (size_t i = 0; i < children.n; i++) {
		if (!roots[i].start_ticks && process_stat(roots[i].pid, &stat) == 0)
			roots[i].start_ticks = stat.start_ticks;
		if (!roots[i].start_ticks)
			continue;
		if (!roots[i].tag && id128_is_null(roots[i].run_id))
			classify(scan, &roots[i]);
		roots[n++] = roots[i];
	}
	free(scan->roots);
	scan->roots = roots;
	scan->n_roots = n;
	scan->read_us = now_us;
	scan->is_fresh = true;
	return 0;
}

static bool root_belongs(const struct root *root, const struct tree_id *tree)
{
	if (root->tag)
		return tree->tag && root->tag == tree->tag;
	return !id128_is_null(root->run_id) && id128_equal(root->run_id, tree->run_id);
}

static bool has_pid(const struct pid_list *list, pid_t pid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->pids[i] == pid)
			return true;
	return false;
}

/* One look at a tree. */
struct look {
	struct tree_process *queue; /* whom to look at: the roots, then all they lead to */
	size_t n, capacity;
	struct pid_list *dead; /* who was found dead in this or an earlier look */
	bool has_newly_dead;
};

/* start_ticks 0: not known yet. */
static int look_add(struct look *look, pid_t pid, uint64_t start_ticks)
{
	if (look->n == look->capacity) {
		size_t capacity = look->capacity ? look->capacity * 2 : 8;
		if (capacity > PID_LIST_MAX)
			return -E2BIG;
		struct tree_process *queue = reallocarray(look->queue, capacity, sizeof(*queue));
		if (!queue)
			return -ENOMEM;
		look->queue = queue;
		look->capacity = capacity;
	}
	look->queue[look->n++] =
		(struct tree_process){.pid = pid, .identity.start_ticks = start_ticks};
	return 0;
}

static int find_roots(struct scan *scan, const struct tree_id *tree, struct look *look)
{
	int r = 0;

	if (!scan->is_fresh)
		r = read_roots(scan);
	/* The main process is one whatever its tag says. */
	if (r == 0 && tree->main_pid > 0)
		r = look_add(look, tree->main_pid, 0);
	for (size_t i = 0; i < scan->n_roots && r == 0; i++) {
		const struct root *root = &scan->roots[i];
		if (root->pid != tree->main_pid && root_belongs(root, tree))
			r = look_add(look, root->pid, root->start_ticks);
	}
	return r;
}

/* ------------------------------------------------------------------ the tree */

static int by_pid(const void *a, const void *b)
{
	const struct tree_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* One that got a new parent while we looked was met twice. */
static size_t drop_doubles(struct tree_process *processes, size_t n)
{
	size_t kept = 0;

	qsort(processes, n, sizeof(*processes), by_pid);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || processes[kept - 1].pid != processes[i].pid)
			processes[kept++] = processes[i];
	return kept;
}

static int look_at_children(struct scan *scan, struct look *look, pid_t pid)
{
	_cleanup_(pid_list_done) struct pid_list children = {0};

	int r = children_of(scan, pid, &children);
	for (size_t i = 0; i < children.n && r == 0; i++)
		r = look_add(look, children.pids[i], 0);
	return r;
}

/* 1: it lives, and its start time is there; 0: it is gone; or a negative errno. */
static int look_at(struct look *look, struct tree_process *process)
{
	struct process_stat stat;
	uint64_t wanted_ticks = process->identity.start_ticks;

	int r = tree_proc_alive(process->pid, &stat);
	if (r > 0 && (!wanted_ticks || stat.start_ticks == wanted_ticks)) {
		process->identity.start_ticks = stat.start_ticks;
		return 1;
	}
	if (r < 0 || has_pid(look->dead, process->pid))
		return r < 0 ? r : 0;
	look->has_newly_dead = true;
	return pid_list_add(look->dead, process->pid);
}

/* Whom the roots lead to, as they were read. */
static int list_once(struct scan *scan, const struct tree_id *tree, struct look *look,
	struct tree_process **ret_processes)
{
	size_t n = 0;

	int r = find_roots(scan, tree, look);
	/* The queue grows while we go along it; those who live are moved to its front. */
	for (size_t i = 0; i < look->n && r >= 0; i++) {
		r = look_at(look, &look->queue[i]);
		if (r <= 0)
			continue;
		look->queue[n++] = look->queue[i];
		r = look_at_children(scan, look, look->queue[n - 1].pid);
	}
	if (r < 0) {
		free(look->queue);
		return r;
	}
	*ret_processes = look->queue;
	return n ? (int)drop_doubles(look->queue, n) : 0;
}

/*
 * "None" is certain only where everybody of the tree in init's list was dead before the list was
 * read: one that ended after may have left children, who are in init's list of now. Where no end
 * comes in sight, the answer is -EAGAIN.
 */
static int scan_list(void *state, const struct tree_id *tree, struct tree_process **ret_processes)
{
	struct scan *scan = state;
	_cleanup_(pid_list_done) struct pid_list dead = {0};
	bool is_new =
		!scan->is_fresh || (tree->main_ended_us && scan->read_us > tree->main_ended_us);
	int n = -EAGAIN;

	for (int i = 0; i < LOOKS_MAX; i++) {
		struct look look = {.dead = &dead};
		struct tree_process *processes = NULL;
		n = list_once(scan, tree, &look, &processes);
		if (n != 0 || (is_new && !look.has_newly_dead)) {
			if (n >= 0)
				*ret_processes = processes;
			return n;
		}
		free(processes);
		scan_refresh(scan);
		is_new = true;
	}
	return -EAGAIN;
}

static int scan_count(void *state, const struct tree_id *tree)
{
	_cleanup_(freep) struct tree_process *processes = NULL;
	int n = scan_list(state, tree, &processes);

	/* Processes that replace each other faster than we look: at least one there is. */
	return n == -EAGAIN ? 1 : n;
}

/* Climbs from pid to init's child above it. 1 with *ret_top (met main_pid: that), 0: it is not
 * below init. */
static int climb(const struct scan *scan, pid_t pid, pid_t main_pid, struct root *ret_top)
{
	struct process_stat stat;

	for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
		int r = process_stat(pid, &stat);
		if (r < 0)
			return depth == 0 ? r : -EAGAIN;
		if (pid == main_pid || stat.ppid == scan->init_pid) {
			*ret_top = (struct root){.pid = pid, .start_ticks = stat.start_ticks};
			return 1;
		}
		pid = stat.ppid;
	}
	return 0;
}

static int scan_contains(void *state, const struct tree_id *tree, pid_t pid)
{
	struct scan *scan = state;
	struct root top;
	int r = -EAGAIN;

	for (int i = 0; i < CONTAINS_TRIES && r == -EAGAIN; i++)
		r = climb(scan, pid, tree->main_pid, &top);
	if (r <= 0)
		return r == -EAGAIN ? 0 : r;
	if (top.pid == tree->main_pid)
		return 1;
	classify(scan, &top);
	return root_belongs(&top, tree);
}

static int scan_kill(void *state, const struct tree_id *tree)
{
	return -ENOTSUP;
}

static int64_t scan_memory(void *state, const struct tree_id *tree)
{
	return -ENOTSUP;
}

static int scan_watch(void *state, const struct tree_id *tree)
{
	return -ENOTSUP;
}

const struct tree_backend tree_scan = {
	.name = "scan",
	.free = scan_free,
	.prepare = scan_prepare,
	.release = scan_release,
	.refresh = scan_refresh,
	.list = scan_list,
	.count = scan_count,
	.contains = scan_contains,
	.kill = scan_kill,
	.memory = scan_memory,
	.watch = scan_watch,
};
