/*
 * SOCK_SEQPACKET: a message is whole or not there, the end of the other side is told, and a write
 * to nobody is an error instead of SIGPIPE. M's word about D's death and D's own last word come by
 * different channels; D's is looked for once more after M's came, so that what it said before it
 * died counts.
 */
#include "answer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define END_BOUND_US UINT64_C(1000000)

int hob_answer_lift(int fd)
{
	if (fd < 0)
		return -errno;
	if (fd > 2)
		return fd;
	int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int r = lifted < 0 ? -errno : lifted;
	close(fd);
	return r;
}

int hob_answer_channel(int ends[2])
{
	int r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		r = -errno;
		ends[0] = ends[1] = -1;
		return r;
	}
	for (int i = 0; i < 2; i++) {
		ends[i] = hob_answer_lift(ends[i]);
		if (ends[i] < 0 && r == 0)
			r = ends[i];
	}
	return r;
}

int hob_answer_send(int fd, const struct answer *answer)
{
	ssize_t n;

	do
		n = send(fd, answer, sizeof(*answer), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

int hob_answer_receive(int fd, struct answer *ret)
{
	ssize_t n;

	do
		n = recv(fd, ret, sizeof(*ret), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	return n == (ssize_t)sizeof(*ret) ? 1 : 0;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t deadline_after(uint64_t span_us)
{
	uint64_t now = now_us();

	return span_us > UINT64_MAX - now ? UINT64_MAX : now + span_us;
}

/* poll(2) until a deadline, whatever signals come: the number of ready ones, 0 when it is over, or
 * a negative errno. */
static int wait_for(struct pollfd *fds, unsigned n_fds, uint64_t deadline_us)
{
	for (;;) {
		uint64_t now = now_us(), left = deadline_us > now ? deadline_us - now : 0;
		struct timespec timeout = {.tv_sec = (time_t)(left / 1000000),
			.tv_nsec = (long)(left % 1000000) * 1000};
		int n = ppoll(fds, n_fds, deadline_us == UINT64_MAX ? NULL : &timeout, NULL);
		if (n >= 0 || errno != EINTR)
			return n < 0 ? -errno : n;
	}
}

int hob_answer_await_end(int watch_fd, struct answer *ret)
{
	struct pollfd fd = {.fd = watch_fd, .events = POLLIN};

	int n = wait_for(&fd, 1, deadline_after(END_BOUND_US));
	if (n <= 0)
		return n < 0 ? n : -ETIMEDOUT;
	return hob_answer_receive(watch_fd, ret);
}

/* Returns D's pid, or 0 where nobody could tell. */
static pid_t kill_daemon(int watch_fd)
{
	struct answer command = {.kind = ANSWER_KILL}, end = {0};

	/* One that the kernel holds in state D dies later: SIGKILL is pending by then. */
	if (hob_answer_send(watch_fd, &command) == 0)
		hob_answer_await_end(watch_fd, &end);
	return end.pid;
}

/* The channel is closed and nobody has said anything: D is dying, or has exec'd, or closed it by
 * mistake. */
static struct answer end_of_silence(int watch_fd)
{
	struct answer end = {.kind = ANSWER_FAILED, .stage = HOB_STAGE_DAEMON, .error = EPIPE};

	if (hob_answer_await_end(watch_fd, &end) < 0)
		end.pid = kill_daemon(watch_fd);
	return end;
}

struct answer hob_answer_await(int answer_fd, int watch_fd, uint64_t timeout_us)
{
	struct pollfd fds[2] = {
		{.fd = answer_fd, .events = POLLIN}, {.fd = watch_fd, .events = POLLIN}};
	uint64_t deadline_us = deadline_after(timeout_us);
	struct answer answer, end = {0};
	bool is_executing = false;

	for (;;) {
		int n = wait_for(fds, 2, deadline_us);
		if (n <= 0)
			return (struct answer){.kind = ANSWER_FAILED,
				.stage = HOB_STAGE_TIMEOUT,
				.error = n < 0 ? -n : ETIMEDOUT,
				.pid = kill_daemon(watch_fd)};
		int r, ended = hob_answer_receive(watch_fd, &end);
		while ((r = hob_answer_receive(answer_fd, &answer)) == 1) {
			if (answer.kind != ANSWER_EXEC)
				return answer;
			is_executing = true;
		}
		if (ended == 1)
			return end;
		if (r == 0 && is_executing) {
			answer.kind = ANSWER_READY;
			return answer;
		}
		if (r == 0 || ended == 0)
			return end_of_silence(watch_fd);
	}
}
