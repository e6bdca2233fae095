/*
 * floor_detach PROGRAM ARG...: the least that daemonizing a program can cost: fork, setsid, fork,
 * exec, nothing else, nothing confirmed. What `hob run` is measured against, started in the same way.
 */
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	pid_t pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		setsid();
		if (fork() == 0) {
			execv(argv[1], argv + 1);
			_exit(127);
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return 0;
}
