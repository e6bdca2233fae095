/*
 * pinglog: every 3 seconds a start line, one ping of a host, its result, an end line.
 *
 *	hob run --ready notify -- ./pinglog --interval 3 --host 127.0.0.1
 *
 * It shows what is left of a daemon when something else does the daemonizing: it stays in the
 * foreground, logs to standard output, says when it is ready (hob_notify(), which does nothing
 *without a manager), and ends cleanly on SIGTERM and SIGINT, at any moment.
 *
 * Signals are blocked and taken with sigtimedwait(2), so that none can come between looking and
 * waiting. What may hang (the ping, a name's look-up, a connection) is done by a child, one at a
 * time, who is killed when its time is over. Rounds begin at absolute times: how long one takes
 *does not shift the next, and a round that comes too late is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hob.h"

#define INTERVAL_DEFAULT_S 3
#define INTERVAL_MAX_S 86400
#define PING_BOUND_US 2000000 /* for an answer; less where the interval is shorter */
#define CONNECT_PORT "80"

/* How a probe ended: its exit status, as ping(8) has it, or TIMED_OUT. */
enum { ALIVE = 0, NO_ANSWER = 1, FAILED = 2, NO_SUCH_PROGRAM = 127, TIMED_OUT = 256 };

struct options {
	const char *host;
	unsigned interval_s;
};

static sigset_t handled; /* SIGTERM, SIGINT, SIGCHLD: blocked at all times */
static int end_signal;	 /* the one that asked us to end; 0: none yet */

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* "start  2026-05-01 12:00:00 rest" */
static void say(const char *what, const char *rest)
{
	char text[64];
	time_t now = time(NULL);
	struct tm local;

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &local));
	/* A full disk must not end a daemon: what cannot be written is lost, the next line is tried
	 * again. */
	if (printf("%-6s %s %s\n", what, text, rest) < 0)
		clearerr(stdout);
}

/* The next of our signals until the deadline, 0 when that is over. Remembers a request to end. */
static int next_signal(uint64_t deadline_us)
{
	int signo;

	do {
		uint64_t now = now_us(), left = deadline_us > now ? deadline_us - now : 0;
		struct timespec timeout = {.tv_sec = (time_t)(left / 1000000),
			.tv_nsec = (long)(left % 1000000) * 1000};
		signo = sigtimedwait(&handled, NULL, &timeout);
	} while (signo < 0 && errno == EINTR);
	if (signo == SIGTERM || signo == SIGINT)
		end_signal = signo;
	return signo > 0 ? signo : 0;
}

/* ------------------------------------------------------------------ the child */

/* Where there is no ping: a host that refuses a connection is alive, too. */
static int connect_to(const char *host)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(host, CONNECT_PORT, &hints, &found) != 0)
		return FAILED;
	int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
	int r = fd < 0 ? -1 : connect(fd, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return r == 0 || (fd >= 0 && errno == ECONNREFUSED) ? ALIVE : NO_ANSWER;
}

static _Noreturn void probe(const char *host, bool by_ping)
{
	/* If we are killed, this goes too. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	hob_reset_signals();
	if (!by_ping)
		_exit(connect_to(host));
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execlp("ping", "ping", "-n", "-q", "-c", "1", "--", host, (char *)NULL);
	_exit(NO_SUCH_PROGRAM);
}

/* Runs one probe, until it ends, its time is over, or we are to end. None is left after. */
static int run_probe(const char *host, bool by_ping, uint64_t deadline_us)
{
	int status = FAILED << 8, signo;

	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		return FAILED;
	if (pid == 0)
		probe(host, by_ping);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		signo = next_signal(deadline_us);
		if (signo == SIGCHLD)
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return TIMED_OUT;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

/* ------------------------------------------------------------------ the daemon */

static void run_round(const struct options *options)
{
	uint64_t begin_us = now_us();
	uint64_t bound_us = (uint64_t)options->interval_s * 1000000;
	const char *how = "ping";
	char text[128];

	say("start", options->host);
	if (bound_us > PING_BOUND_US)
		bound_us = PING_BOUND_US;
	int result = run_probe(options->host, true, begin_us + bound_us);
	/* No ping here, or it may not open its socket. */
	if (result == NO_SUCH_PROGRAM || result == FAILED) {
		how = "connect";
		result = run_probe(options->host, false, begin_us + bound_us);
	}
	if (end_signal)
		return;
	snprintf(text, sizeof(text), "%s: %s after %.1f ms", how,
		result == ALIVE	   ? "alive"
		: result == FAILED ? "cannot be asked (unknown host?)"
				   : "no answer",
		(double)(now_us() - begin_us) / 1000);
	say("result", text);
	say("end", options->host);
	hob_notify("STATUS=%s %s", options->host, text);
}

static void run(const struct options *options)
{
	uint64_t interval_us = (uint64_t)options->interval_s * 1000000;
	uint64_t next_us = now_us();

	while (!end_signal) {
		run_round(options);
		uint64_t now = now_us();
		next_us += interval_us;
		if (next_us < now)
			next_us += (now - next_us + interval_us - 1) / interval_us * interval_us;
		/* SIGCHLD may come here, of a probe that was killed: it says nothing new. */
		while (!end_signal && next_signal(next_us))
			;
	}
}

static int usage(FILE *stream, int status)
{
	fprintf(stream, "usage: pinglog [--interval SECONDS] [--host HOST]\n");
	return status;
}

static bool parse_interval(const char *text, unsigned *ret_interval_s)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < 1 || value > INTERVAL_MAX_S)
		return false;
	*ret_interval_s = (unsigned)value;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"interval", required_argument, NULL, 'i'},
		{"host", required_argument, NULL, 'H'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options options = {.host = "127.0.0.1", .interval_s = INTERVAL_DEFAULT_S};
	int option;

	while ((option = getopt_long(argc, argv, "i:h", known, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, 0);
		if (option == 'H')
			options.host = optarg;
		else if (option != 'i' || !parse_interval(optarg, &options.interval_s))
			return usage(stderr, 2);
	}
	if (optind < argc)
		return usage(stderr, 2);

	sigemptyset(&handled);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGCHLD);
	signal(SIGCHLD, SIG_DFL); /* an ignored one never comes */
	sigprocmask(SIG_BLOCK, &handled, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);

	hob_notify("READY=1");
	run(&options);
	hob_notify("STOPPING=1");
	say("stop", end_signal == SIGTERM ? "by SIGTERM" : "by SIGINT");
	return 0;
}
