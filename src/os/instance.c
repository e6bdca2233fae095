/*
 * The lock decides who starts the instance: an flock on one open file description, which init and
 * all of its processes inherit. So whoever gets it knows that no instance is left, and may replace
 * the sockets. The control socket listens before init exists: those who lost just connect, and the
 * kernel queues them until the supervisor accepts.
 *
 * Sockets are bound under another name and renamed when they listen, so that "control" either is
 * not there, is a dead one, or answers.
 */
#include "os/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "hob.h"
#include "os/clock.h"

#define CONNECT_TIMEOUT_S 5	  /* until a full queue of connections moves */
#define START_TIMEOUT_US 10000000 /* until the winner of the lock has bound its sockets */
#define START_POLL_US 2000
#define BACKLOG 4096		   /* connections waiting; the kernel cuts it to somaxconn */
#define LAUNCH_TIMEOUT_US 10000000 /* until hob-init is exec'd */

/* What init finds where (common with src/init/main.c). */
enum { INIT_LOCK_FD = 3, INIT_CONTROL_FD, INIT_NOTIFY_FD, INIT_FDS_END };

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* The descriptor at a number above those that init gets. fd is closed, and -1 stays -1. */
static int raise_fd(int fd)
{
	if (fd < 0 || fd >= INIT_FDS_END)
		return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, INIT_FDS_END);
	int code = errno;
	close(fd);
	errno = code;
	return high;
}

/* --- connecting --- */

/* name in the directory as a socket address: through /proc/self/fd where the path is too long. */
static void make_address(
	const char *directory, int directory_fd, const char *name, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = sizeof(address.sun_path);

	if ((size_t)snprintf(address.sun_path, size, "%s/%s", directory, name) >= size)
		snprintf(address.sun_path, size, "/proc/self/fd/%d/%s", directory_fd, name);
	*ret_address = address;
}

/* The runtime directory, checked. -ENOENT: there is none. */
static int open_runtime(const struct place *place, struct error *error)
{
	struct stat st;
	int fd = raise_fd(open(place->runtime, O_PATH | O_NOFOLLOW | O_CLOEXEC));

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	if (fd < 0)
		return error_set(error, errno == EACCES ? EXIT_NOT_PERMITTED : EXIT_NO_ANSWER,
			-errno, "cannot open %s: %s", place->runtime, strerror(errno));
	int r = fstat(fd, &st) < 0 ? -errno : place_check_directory(place->runtime, &st, error);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int connect_failed(const struct place *place, int code, struct error *error)
{
	if (code == -ENOENT || code == -ECONNREFUSED || code == -ENOTDIR)
		return -ENOENT;
	if (code == -EAGAIN || code == -ETIMEDOUT)
		return error_set(error, EXIT_NO_ANSWER, -ETIMEDOUT,
			"%s/control: nobody accepts connections there (waited %d s)",
			place->runtime, CONNECT_TIMEOUT_S);
	return error_set(error,
		code == -EACCES || code == -EPERM ? EXIT_NOT_PERMITTED : EXIT_NO_ANSWER, code,
		"cannot connect to %s/control: %s", place->runtime, strerror(-code));
}

int instance_connect(const struct place *place, struct error *error)
{
	_cleanup_(closep) int directory = open_runtime(place, error);
	struct timeval limit = {.tv_sec = CONNECT_TIMEOUT_S};
	struct sockaddr_un address;

	if (directory < 0)
		return directory;
	make_address(place->runtime, directory, "control", &address);
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, EXIT_JOB_FAILED, -errno, "cannot make a socket: %s",
			strerror(errno));
	/* For AF_UNIX this bounds connect(2) too (unix(7), unix_wait_for_peer). */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return connect_failed(place, -errno, error);
	int connected = fd;
	fd = -1;
	return connected;
}

/* --- sockets --- */

static int cannot_bind(const struct place *place, const char *name, int code, struct error *error)
{
	return error_set(error, code == -EACCES ? EXIT_NOT_PERMITTED : EXIT_JOB_FAILED, code,
		"cannot make the socket %s/%s: %s (HOB_HOME=DIR puts it under another directory)",
		place->runtime, name, strerror(-code));
}

/* A socket of that name, mode and type, listening where it is a stream. */
static int bind_socket(const struct place *place, int directory, const char *name, int type,
	mode_t mode, struct error *error)
{
	char temporary[32];
	struct sockaddr_un address;
	int on = 1;

	snprintf(temporary, sizeof(temporary), "%s~", name);
	make_address(place->runtime, directory, temporary, &address);
	_cleanup_(closep) int fd = raise_fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return cannot_bind(place, name, -errno, error);
	unlinkat(directory, temporary, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		fchmodat(directory, temporary, mode, 0) < 0)
		return cannot_bind(place, name, -errno, error);
	if (type == SOCK_STREAM ? listen(fd, BACKLOG) < 0
				: setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return cannot_bind(place, name, -errno, error);
	if (renameat(directory, temporary, directory, name) < 0)
		return cannot_bind(place, name, -errno, error);
	int bound = fd;
	fd = -1;
	return bound;
}

/* --- hob-init --- */

/* Beside the program, in ../libexec/hob, or where it was installed to. */
static int find_init(const char *program, char **ret_path, struct error *error)
{
	const char *slash = strrchr(program, '/');
	int size = slash ? (int)(slash - program) : 0;
	char *candidates[3] = {NULL};
	int r = 0;

	if (asprintf(&candidates[0], "%.*s/hob-init", size, program) < 0 ||
		asprintf(&candidates[1], "%.*s/../libexec/hob/hob-init", size, program) < 0 ||
		asprintf(&candidates[2], "%s/hob-init", HOB_LIBEXEC) < 0)
		r = error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	for (size_t i = 0; i < ARRAY_SIZE(candidates) && r == 0 && !*ret_path; i++) {
		if (access(candidates[i], X_OK) == 0)
			*ret_path = take(candidates[i]);
	}
	if (r == 0 && !*ret_path)
		r = error_set(error, EXIT_JOB_FAILED, -ENOENT,
			"hob-init is neither beside %s nor in %s: the installation is incomplete",
			program, HOB_LIBEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		free(candidates[i]);
	return r;
}

/* HOB_* and what sanitizers read goes on to the instance; else it has a plain environment. */
static int make_environment(const struct place *place, struct strv *ret_environment)
{
	_cleanup_(buf_done) struct buf line = {0};
	int r = strv_append(ret_environment,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

	for (char **variable = environ; variable && *variable && r == 0; variable++) {
		if (strncmp(*variable, "HOB_", 4) == 0 || strncmp(*variable, "TZ=", 3) == 0 ||
			strstr(*variable, "SAN_OPTIONS="))
			r = strv_append(ret_environment, *variable);
	}
	if (r == 0 && place->home && buf_printf(&line, "HOB_HOME=%s", place->home) == 0)
		r = strv_set_env(ret_environment, line.data);
	buf_clear(&line);
	buf_append_string(&line, "HOB_UNIT_PATH=");
	for (char **directory = place->unit_path; directory && *directory; directory++)
		buf_printf(&line, "%s%s", directory == place->unit_path ? "" : ":", *directory);
	if (r == 0)
		r = buf_status(&line);
	return r == 0 ? strv_set_env(ret_environment, line.data) : r;
}

/*
 * Puts the three where init expects them, inheritable. What the caller of hob had on these numbers
 * is closed by that: it is nothing that hob uses. Ours are all above (raise_fd()).
 */
static int place_fds(int lock, int control, int notify)
{
	if (dup2(lock, INIT_LOCK_FD) < 0 || dup2(control, INIT_CONTROL_FD) < 0 ||
		dup2(notify, INIT_NOTIFY_FD) < 0)
		return -errno;
	return 0;
}

static void unplace_fds(void)
{
	for (int fd = INIT_LOCK_FD; fd < INIT_FDS_END; fd++)
		close(fd);
}

static int launch_failed(
	const char *init, const struct hob_report *report, int code, struct error *error)
{
	int reason = report->error ? report->error : -code;

	return error_set(error, EXIT_JOB_FAILED, code,
		"cannot start %s as a daemon: %s failed: %s%s%s", init,
		hob_stage_name(report->stage), strerror(reason), report->text[0] ? ": " : "",
		report->text);
}

/* hob-init as a daemon, with descriptors 3, 4, 5. Returns when it is exec'd. */
static int launch(const struct place *place, const char *program, struct error *error)
{
	static const int keep[] = {INIT_LOCK_FD, INIT_CONTROL_FD, INIT_NOTIFY_FD};
	_cleanup_(freep) char *init = NULL;
	_cleanup_(strv_done) struct strv environment = {0};
	struct hob_report report = {0};
	struct hob_daemon *daemon;
	struct hob_daemon_opts opts = {.size = sizeof(opts),
		.flags = HOB_DAEMON_PARENT_RETURNS,
		.timeout_us = LAUNCH_TIMEOUT_US,
		.keep_fds = keep,
		.n_keep_fds = ARRAY_SIZE(keep),
		.report = &report};

	int r = find_init(program, &init, error);
	if (r < 0)
		return r;
	char *argv[] = {init, (char *)"init", place->runtime, place->log, (char *)program, NULL};
	if (make_environment(place, &environment) < 0)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	r = hob_daemonize(&opts, &daemon);
	if (r == 0) {
		hob_daemon_exec(daemon, init, argv, environment.items);
		_exit(EXIT_CANNOT_EXECUTE);
	}
	return r == HOB_PARENT ? 0 : launch_failed(init, &report, r, error);
}

/* The lock is ours: the sockets, then init. The lock's descriptor stays the caller's. */
static int start(const struct place *place, const char *program, int lock, struct error *error)
{
	_cleanup_(closep) int control = -1;
	_cleanup_(closep) int notify = -1;
	int r = place_forget_earlier_boot(place, error);

	if (r < 0)
		return r;
	_cleanup_(closep) int directory = open_runtime(place, error);
	if (directory < 0)
		return directory;
	notify = bind_socket(place, directory, "notify", SOCK_DGRAM, 0666, error);
	if (notify < 0)
		return notify;
	control = bind_socket(place, directory, "control", SOCK_STREAM, 0600, error);
	if (control < 0)
		return control;
	r = place_fds(lock, control, notify);
	if (r < 0)
		error_set(error, EXIT_JOB_FAILED, r, "cannot place descriptors: %s", strerror(-r));
	else
		r = launch(place, program, error);
	unplace_fds();
	if (r < 0)
		unlinkat(directory, "control", 0);
	return r;
}

/* The lock's descriptor, or -EWOULDBLOCK: an instance has it. */
static int take_lock(const struct place *place, struct error *error)
{
	_cleanup_(freep) char *path = place_runtime_path(place, "lock");

	if (!path)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	int fd = raise_fd(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (fd < 0)
		return error_set(error, errno == EACCES ? EXIT_NOT_PERMITTED : EXIT_JOB_FAILED,
			-errno, "cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int code = -errno;
	close(fd);
	if (code == -EWOULDBLOCK)
		return code;
	return error_set(error, EXIT_JOB_FAILED, code, "cannot lock %s: %s", path, strerror(-code));
}

int instance_connect_or_start(const struct place *place, const char *program, struct error *error)
{
	int fd = instance_connect(place, error);

	if (fd != -ENOENT)
		return fd;
	int r = place_prepare(place, error);
	if (r < 0)
		return r;
	uint64_t until_us = clock_monotonic_us() + START_TIMEOUT_US;
	do {
		_cleanup_(closep) int lock = take_lock(place, error);
		if (lock < 0 && lock != -EWOULDBLOCK)
			return lock;
		/* Of an instance that ended since: what it was asked in its last moment is asked
		 * again. */
		r = lock >= 0 ? start(place, program, lock, error) : 0;
		if (r < 0)
			return r;
		fd = instance_connect(place, error);
		if (fd != -ENOENT)
			return fd;
		nanosleep(&(struct timespec){.tv_nsec = START_POLL_US * 1000}, NULL);
	} while (clock_monotonic_us() < until_us);
	return error_set(error, EXIT_NO_ANSWER, -ETIMEDOUT,
		"%s/lock is held, but nobody listens on %s/control: an instance that hangs while "
		"it ends?",
		place->runtime, place->runtime);
}

int instance_wait_end(const struct place *place, uint64_t timeout_us)
{
	uint64_t until_us = clock_monotonic_us() + timeout_us;

	for (;;) {
		_cleanup_(closep) int lock = take_lock(place, NULL);
		if (lock >= 0 || lock == -ENOENT)
			return 0;
		if (lock != -EWOULDBLOCK)
			return lock;
		if (clock_monotonic_us() >= until_us)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = START_POLL_US * 1000}, NULL);
	}
}
