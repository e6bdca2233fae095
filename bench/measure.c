/*
 * measure N COMMAND... -- COMMAND...: runs the commands alternately, N times each, and prints one
 * line "WHICH NANOSECONDS STATUS" a run: from just before the spawn until its end was seen.
 * "{}" in an argument becomes the number of the run; "---" stands for a "--" of the command's own.
 * Output of the commands goes to /dev/null.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 8
#define ARGUMENTS_MAX 64

extern char **environ;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void run(int which, char **argv, int round)
{
	static char texts[ARGUMENTS_MAX][512];
	char *filled[ARGUMENTS_MAX + 1] = {NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	for (int i = 0; argv[i] && i < ARGUMENTS_MAX; i++) {
		char *hole = strstr(argv[i], "{}");

		filled[i] = argv[i];
		if (hole) {
			snprintf(texts[i], sizeof texts[i], "%.*s%d%s", (int)(hole - argv[i]), argv[i], round, hole + 2);
			filled[i] = texts[i];
		}
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	uint64_t start = now_ns();
	if (posix_spawn(&pid, filled[0], &actions, NULL, filled, environ) != 0)
		exit(1);
	waitpid(pid, &status, 0);
	printf("%d %llu %d\n", which, (unsigned long long)(now_ns() - start), WIFEXITED(status) ? WEXITSTATUS(status) : 255);
	posix_spawn_file_actions_destroy(&actions);
}

int main(int argc, char **argv)
{
	char **commands[COMMANDS_MAX];
	int n_commands = 0;

	if (argc < 3)
		return 2;
	commands[n_commands++] = argv + 2;
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "--") == 0 && n_commands < COMMANDS_MAX) {
			argv[i] = NULL;
			commands[n_commands++] = argv + i + 1;
		} else if (strcmp(argv[i], "---") == 0) {
			argv[i] = "--";
		}
	for (int round = 0; round < atoi(argv[1]); round++)
		for (int i = 0; i < n_commands; i++)
			run(i, commands[i], round);
	return 0;
}
