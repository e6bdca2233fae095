/*
 * init's loop and its messages. ppoll(2) over two descriptors, the signals and the channel, is all
 * it waits for; the few things that have a time are looked at after each turn.
 *
 * What it starts with: descriptors 3 (lock), 4 (control), 5 (notify), a session of its own,
 * /dev/null on 0-2. Number 3 is needed for the supervisor's end of the channel, so the lock moves.
 */
#include "init/init.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "hob.h"
#include "os/child.h"
#include "os/clock.h"

#define SERVE_MOST 64		  /* messages in one turn, so that exits do not wait for long */
#define STAGE_PIPE_SIZE (1 << 20) /* more than /proc/sys/fs/pipe-max-size allows is not asked for  \
				   */
#define OOM_SCORE "-900"
#define OOM_PATH "/proc/self/oom_score_adj"

/* Signals that init takes note of; the others that could end it are ignored (ignore_strays()). */
static const int taken_signals[] = {SIGCHLD, SIGTERM, SIGINT};
/* Faults of our own, and what cannot be ignored or need not be. */
static const int left_signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGKILL, SIGSTOP, SIGCONT, SIGSEGV,
	SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

/* --- messages --- */

static void do_keep(
	struct init *init, const struct channel_message *message, int *fds, unsigned n_fds)
{
	if (n_fds < 1 || !keep_is_allowed(message->kind))
		return;
	if (keep(init, (enum kept_kind)message->kind, message->id, fds[0]) < 0)
		init->bells_lost = true; /* the table shows that it is not there */
	fds[0] = -1;
}

static void take_message(
	struct init *init, const struct channel_message *message, int *fds, unsigned n_fds)
{
	switch ((enum channel_op)message->op) {
	case CHANNEL_SPAWN:
		spawn(init, message, fds, n_fds);
		break;
	case CHANNEL_WATCH:
		spawn_watch(init, message, fds, n_fds);
		break;
	case CHANNEL_SIGNAL:
		spawn_signal(init, message->token, message->value);
		break;
	case CHANNEL_ACK:
		row_acknowledge(init, message->token);
		break;
	case CHANNEL_KEEP:
		do_keep(init, message, fds, n_fds);
		break;
	case CHANNEL_DROP:
		if (keep_is_allowed(message->kind))
			keep_drop(init, (enum kept_kind)message->kind, message->id);
		break;
	case CHANNEL_SHUTDOWN_TAKEN:
		atomic_store(&init->table.header->shutdown_wanted, 0);
		init->shutdown_taken = true;
		break;
	case CHANNEL_EXIT:
		ending_begin(init, clock_monotonic_us());
		break;
	default:
		bell_send(init, CHANNEL_NOT_MINE, message->token, message->op);
		break;
	}
}

void init_serve(struct init *init, unsigned most)
{
	while (most-- > 0 && init->channel_fd >= 0) {
		struct channel_message message;
		int fds[CHANNEL_FDS_MAX];
		unsigned n_fds = 0;

		int r = channel_receive(init->channel_fd, &message, fds, &n_fds);
		if (r == 0)
			return;
		if (r == -EBADMSG)
			continue;
		if (r < 0) {
			/* A supervisor that has let go of us is of no use any more. */
			init_close_channel(init);
			if (init->supervisor.pid > 0)
				(void)kill(init->supervisor.pid, SIGKILL);
			return;
		}
		take_message(init, &message, fds, n_fds);
		for (unsigned i = 0; i < n_fds; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

void init_close_channel(struct init *init)
{
	if (init->channel_fd >= 0)
		close(init->channel_fd);
	init->channel_fd = -1;
	init->bells_lost = init->orphans_came = false;
}

/* --- the loop --- */

static void take_signals(struct init *init, uint64_t now_us)
{
	struct signalfd_siginfo info;

	while (read(init->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			ending_signalled(init, (int)info.ssi_signo, now_us);
	/* One SIGCHLD may stand for many ends. */
	reap_all(init);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Waits for a descriptor or a deadline. */
static void wait_for(struct init *init, struct pollfd polled[3])
{
	uint64_t deadline = earlier(role_deadline(init), ending_deadline(init));
	uint64_t now = clock_monotonic_us();
	uint64_t us = deadline > now ? deadline - now : 0;
	struct timespec timeout = {
		.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
	bool owes = init->bells_lost || init->orphans_came;

	polled[0] = (struct pollfd){.fd = init->signal_fd, .events = POLLIN};
	polled[1] = (struct pollfd){
		.fd = init->channel_fd, .events = (short)(POLLIN | (owes ? POLLOUT : 0))};
	polled[2] = (struct pollfd){.fd = init->event_fd, .events = POLLIN};
	if (ppoll(polled, 3, deadline == UINT64_MAX ? NULL : &timeout, NULL) < 0)
		polled[0].revents = polled[1].revents = polled[2].revents = 0;
}

static void turn(struct init *init)
{
	struct pollfd polled[3];

	wait_for(init, polled);
	if (polled[0].revents)
		take_signals(init, clock_monotonic_us());
	if (polled[2].revents || init->n_unsettled > 0)
		fork_settle(init);
	if (polled[1].revents)
		init_serve(init, SERVE_MOST);
	uint64_t now = clock_monotonic_us();
	role_start_due(init, now);
	ending_turn(init, now);
	bell_retry(init);
}

/* --- starting --- */

/* A stray SIGUSR1 or SIGHUP must not end the parent of everything. */
static void ignore_strays(void)
{
	for (int signo = 1; signo < _NSIG; signo++) {
		bool left = false;
		for (size_t i = 0; i < ARRAY_SIZE(left_signals); i++)
			left = left || left_signals[i] == signo;
		if (!left)
			signal(signo, SIG_IGN);
		else
			signal(signo, SIG_DFL);
	}
}

static int open_signals(struct init *init)
{
	sigset_t taken;

	ignore_strays();
	sigemptyset(&taken);
	for (size_t i = 0; i < ARRAY_SIZE(taken_signals); i++)
		sigaddset(&taken, taken_signals[i]);
	if (sigprocmask(SIG_SETMASK, &taken, NULL) < 0)
		return -errno;
	init->signal_fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	return init->signal_fd < 0 ? -errno : 0;
}

/* Children whose stdio is "null" have these as they are: they must be what they are said to be. */
static int check_stdio(void)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			continue;
		int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (null < 0)
			return -errno;
		/* The lowest free number may be the wanted one. */
		if (null == fd ? fcntl(fd, F_SETFD, 0) < 0 : dup2(null, fd) < 0)
			return -errno;
		if (null > 2)
			close(null);
	}
	return 0;
}

/* Frees number 3 for the supervisor's channel, and takes care that nothing else ever gets it. */
static int move_lock(struct init *init)
{
	int fd = fcntl(INIT_FD_LOCK, F_DUPFD_CLOEXEC, INIT_FD_NOTIFY + 1);

	if (fd < 0)
		return -errno;
	if (dup3(STDIN_FILENO, INIT_FD_LOCK, O_CLOEXEC) < 0)
		return -errno;
	init->lock_fd = fd;
	return keep(init, KEPT_LOCK, (struct id128){0}, fd);
}

static int keep_inherited(struct init *init, enum kept_kind kind, int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return keep(init, kind, (struct id128){0}, fd);
}

static int keep_pair(
	struct init *init, const int pair[2], enum kept_kind first, enum kept_kind second)
{
	int r = keep(init, first, (struct id128){0}, pair[0]);
	int r2 = keep(init, second, (struct id128){0}, pair[1]);

	return r < 0 ? r : r2;
}

static int open_event(struct init *init)
{
	init->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	init->can_share = fork_can_share();
	return init->event_fd < 0 ? -errno : 0;
}

static int open_kept(struct init *init)
{
	int stage[2], link[2];

	int r = move_lock(init);
	if (r == 0)
		r = keep_inherited(init, KEPT_CONTROL, INIT_FD_CONTROL);
	if (r == 0)
		r = keep_inherited(init, KEPT_NOTIFY, INIT_FD_NOTIFY);
	if (r < 0)
		return r;
	if (pipe2(stage, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(stage[1], F_SETPIPE_SZ, STAGE_PIPE_SIZE); /* refused: it works with less */
	r = keep_pair(init, stage, KEPT_STAGE_READ, KEPT_STAGE_WRITE);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0)
		return -errno;
	return keep_pair(init, link, KEPT_LOGGER_SUPERVISOR_END, KEPT_LOGGER_LOGGER_END);
}

/* Protects init, where it may; what its children are to get back is kept. */
static void lower_oom_score(struct init *init)
{
	char text[16];

	init->oom_score = CHILD_OOM_SCORE_KEEP;
	int fd = open(OOM_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = '\0';
		if (pwrite(fd, OOM_SCORE, strlen(OOM_SCORE), 0) > 0)
			init->oom_score = (int32_t)strtol(text, NULL, 10);
	}
	close(fd);
}

/* A descriptor a service is kept: as many as the hard limit gives. */
static void raise_n_files(struct init *init)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	init->n_files = limit;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Pages are locked as they are first touched. Not for whoever has a limit on it: the whole
 * table would count, and mappings would start to fail.
 */
static void lock_memory(void)
{
	if (geteuid() == 0)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

static char *find_own_program(void)
{
	char path[PATH_MAX];

	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		return strdup("/proc/self/exe");
	path[n] = '\0';
	return strdup(path);
}

static int prepare(struct init *init)
{
	_cleanup_(freep) char *table_path = NULL;

	if (chdir("/") < 0)
		return -errno;
	/* Whatever else was passed on would be passed on for ever. */
	hob_close_from(INIT_FD_NOTIFY + 1, NULL, 0);
	int r = check_stdio();
	if (r == 0)
		r = open_signals(init);
	if (r < 0)
		return r;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	init->own_program = find_own_program();
	if (!init->own_program || asprintf(&table_path, "%s/table", init->runtime_dir) < 0)
		return -ENOMEM;
	r = table_create(&init->table, table_path);
	if (r == 0)
		r = open_kept(init);
	if (r == 0)
		r = open_event(init);
	if (r < 0)
		return r;
	raise_n_files(init);
	lower_oom_score(init);
	lock_memory();
	return 0;
}

/* So that nobody takes them for those of a living instance. */
static void unlink_sockets(const struct init *init)
{
	static const char *const names[] = {"control", "notify"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = NULL;
		if (asprintf(&path, "%s/%s", init->runtime_dir, names[i]) >= 0)
			unlink(path);
	}
}

static_assert(SLOTS_MAX >= TABLE_ROWS_MAX && SLOTS_MAX >= TABLE_KEPT_MAX && SLOTS_MAX < UINT16_MAX,
	"the arrays of slots.h have room for all");

int init_main(const char *runtime_dir, const char *log_dir, const char *hob_program)
{
	static struct init init; /* all zero, and touched only as far as it is used */

	init.runtime_dir = runtime_dir;
	init.log_dir = log_dir;
	init.hob_program = hob_program;
	init.channel_fd = -1;
	init.rows.n_max = TABLE_ROWS_MAX;
	init.kept.n_max = TABLE_KEPT_MAX;

	int r = prepare(&init);
	if (r < 0) {
		fprintf(stderr, "hob-init: cannot start in %s: %s\n", runtime_dir, strerror(-r));
		unlink_sockets(&init);
		return 1;
	}
	role_start_due(&init, clock_monotonic_us());
	while (init.ending != ENDING_DONE)
		turn(&init);
	unlink_sockets(&init);
	return 0;
}
