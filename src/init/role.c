/*
 * The two roles that init starts again when they die: at once the first time, then after 10 ms,
 * doubling to one second for as long as each dies young.
 *
 * When the supervisor dies, what it had sent is carried out first (init_serve()); then it gets a
 * new pair of sockets, since what is left in the old one was meant for the dead.
 */
#include "init/init.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hob.h"
#include "os/clock.h"

#define QUICK_US UINT64_C(10000000) /* who lived as long did not die young */
#define DELAY_FIRST_US UINT64_C(1000) /* for the third that died young; then doubled */
#define DELAY_MAX_US UINT64_C(1000000)
#define FORK_RETRY_US UINT64_C(100000)
#define EXIT_NO_EXEC 203 /* systemd.exec(5): EXIT_EXEC */

#define SUPERVISOR_KINDS                                                                           \
	((1u << KEPT_LOCK) | (1u << KEPT_CONTROL) | (1u << KEPT_NOTIFY) | (1u << KEPT_READY) |     \
		(1u << KEPT_LOGGER_SUPERVISOR_END))
#define LOGGER_KINDS                                                                               \
	((1u << KEPT_LOCK) | (1u << KEPT_STAGE_READ) | (1u << KEPT_STAGE_WRITE) |                  \
		(1u << KEPT_LOGGER_LOGGER_END))

static _Noreturn void exec_supervisor(struct init *init, int channel_end)
{
	char *const argv[] = {"hob-supervisor", "supervisor", (char *)init->runtime_dir,
		(char *)init->log_dir, NULL};

	/* INIT_FD_LOCK's number is free for it (init.c); dup2() clears CLOEXEC. */
	if (dup2(channel_end, CHANNEL_SUPERVISOR_FD) < 0)
		_exit(EXIT_NO_EXEC);
	keep_inherit(init, SUPERVISOR_KINDS);
	hob_reset_signals();
	execv(init->hob_program, argv);
	_exit(EXIT_NO_EXEC);
}

static _Noreturn void exec_logger(struct init *init)
{
	char *const argv[] = {
		"hob-logger", "logger", (char *)init->runtime_dir, (char *)init->log_dir, NULL};

	keep_inherit(init, LOGGER_KINDS);
	hob_reset_signals();
	execv(init->own_program, argv);
	/* It was moved or replaced: what we run ourselves is still there. */
	execv("/proc/self/exe", argv);
	_exit(EXIT_NO_EXEC);
}

static void note_started(struct role *role, pid_t pid, uint64_t now_us)
{
	if (pid < 0) {
		role->start_at_us = now_us + FORK_RETRY_US;
		return;
	}
	role->pid = pid;
	role->started_us = now_us;
}

static void start_supervisor(struct init *init, uint64_t now_us)
{
	struct table_header *header = init->table.header;
	int pair[2];

	init_close_channel(init);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		init->supervisor.start_at_us = now_us + FORK_RETRY_US;
		return;
	}
	atomic_store(&header->quick_restarts, init->supervisor.n_quick);
	atomic_fetch_add(&header->supervisor_starts, 1);
	pid_t pid = fork();
	if (pid == 0)
		exec_supervisor(init, pair[1]);
	close(pair[1]);
	note_started(&init->supervisor, pid, now_us);
	if (pid < 0) {
		close(pair[0]);
		return;
	}
	init->channel_fd = pair[0];
	atomic_store(&header->supervisor_pid, (int32_t)pid);
}

static void start_logger(struct init *init, uint64_t now_us)
{
	struct table_header *header = init->table.header;

	atomic_fetch_add(&header->logger_starts, 1);
	pid_t pid = fork();
	if (pid == 0)
		exec_logger(init);
	note_started(&init->logger, pid, now_us);
	if (pid < 0)
		return;
	atomic_store(&header->logger_pid, (int32_t)pid);
	bell_send(init, CHANNEL_LOGGER, 0, 0);
}

static bool is_due(const struct role *role, uint64_t now_us)
{
	return role->pid == 0 && role->start_at_us <= now_us;
}

void role_start_due(struct init *init, uint64_t now_us)
{
	if (init->ending > ENDING_WANTED)
		return;
	if (is_due(&init->supervisor, now_us))
		start_supervisor(init, now_us);
	if (is_due(&init->logger, now_us))
		start_logger(init, now_us);
}

static uint64_t delay_us(unsigned n_quick)
{
	uint64_t delay = DELAY_FIRST_US;

	if (n_quick <= 1)
		return 0;
	for (unsigned i = 2; i < n_quick && delay < DELAY_MAX_US; i++)
		delay *= 2;
	return delay < DELAY_MAX_US ? delay : DELAY_MAX_US;
}

static void note_died(struct role *role, uint64_t now_us)
{
	role->pid = 0;
	role->n_quick = now_us - role->started_us < QUICK_US ? role->n_quick + 1 : 0;
	role->start_at_us = now_us + delay_us(role->n_quick);
}

bool role_died(struct init *init, pid_t pid, uint64_t now_us)
{
	struct table_header *header = init->table.header;

	if (pid == init->supervisor.pid) {
		/* Its last wishes: they are in the socket, which is bounded, and nobody adds to
		 * them. */
		init_serve(init, UINT32_MAX);
		init_close_channel(init);
		atomic_store(&header->supervisor_pid, 0);
		note_died(&init->supervisor, now_us);
		return true;
	}
	if (pid == init->logger.pid) {
		atomic_store(&header->logger_pid, 0);
		note_died(&init->logger, now_us);
		return true;
	}
	return false;
}

uint64_t role_deadline(const struct init *init)
{
	uint64_t deadline = UINT64_MAX;

	if (init->ending > ENDING_WANTED)
		return deadline;
	if (init->supervisor.pid == 0)
		deadline = init->supervisor.start_at_us;
	if (init->logger.pid == 0 && init->logger.start_at_us < deadline)
		deadline = init->logger.start_at_us;
	return deadline;
}
