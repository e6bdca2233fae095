/*
 * floor_spawn N FIFO PROGRAM: the least that starting N programs can cost. A bare loop of fork and
 * exec of `PROGRAM FIFO i 120`; each start is confirmed by the end of a close-on-exec pipe, as hob
 * confirms it. Prints the nanoseconds at which it began, then one line "pid forked-at" a program,
 * and waits for its standard input to end; then it kills its children and buries them, and prints
 * how long that took.
 *
 * With "one" as fourth argument it starts the next one only when a byte comes in, so that the
 * floor of a single start can be taken alternately with something else's.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static pid_t start(const char *program, const char *fifo, int i)
{
	int confirm[2];
	char id[16], byte;

	if (pipe2(confirm, O_CLOEXEC) < 0)
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		snprintf(id, sizeof id, "%d", i);
		execl(program, program, fifo, id, "120", (char *)NULL);
		_exit(127);
	}
	close(confirm[1]);
	if (pid < 0 || read(confirm[0], &byte, 1) != 0)
		exit(1);
	close(confirm[0]);
	return pid;
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[1]) : 0, one = argc > 4;
	pid_t *pids = calloc((size_t)n + 1, sizeof *pids);
	uint64_t *at = calloc((size_t)n + 1, sizeof *at);
	char byte;

	if (!n || !pids || !at)
		return 2;
	printf("%llu\n", (unsigned long long)now_ns());
	fflush(stdout);
	for (int i = 0; i < n; i++) {
		if (one && read(0, &byte, 1) != 1)
			break;
		at[i] = now_ns();
		pids[i] = start(argv[3], argv[2], i);
		if (one) {
			printf("%d %llu\n", (int)pids[i], (unsigned long long)at[i]);
			fflush(stdout);
		}
	}
	if (!one)
		for (int i = 0; i < n; i++)
			printf("%d %llu\n", (int)pids[i], (unsigned long long)at[i]);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	uint64_t stop = now_ns();
	for (int i = 0; i < n && pids[i] > 0; i++)
		kill(pids[i], SIGTERM);
	while (wait(NULL) > 0)
		;
	printf("%llu\n", (unsigned long long)(now_ns() - stop));
	return 0;
}
