/*
 * Looking at a process from outside, by /proc, for the tests of this folder. Each test process is
 * the child subreaper: what it starts, however it detaches, is its child in the end, and its pid
 * cannot be given to another before it is waited for.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PROBE_BOUND_MS 20000
#define PROBE_LIFE_S 60 /* of a process that a failed test leaves behind */

static inline uint64_t probe_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The rest of the line "NAME:\t..." in /proc/PID/status. */
static inline void probe_status(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64], line[4096];
	size_t length = strlen(name);

	text[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(text, size, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
	}
	fclose(file);
}

static inline void assert_status(pid_t pid, const char *name, const char *wanted)
{
	char text[4096];

	probe_status(pid, name, text, sizeof(text));
	assert_string_equal(text, wanted);
}

static inline void assert_link(pid_t pid, const char *name, const char *wanted)
{
	char path[64], target[4096];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	ssize_t size = readlink(path, target, sizeof(target) - 1);
	assert_true(size >= 0);
	target[size] = '\0';
	assert_string_equal(target, wanted);
}

struct probe_stat {
	char state;
	int ppid, pgrp, session, tty, tpgid;
};

static inline struct probe_stat probe_stat(pid_t pid)
{
	char path[64], line[1024] = "";
	struct probe_stat stat = {0};

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	char *rest = strrchr(line, ')');
	assert_non_null(rest);
	assert_int_equal(sscanf(rest + 1, " %c %d %d %d %d %d", &stat.state, &stat.ppid, &stat.pgrp,
				 &stat.session, &stat.tty, &stat.tpgid),
		6);
	return stat;
}

/* A pid that a started process has written into a pipe; 0: it ended without. */
static inline pid_t probe_read_pid(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	pid_t pid = 0;

	assert_int_equal(poll(&poll_fd, 1, PROBE_BOUND_MS), 1);
	if (read(fd, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		return 0;
	return pid;
}

/* Tells the test who it is, then stays. */
static inline void probe_report(int fd)
{
	pid_t pid = getpid();

	alarm(PROBE_LIFE_S);
	if (write(fd, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		_exit(99);
}

static inline _Noreturn void probe_stay(int fd)
{
	probe_report(fd);
	for (;;)
		pause();
}

/* Waits for one of our children, whoever made it: its wait status. */
static inline int probe_wait(pid_t pid)
{
	uint64_t until_us = probe_now_us() + UINT64_C(1000) * PROBE_BOUND_MS;
	int status = -1;
	pid_t r;

	/* A daemon is our child only when its parent has ended. */
	do {
		r = waitpid(pid, &status, WNOHANG);
		if (r == 0 || (r < 0 && errno == ECHILD))
			nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	} while (r != pid && probe_now_us() < until_us);
	assert_int_equal(r, pid);
	return status;
}

static inline void probe_end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(probe_wait(pid), SIGKILL);
}

static inline int probe_set_up(void **state)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}
