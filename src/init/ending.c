/*
 * The end of the instance.
 *
 *	signal -> WANTED --(supervisor: all services are gone)--> ROLES -> DONE
 *	             `--(no supervisor is up to it)--> TERM -> KILL --^
 *
 * A termination signal is the supervisor's to carry out. init steps in where none has lived for 2
 *s, or where one has not even taken note of it for 10 s: then it ends everything itself, so that
 *whoever asked is always answered.
 *
 * Which children are left is asked of the kernel (/proc/PID/task/PID/children), since orphans of
 *services have no rows; without that file (CONFIG_PROC_CHILDREN) the rows must do.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODY_US UINT64_C(2000000) /* no supervisor has lived so long */
#define TAKEN_US UINT64_C(10000000) /* it has not taken note of the signal */
#define TERM_US UINT64_C(10000000)  /* from SIGTERM to SIGKILL */
#define KILL_US UINT64_C(5000000)   /* what outlives SIGKILL so long is in state D: left behind */
#define ROLES_US UINT64_C(2000000)  /* from SIGTERM to SIGKILL, for supervisor and logger */
#define LOOK_US UINT64_C(100000)    /* how often a stage looks again */
#define CHILDREN_TEXT_MAX 4096

/* Calls `act` for each child but supervisor and logger. Their number, or a negative errno. */
static int for_each_child_listed(struct init *init, void (*act)(pid_t pid, int signo), int signo)
{
	char text[CHILDREN_TEXT_MAX + 1], path[64];
	size_t kept = 0;
	ssize_t n;
	int n_children = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + kept, CHILDREN_TEXT_MAX - kept)) > 0) {
		char *at = text, *blank;
		text[kept + (size_t)n] = '\0';
		for (; (blank = strchr(at, ' ')); at = blank + 1) {
			pid_t pid = (pid_t)strtol(at, NULL, 10);
			if (pid <= 0 || pid == init->supervisor.pid || pid == init->logger.pid)
				continue;
			act(pid, signo);
			n_children++;
		}
		/* A number that the buffer cut off goes on in the next piece. */
		kept = strlen(at);
		memmove(text, at, kept);
	}
	int r = n < 0 ? -errno : n_children;
	close(fd);
	return r;
}

static int for_each_child(struct init *init, void (*act)(pid_t pid, int signo), int signo)
{
	unsigned n = atomic_load(&init->table.header->rows_used);
	int n_children = 0;

	int r = for_each_child_listed(init, act, signo);
	if (r >= 0)
		return r;
	for (unsigned i = 0; i < n; i++) {
		const struct table_row *row = &init->table.rows[i];
		uint32_t state = atomic_load(&row->state);
		if (state == ROW_FREE || state == ROW_EXITED || row->pid <= 0)
			continue;
		act(row->pid, signo);
		n_children++;
	}
	return n_children;
}

/* A service leads its session and group: this reaches its workers too. It was not reaped (init.h).
 */
static void signal_child(pid_t pid, int signo)
{
	if (signo == 0)
		return;
	if (kill(-pid, signo) < 0)
		(void)kill(pid, signo);
	if (signo == SIGTERM && kill(-pid, SIGCONT) < 0)
		(void)kill(pid, SIGCONT);
}

static void enter(struct init *init, enum ending ending, uint64_t now_us)
{
	init->ending = ending;
	init->ending_us = now_us;
}

static void end_role(const struct role *role, int signo)
{
	if (role->pid > 0)
		(void)kill(role->pid, signo);
}

/* It is not up to it: it must not interfere with what follows either. */
static void take_over(struct init *init, uint64_t now_us)
{
	end_role(&init->supervisor, SIGKILL);
	init_close_channel(init);
	enter(init, ENDING_TERM, now_us);
	for_each_child(init, signal_child, SIGTERM);
}

void ending_signalled(struct init *init, int signo, uint64_t now_us)
{
	if (init->ending > ENDING_WANTED)
		return;
	atomic_store(&init->table.header->shutdown_wanted, (uint32_t)signo);
	if (init->ending == ENDING_NOT) {
		enter(init, ENDING_WANTED, now_us);
		init->signalled_us = init->last_good_us = now_us;
	}
	bell_send(init, CHANNEL_SHUTDOWN, 0, (uint64_t)signo);
}

void ending_begin(struct init *init, uint64_t now_us)
{
	if (init->ending >= ENDING_ROLES)
		return;
	enter(init, ENDING_ROLES, now_us);
	end_role(&init->supervisor, SIGTERM);
	end_role(&init->logger, SIGTERM);
}

static void turn_wanted(struct init *init, uint64_t now_us)
{
	if (init->supervisor.pid > 0 && now_us - init->supervisor.started_us >= NOBODY_US)
		init->last_good_us = now_us;
	if (now_us - init->last_good_us >= NOBODY_US ||
		(!init->shutdown_taken && now_us - init->signalled_us >= TAKEN_US))
		take_over(init, now_us);
}

static void turn_services(struct init *init, uint64_t now_us)
{
	bool killing = init->ending == ENDING_KILL;

	/* In rounds: what a killed process leaves behind becomes our child only now. */
	int n = for_each_child(init, signal_child, killing ? SIGKILL : 0);
	if (n == 0 || (killing && now_us - init->ending_us >= KILL_US))
		ending_begin(init, now_us);
	else if (!killing && now_us - init->ending_us >= TERM_US)
		enter(init, ENDING_KILL, now_us);
}

static void turn_roles(struct init *init, uint64_t now_us)
{
	if (init->supervisor.pid == 0 && init->logger.pid == 0) {
		enter(init, ENDING_DONE, now_us);
	} else if (now_us - init->ending_us >= ROLES_US) {
		end_role(&init->supervisor, SIGKILL);
		end_role(&init->logger, SIGKILL);
	}
}

void ending_turn(struct init *init, uint64_t now_us)
{
	init->look_at_us = now_us + LOOK_US;
	switch (init->ending) {
	case ENDING_WANTED:
		turn_wanted(init, now_us);
		break;
	case ENDING_TERM:
	case ENDING_KILL:
		turn_services(init, now_us);
		break;
	case ENDING_ROLES:
		turn_roles(init, now_us);
		break;
	case ENDING_NOT:
	case ENDING_DONE:
		break;
	}
}

uint64_t ending_deadline(const struct init *init)
{
	if (init->ending == ENDING_NOT || init->ending == ENDING_DONE)
		return UINT64_MAX;
	return init->look_at_us;
}
