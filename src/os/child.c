/*
 * The child. What it does is a table of steps, done in order; the order is what needs reasons:
 *
 *  - Its identity first: from then on the supervisor, or a successor of init, can find it.
 *  - The table goes before anything is opened or looked up: code of name services runs below.
 *  - Everything that needs a free descriptor comes before the limits, which may leave none; the
 *    fixed numbers (readiness) are made before them too, since dup2(2) obeys RLIMIT_NOFILE.
 *  - Output files are opened, and the cgroup, nice and OOM score are set, while there is privilege.
 *  - Limits before the user: hard limits may be raised only now, and RLIMIT_NPROC is to be checked
 * by execve(2) against the new user.
 *  - The directory after the user: it must be allowed to be there.
 *  - SIGPIPE stays ignored until just before exec, so that a failure can be told even when the
 *    supervisor, who reads the exec pipe, is just being replaced.
 */
#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "hob.h"
#include "os/limit.h"

#define FIRST_FD 3 /* behind stdin, stdout, stderr */

struct child {
	const struct child_context *context;
	struct table_row *row;
	struct spawn_spec spec;
	struct hob_user *user; /* NULL: nobody else */
	int exec_fd, ready_fd, lock_fd;
	/* Of the step that is being done; one that does two things corrects it. */
	enum child_step step;
};

static _Noreturn void fail(struct child *child, int error)
{
	struct child_failure failure = {.step = (int32_t)child->step, .error = -error};

	child->row->step_errno = failure.error;
	atomic_store_explicit(&child->row->step, (uint32_t)child->step, memory_order_release);
	ssize_t n = write(child->exec_fd, &failure, sizeof(failure));
	(void)n; /* the row has it, and there is nobody else to tell */
	_exit(child_step_exit_status(child->step));
}

/* Before anything else that opens or closes: until it is done, the descriptors are init's too. */
static int unshare_fds(struct child *child)
{
	int from = child->context->shared_from;

	if (from == 0)
		return 0;
	if (syscall(SYS_close_range, (unsigned)from, ~0u, CLOSE_RANGE_UNSHARE) < 0 &&
		unshare(CLONE_FILES) < 0)
		return -errno;
	return 0;
}

/* Tells init that it may close what it has of ours; our row is RUNNING by now. */
static void ring_unshared(struct child *child)
{
	uint64_t one = 1;

	if (child->context->shared_from == 0)
		return;
	ssize_t n = write(child->context->event_fd, &one, sizeof(one));
	(void)n; /* it looks again at our end, at the latest */
}

static void write_identity(struct child *child)
{
	struct process_identity identity = {0};

	/* Without /proc and pidfs there is none: then it is known by its token only. */
	(void)process_identify(getpid(), &identity);
	child->row->pid = (int32_t)getpid();
	child->row->identity = identity;
	atomic_store_explicit(&child->row->state, ROW_RUNNING, memory_order_release);
}

static int read_spec(struct child *child)
{
	void *map;
	size_t size;

	return spec_read(child->context->spec_fd, &child->spec, &map, &size);
}

static int enter_session(struct child *child)
{
	return setsid() < 0 ? -errno : 0;
}

static int reset_signals(struct child *child)
{
	int r = hob_reset_signals();

	if (r < 0)
		return r;
	return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}

/*
 * O_NONBLOCK only while opening: a FIFO without a peer, or a line without a carrier, would hang
 * here. A FIFO of ours is opened O_RDWR, which never waits.
 */
static int open_for(int target, enum spec_stdio kind, const char *path)
{
	int flags = O_NOCTTY | O_CLOEXEC | O_NONBLOCK;

	if (!path)
		return -EINVAL;
	if (kind == STDIO_FIFO)
		flags |= O_RDWR;
	else if (target == STDIN_FILENO)
		flags |= O_RDONLY;
	else
		flags |= O_WRONLY | O_CREAT;
	if (kind == STDIO_APPEND)
		flags |= O_APPEND;
	if (kind == STDIO_TRUNCATE)
		flags |= O_TRUNC;
	int fd = open(path, flags, 0666);
	if (fd < 0)
		return -errno;
	int status = fcntl(fd, F_GETFL);
	if (status < 0 || fcntl(fd, F_SETFL, status & ~O_NONBLOCK) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int redirect(int target, enum spec_stdio kind, const char *path)
{
	if (kind == STDIO_NULL)
		return 0;
	int fd = open_for(target, kind, path);
	if (fd < 0)
		return fd;
	int r = dup2(fd, target) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int set_stdin(struct child *child)
{
	const struct spawn_spec *spec = &child->spec;

	umask(spec->umask & 0777);
	return redirect(STDIN_FILENO, spec->stdin_kind, spec->stdin_path);
}

static int set_stdout(struct child *child)
{
	const struct spawn_spec *spec = &child->spec;

	return redirect(STDOUT_FILENO, spec->stdout_kind,
		spec->stdout_kind == STDIO_FIFO ? spec->fifo_path : spec->stdout_path);
}

static int set_stderr(struct child *child)
{
	const struct spawn_spec *spec = &child->spec;
	bool same_fifo = spec->stderr_kind == STDIO_FIFO && spec->stdout_kind == STDIO_FIFO;

	if (spec->stderr_kind == STDIO_INHERIT || same_fifo)
		return dup2(STDOUT_FILENO, STDERR_FILENO) < 0 ? -errno : 0;
	return redirect(STDERR_FILENO, spec->stderr_kind,
		spec->stderr_kind == STDIO_FIFO ? spec->fifo_path : spec->stderr_path);
}

/* Out of the way of a fixed number, CLOEXEC. */
static int move_above(int *fd, int lowest)
{
	if (*fd < 0)
		return 0;
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, lowest);
	if (moved < 0)
		return -errno;
	*fd = moved;
	return 0;
}

/* Gives the readiness pipe its number. The old descriptors are closed with all others, later. */
static int place_fds(struct child *child)
{
	int wanted = child->spec.ready_fd;

	if (wanted < 0 || child->ready_fd < 0) {
		child->ready_fd = -1;
		return 0;
	}
	if (wanted < FIRST_FD)
		return -EINVAL;
	int r = move_above(&child->exec_fd, wanted + 1);
	if (r == 0)
		r = move_above(&child->lock_fd, wanted + 1);
	if (r < 0)
		return r;
	/* dup2() onto itself would leave CLOEXEC as it is. */
	if (child->ready_fd == wanted)
		return fcntl(wanted, F_SETFD, 0) < 0 ? -errno : 0;
	if (dup2(child->ready_fd, wanted) < 0)
		return -errno;
	child->ready_fd = wanted;
	return 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	int r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int enter_cgroup(struct child *child)
{
	char path[PATH_MAX];

	if (!child->spec.cgroup || child->context->in_cgroup)
		return 0;
	if (snprintf(path, sizeof(path), "%s/cgroup.procs", child->spec.cgroup) >=
		(int)sizeof(path))
		return -ENAMETOOLONG;
	return write_file(path, "0"); /* 0: the writer (cgroup v2, "Organizing Processes") */
}

/* Never init's own protection. What is refused stays as it is, as with systemd. */
static int set_oom_score(struct child *child)
{
	const struct spawn_spec *spec = &child->spec;
	int score = spec->has_oom_score ? spec->oom_score : child->context->oom_score;
	char text[16];

	if (score == CHILD_OOM_SCORE_KEEP)
		return 0;
	snprintf(text, sizeof(text), "%d", score);
	int r = write_file("/proc/self/oom_score_adj", text);
	return r == -EACCES || r == -EPERM || r == -ENOENT ? 0 : r;
}

static int set_nice(struct child *child)
{
	return child->spec.has_nice ? limit_set_nice(child->spec.nice) : 0;
}

static enum child_step step_of_stage(int stage)
{
	return stage == HOB_STAGE_USER || stage == HOB_STAGE_SETUID ? STEP_USER : STEP_GROUP;
}

static int find_user(struct child *child)
{
	const struct spawn_spec *spec = &child->spec;
	const char *const *more_groups = (const char *const *)spec->supplementary_groups;
	int stage = HOB_STAGE_USER;

	if (!spec->user && !spec->group && !(more_groups && more_groups[0]))
		return 0;
	int r = hob_user_get(spec->user, spec->group, more_groups, &child->user, &stage);
	child->step = step_of_stage(stage);
	return r;
}

/*
 * The tag (DESIGN 2.6) is refused only inside another hob without privilege, where a lower one is
 * in force: the tree is then found by the run id and by parentage.
 */
static int set_limits(struct child *child)
{
	const struct spawn_spec *spec = &child->spec;
	struct rlimit tag = {.rlim_cur = spec->tree_tag, .rlim_max = spec->tree_tag};
	int r = 0;

	if (child->context->n_files.rlim_max > 0)
		r = limit_set(RLIMIT_NOFILE, child->context->n_files);
	for (unsigned i = 0; r == 0 && i < spec->n_limits; i++)
		r = limit_set(
			spec->limits[i].resource, (struct rlimit){.rlim_cur = spec->limits[i].soft,
							  .rlim_max = spec->limits[i].hard});
	if (r == 0 && spec->tree_tag != 0 && setrlimit(RLIMIT_LOCKS, &tag) < 0 && errno != EPERM)
		r = -errno;
	return r;
}

static int become_user(struct child *child)
{
	int stage = HOB_STAGE_SETUID;

	int r = child->user ? hob_user_become(child->user, &stage) : 0;
	child->step = step_of_stage(stage);
	return r;
}

/* The home directory of the user that this process is now, or NULL. */
static const char *own_home(const struct child *child)
{
	struct hob_user *user;
	char number[16];

	if (child->user && child->user->home)
		return child->user->home;
	snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
	return hob_user_get(number, NULL, NULL, &user, NULL) == 0 ? user->home : NULL;
}

static int change_directory(struct child *child)
{
	const char *directory = child->spec.working_directory;

	if (!directory)
		directory = "/";
	else if (strcmp(directory, "~") == 0)
		directory = own_home(child);
	if (directory && chdir(directory) == 0)
		return 0;
	int r = directory ? -errno : -ENOENT;
	if (!child->spec.working_directory_optional)
		return r;
	return chdir("/") < 0 ? -errno : 0;
}

static int drop_new_privileges(struct child *child)
{
	if (!child->spec.no_new_privileges)
		return 0;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int close_fds(struct child *child)
{
	int keep[3];
	size_t n = 0;

	keep[n++] = child->exec_fd;
	if (child->ready_fd >= 0)
		keep[n++] = child->ready_fd;
	if (child->lock_fd >= 0)
		keep[n++] = child->lock_fd;
	return hob_close_from(FIRST_FD, keep, n);
}

static bool has_variable(const char **envp, const char *name)
{
	size_t size = strlen(name);

	for (; *envp; envp++)
		if (strncmp(*envp, name, size) == 0 && (*envp)[size] == '=')
			return true;
	return false;
}

/* What a login would set for the user, unless the unit says otherwise (systemd.exec(5)). */
static int add_user_variables(struct child *child)
{
	const struct hob_user *user = child->user;

	if (!child->spec.user)
		return 0;
	const struct {
		const char *name, *value;
	} variables[] = {
		{"HOME", user->home},
		{"LOGNAME", user->name},
		{"USER", user->name},
		{"SHELL", user->shell},
	};
	const char **old = child->spec.envp;
	size_t n = 0;

	while (old[n])
		n++;
	const char **envp = calloc(n + ARRAY_SIZE(variables) + 1, sizeof(*envp));
	if (!envp)
		return -ENOMEM;
	memcpy(envp, old, n * sizeof(*envp));
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		char *assignment;
		if (!variables[i].value || has_variable(old, variables[i].name))
			continue;
		if (asprintf(&assignment, "%s=%s", variables[i].name, variables[i].value) < 0)
			return -ENOMEM;
		envp[n++] = assignment;
	}
	child->spec.envp = envp;
	return 0;
}

static int execute(struct child *child)
{
	const struct spawn_spec *spec = &child->spec;

	int r = add_user_variables(child);
	if (r < 0)
		return r;
	if (!spec->ignore_sigpipe)
		signal(SIGPIPE, SIG_DFL);
	execve(spec->path, (char *const *)spec->argv, (char *const *)spec->envp);
	r = -errno;
	signal(SIGPIPE, SIG_IGN);
	return r;
}

static const struct {
	enum child_step step;
	int (*run)(struct child *child);
} steps[] = {
	{STEP_SPEC, read_spec},
	{STEP_SETSID, enter_session},
	{STEP_SIGNAL_MASK, reset_signals},
	{STEP_STDIN, set_stdin},
	{STEP_STDOUT, set_stdout},
	{STEP_STDERR, set_stderr},
	{STEP_FDS, place_fds},
	{STEP_CGROUP, enter_cgroup},
	{STEP_OOM_ADJUST, set_oom_score},
	{STEP_NICE, set_nice},
	{STEP_USER, find_user},
	{STEP_LIMITS, set_limits},
	{STEP_USER, become_user},
	{STEP_CHDIR, change_directory},
	{STEP_NO_NEW_PRIVILEGES, drop_new_privileges},
	{STEP_FDS, close_fds},
	{STEP_EXEC, execute},
};

_Noreturn void child_run(const struct child_context *context)
{
	struct child child = {.context = context,
		.row = context->row,
		.exec_fd = context->exec_fd,
		.ready_fd = context->ready_fd,
		.lock_fd = context->lock_fd};

	child.step = STEP_FDS;
	int r = unshare_fds(&child);
	if (r < 0)
		fail(&child, r);
	write_identity(&child);
	ring_unshared(&child);
	table_keep_only(context->table, child.row);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		child.step = steps[i].step;
		r = steps[i].run(&child);
		if (r < 0)
			fail(&child, r);
	}
	_exit(child_step_exit_status(STEP_EXEC)); /* not reached: execve() does not return 0 */
}
