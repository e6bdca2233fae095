/*
 * stubborn MARKER FLAG...: a main process with a tree that does not want to die.
 *
 *	ignore   the main process ignores SIGTERM
 *	group    a plain child in the main process's group
 *	away     a grandchild that has called setsid twice, double-forked, and ignores every signal it can
 *	clear    the same, with an emptied environment (by exec of itself)
 *	hop      a process that goes on living only as its own next child: fork, parent ends, for ever
 *	late     a child that forks ten more when it gets SIGTERM
 *	lead     the main process ends with 0 as soon as the others are there
 *
 * MARKER stays in every process's argument list. "ready" is printed when the whole tree is there.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void ignore_all(void)
{
	for (int i = 1; i < 65; i++)
		signal(i, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

static void __attribute__((noreturn)) stay(int ready)
{
	if (ready >= 0 && write(ready, "x", 1) < 0)
		_exit(1);
	for (;;)
		pause();
}

static void __attribute__((noreturn)) away(int ready)
{
	setsid();
	if (fork())
		_exit(0);
	setsid();
	if (fork())
		_exit(0);
	setsid();
	ignore_all();
	stay(ready);
}

static void __attribute__((noreturn)) hop(int ready)
{
	ignore_all();
	signal(SIGCHLD, SIG_IGN);
	setsid();
	if (write(ready, "x", 1) < 0)
		_exit(1);
	close(ready);
	for (;;) {
		pid_t pid = fork();

		if (pid > 0)
			_exit(0);
		pause_ms(pid < 0 ? 5 : 1);
	}
}

static void ten_more(int signo)
{
	(void)signo;
	for (int i = 0; i < 10; i++)
		if (fork() == 0) {
			ignore_all();
			setsid();
			stay(-1);
		}
}

static void late(int ready)
{
	signal(SIGTERM, ten_more);
	stay(ready);
}

static void clear(const char *self, const char *marker, int ready)
{
	char number[16];
	char *argv[] = { (char *)self, (char *)marker, "exec-away", number, NULL };
	char *none[] = { NULL };

	snprintf(number, sizeof number, "%d", ready);
	execve("/proc/self/exe", argv, none);
	_exit(1);
}

int main(int argc, char **argv)
{
	int ready[2], n = 0, lead = 0;
	char byte;

	if (argc == 4 && !strcmp(argv[2], "exec-away"))
		away(atoi(argv[3]));
	if (argc < 2 || pipe(ready) < 0)
		return 2;
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "ignore")) {
			signal(SIGTERM, SIG_IGN);
			continue;
		}
		if (!strcmp(argv[i], "lead")) {
			lead = 1;
			continue;
		}
		n++;
		if (fork())
			continue;
		if (!strcmp(argv[i], "group")) stay(ready[1]);
		else if (!strcmp(argv[i], "away")) away(ready[1]);
		else if (!strcmp(argv[i], "clear")) clear(argv[0], argv[1], ready[1]);
		else if (!strcmp(argv[i], "hop")) hop(ready[1]);
		else if (!strcmp(argv[i], "late")) late(ready[1]);
		_exit(1);
	}
	while (n-- > 0)
		if (read(ready[0], &byte, 1) != 1)
			return 3;
	puts("ready");
	fflush(stdout);
	if (lead)
		return 0;
	for (;;)
		pause();
}
