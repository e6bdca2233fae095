/*
 * Becoming a daemon. Three processes: the original O; the middle M, who makes the new session; the
 *daemon D, M's child, who therefore does not lead it.
 *
 *	O --fork--> M --setsid, fork--> D
 *
 * and two channels (answer.h), of which D has one and M the other.
 *
 * M stays until O has its answer, since only a parent learns how a process died: so the death of D
 *is noticed at once and with its status, also when a grandchild holds the answer channel open. And
 *only a parent can kill D without ever hitting a recycled pid. M never outlives O: it polls the
 *watch channel, whose other end closes with O, whatever becomes of O.
 *
 * The hang-up race: where O leads a terminal's session, its end sends SIGHUP to the foreground
 * group. O ends only after D has spoken, and D is in another session from its first instruction on.
 * If O is killed before, M still has all signals blocked, and what is pending is not inherited by
 *fork(2).
 *
 * Everything O needs memory or name services for is done before the first fork. Our descriptors are
 * moved above 2, so that a caller with 0-2 closed does not get the channel as its standard output.
 */
#include "hob.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "answer.h"

#define TIMEOUT_DEFAULT_US UINT64_C(90000000)
#define UMASK_DEFAULT 022
#define STDIO_MODE 0640
#define FLAGS_KNOWN (HOB_DAEMON_PARENT_RETURNS | HOB_DAEMON_SET_UMASK)
/* The struct as it was first: what a size of 0 stands for. */
#define OPTS_SIZE_FIRST (offsetof(struct hob_daemon_opts, report) + sizeof(struct hob_report *))

struct hob_daemon {
	int answer_fd;
	/* Of the preparation; free(3) is not async-signal-safe, so they go with the handle. */
	struct hob_user *user;
	int *keep;
};

/* All that is prepared before the first fork. Descriptors are -1 where there is none. */
struct preparation {
	struct hob_daemon_opts opts;
	struct hob_daemon *daemon; /* daemon->keep: the caller's list and the answer channel */
	int stdio[3];
	int answer[2], watch[2]; /* [0] O's end, [1] D's or M's */
	sigset_t caller_mask;
};

/* ------------------------------------------------------------------ before the fork */

static int copy_opts(const struct hob_daemon_opts *opts, struct hob_daemon_opts *ret)
{
	static const struct hob_daemon_opts none;

	*ret = none;
	if (!opts)
		return 0;
	size_t size = opts->size ? opts->size : OPTS_SIZE_FIRST;
	if (size < OPTS_SIZE_FIRST)
		return -EINVAL;
	memcpy(ret, opts, size < sizeof(*ret) ? size : sizeof(*ret));
	/* A caller of a later version may be served as long as it asks for nothing we do not know.
	 */
	for (size_t i = sizeof(*ret); i < size; i++)
		if (((const char *)opts)[i])
			return -E2BIG;
	if ((ret->flags & ~(unsigned)FLAGS_KNOWN) || (ret->n_keep_fds && !ret->keep_fds))
		return -EINVAL;
	return 0;
}

/*
 * unshare(2): CLONE_THREAD has no effect in a process with one thread and is EINVAL in others.
 * Where a system call filter forbids it, the link count of the directory of threads tells.
 */
static bool has_threads(void)
{
	struct stat status;

	if (unshare(CLONE_THREAD) == 0)
		return false;
	if (errno == EINVAL)
		return true;
	return stat("/proc/self/task", &status) == 0 && status.st_nlink > 3;
}

/*
 * O_NONBLOCK so that a FIFO cannot hold us up; it is taken off again, as it would be the daemon's.
 * O_NOFOLLOW: a link that a less privileged user planted must not choose the file that root writes
 * to. O_NOCTTY: a terminal's name here must not give the caller a controlling terminal.
 */
static int open_stdio(const char *path, bool input)
{
	int flags = input ? O_RDONLY : O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW;

	if (!path)
		flags = O_RDWR;
	flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = hob_answer_lift(open(path ? path : "/dev/null", flags, STDIO_MODE));
	if (fd < 0)
		return fd;
	int status = fcntl(fd, F_GETFL);
	if (status < 0 || fcntl(fd, F_SETFL, status & ~O_NONBLOCK) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void free_daemon(struct hob_daemon *daemon)
{
	if (!daemon)
		return;
	hob_user_free(daemon->user);
	free(daemon->keep);
	free(daemon);
}

static void preparation_done(struct preparation *p)
{
	for (int i = 0; i < 3; i++)
		close_fd(&p->stdio[i]);
	for (int i = 0; i < 2; i++) {
		close_fd(&p->answer[i]);
		close_fd(&p->watch[i]);
	}
	free_daemon(p->daemon);
}

static int prepare_stdio(struct preparation *p, int *stage)
{
	const char *const paths[3] = {p->opts.stdin_path, p->opts.stdout_path, p->opts.stderr_path};

	for (int i = 0; i < 3; i++) {
		*stage = HOB_STAGE_STDIN + i;
		p->stdio[i] = open_stdio(paths[i], i == 0);
		if (p->stdio[i] < 0)
			return p->stdio[i];
	}
	return 0;
}

static int prepare_channels(struct preparation *p)
{
	size_t n_keep = p->opts.n_keep_fds;

	int r = hob_answer_channel(p->answer);
	if (r == 0)
		r = hob_answer_channel(p->watch);
	if (r < 0)
		return r;
	p->daemon->keep = calloc(n_keep + 1, sizeof(*p->daemon->keep));
	if (!p->daemon->keep)
		return -ENOMEM;
	if (n_keep)
		memcpy(p->daemon->keep, p->opts.keep_fds, n_keep * sizeof(*p->daemon->keep));
	p->daemon->keep[n_keep] = p->daemon->answer_fd = p->answer[1];
	return 0;
}

static int prepare(struct preparation *p, int *stage)
{
	int r;

	*stage = HOB_STAGE_THREADS;
	if (has_threads())
		return -EBUSY;
	*stage = HOB_STAGE_OPTIONS;
	p->daemon = calloc(1, sizeof(*p->daemon));
	if (!p->daemon)
		return -ENOMEM;
	if (p->opts.user || p->opts.group) {
		r = hob_user_get(p->opts.user, p->opts.group, NULL, &p->daemon->user, stage);
		if (r < 0)
			return r;
	}
	r = prepare_stdio(p, stage);
	if (r < 0)
		return r;
	*stage = HOB_STAGE_PIPE;
	return prepare_channels(p);
}

/* ------------------------------------------------------------------ D: the daemon */

static int set_up_stdio(const struct preparation *p, int *stage)
{
	for (int i = 0; i < 3; i++) {
		*stage = HOB_STAGE_STDIN + i;
		if (dup2(p->stdio[i], i) < 0)
			return -errno;
	}
	return 0;
}

static int set_up(const struct preparation *p, int *stage)
{
	const struct hob_daemon_opts *opts = &p->opts;

	int r = set_up_stdio(p, stage);
	if (r < 0)
		return r;
	*stage = HOB_STAGE_CLOSE;
	r = hob_close_from(3, p->daemon->keep, opts->n_keep_fds + 1);
	if (r < 0)
		return r;
	*stage = HOB_STAGE_SIGNALS;
	r = hob_reset_signals();
	if (r < 0)
		return r;
	umask(opts->flags & HOB_DAEMON_SET_UMASK ? opts->umask & 0777 : UMASK_DEFAULT);
	*stage = HOB_STAGE_CHDIR;
	if (chdir(opts->directory ? opts->directory : "/") < 0)
		return -errno;
	*stage = HOB_STAGE_PRIVILEGED;
	if (opts->privileged && (r = opts->privileged(opts->data)) < 0)
		return r;
	return p->daemon->user ? hob_user_become(p->daemon->user, stage) : 0;
}

/* Takes over the preparation and returns into the caller's program, or ends. */
static void become_daemon(struct preparation *p, struct hob_daemon **ret)
{
	int stage = HOB_STAGE_NONE;

	int r = set_up(p, &stage);
	if (r < 0) {
		struct answer message = {
			.kind = ANSWER_FAILED, .stage = stage, .error = -r, .pid = getpid()};
		hob_answer_send(p->answer[1], &message);
		_exit(1);
	}
	*ret = p->daemon;
}

static int send_last(struct hob_daemon *daemon, const struct answer *message)
{
	int r = hob_answer_send(daemon->answer_fd, message);

	close(daemon->answer_fd);
	free_daemon(daemon);
	return r;
}

int hob_daemon_ready(struct hob_daemon *daemon)
{
	struct answer message = {.kind = ANSWER_READY, .pid = getpid()};

	return daemon ? send_last(daemon, &message) : 0;
}

static int send_failure(struct hob_daemon *daemon, int stage, int error, const char *text)
{
	struct answer message = {.kind = ANSWER_FAILED, .stage = stage, .pid = getpid()};

	message.error = error == 0 ? ECANCELED : error < 0 ? -error : error;
	if (text) {
		size_t size = strlen(text);
		if (size >= sizeof(message.text))
			size = sizeof(message.text) - 1;
		memcpy(message.text, text, size);
	}
	return send_last(daemon, &message);
}

int hob_daemon_failed(struct hob_daemon *daemon, int error, const char *text)
{
	return daemon ? send_failure(daemon, HOB_STAGE_DAEMON, error, text) : 0;
}

int hob_daemon_exec(
	struct hob_daemon *daemon, const char *path, char *const argv[], char *const envp[])
{
	struct answer message = {.kind = ANSWER_EXEC, .pid = getpid()};

	/* Where nobody listens any more the program is executed all the same. */
	if (daemon)
		hob_answer_send(daemon->answer_fd, &message);
	execve(path, argv, envp);
	int r = -errno;
	if (daemon)
		send_failure(daemon, HOB_STAGE_EXEC, r, path);
	return r;
}

/* ------------------------------------------------------------------ M: the middle process */

static void on_child(int signo)
{
	/* Nothing: it interrupts ppoll(2), as a default or ignored signal would not. */
}

static _Noreturn void fail_middle(const struct preparation *p, int stage, int error)
{
	struct answer message = {.kind = ANSWER_FAILED, .stage = stage, .error = error};

	hob_answer_send(p->watch[1], &message);
	_exit(1);
}

/* Until D ends or O has gone or has its answer. All signals are blocked but, inside ppoll(2),
 * SIGCHLD. */
static _Noreturn void watch_daemon(const struct preparation *p, pid_t daemon_pid)
{
	struct pollfd poll_fd = {.fd = p->watch[1], .events = POLLIN};
	struct answer message = {.kind = ANSWER_DIED, .pid = daemon_pid};
	struct answer command;
	sigset_t only_child;
	int wait_status;

	sigfillset(&only_child);
	sigdelset(&only_child, SIGCHLD);
	for (;;) {
		if (waitpid(daemon_pid, &wait_status, WNOHANG) == daemon_pid) {
			message.wait_status = wait_status;
			hob_answer_send(p->watch[1], &message);
			_exit(0);
		}
		if (ppoll(&poll_fd, 1, NULL, &only_child) <= 0)
			continue;
		int r = hob_answer_receive(p->watch[1], &command);
		if (r == 0)
			_exit(0);
		if (r == 1 && command.kind == ANSWER_KILL)
			kill(daemon_pid, SIGKILL);
	}
}

/* Returns in D only. */
static void run_middle(struct preparation *p)
{
	/* An ignored SIGCHLD would have the kernel throw D's status away. */
	struct sigaction action = {.sa_handler = on_child};

	close_fd(&p->answer[0]);
	close_fd(&p->watch[0]);
	if (sigaction(SIGCHLD, &action, NULL) < 0)
		fail_middle(p, HOB_STAGE_SIGNALS, errno);
	if (setsid() < 0)
		fail_middle(p, HOB_STAGE_SETSID, errno);
	pid_t pid = fork();
	if (pid < 0)
		fail_middle(p, HOB_STAGE_FORK, errno);
	if (pid == 0) {
		close_fd(&p->watch[1]);
		return;
	}
	close_fd(&p->answer[1]);
	watch_daemon(p, pid);
}

/* ------------------------------------------------------------------ O: the original process */

static int report(const struct hob_daemon_opts *opts, const struct answer *answer)
{
	struct hob_report report = {.stage = answer->stage,
		.error = answer->error,
		.wait_status = -1,
		.pid = answer->pid};

	memcpy(report.text, answer->text, sizeof(report.text) - 1);
	if (answer->kind == ANSWER_DIED) {
		report.stage = HOB_STAGE_DAEMON;
		report.error = ECHILD;
		report.wait_status = answer->wait_status;
	}
	if (opts->report)
		*opts->report = report;
	return -report.error;
}

static int fail(const struct hob_daemon_opts *opts, int stage, int error)
{
	struct answer answer = {.kind = ANSWER_FAILED, .stage = stage, .error = -error};

	return report(opts, &answer);
}

/* What O does after the fork. */
static int supervise_start(struct preparation *p, pid_t middle_pid)
{
	struct answer end = {0};

	close_fd(&p->answer[1]);
	close_fd(&p->watch[1]);
	struct answer answer = hob_answer_await(p->answer[0], p->watch[0],
		p->opts.timeout_us ? p->opts.timeout_us : TIMEOUT_DEFAULT_US);
	if (answer.kind == ANSWER_READY && !(p->opts.flags & HOB_DAEMON_PARENT_RETURNS))
		_exit(0);
	/* One that said it failed is about to end: a caller who tries again must not meet it. */
	if (answer.kind == ANSWER_FAILED && answer.stage != HOB_STAGE_TIMEOUT && answer.pid)
		hob_answer_await_end(p->watch[0], &end);
	close_fd(&p->watch[0]);
	while (waitpid(middle_pid, NULL, 0) < 0 && errno == EINTR)
		;
	int r = report(&p->opts, &answer);
	return answer.kind == ANSWER_READY ? HOB_PARENT : r;
}

static int start(struct preparation *p, struct hob_daemon **ret)
{
	sigset_t all;

	fflush(NULL); /* else what is buffered would be written twice */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &p->caller_mask);
	pid_t pid = fork();
	int saved_errno = errno;
	if (pid == 0) {
		run_middle(p);
		become_daemon(p, ret);
		return 0;
	}
	sigprocmask(SIG_SETMASK, &p->caller_mask, NULL);
	if (pid < 0)
		return fail(&p->opts, HOB_STAGE_FORK, -saved_errno);
	return supervise_start(p, pid);
}

int hob_daemonize(const struct hob_daemon_opts *opts, struct hob_daemon **ret)
{
	struct preparation p = {.stdio = {-1, -1, -1}, .answer = {-1, -1}, .watch = {-1, -1}};
	int stage = HOB_STAGE_OPTIONS;

	int r = copy_opts(opts, &p.opts);
	if (r == 0 && !ret)
		r = -EINVAL;
	if (r == 0)
		r = prepare(&p, &stage);
	r = r < 0 ? fail(&p.opts, stage, r) : start(&p, ret);
	if (r != 0)
		preparation_done(&p);
	return r;
}
