/*
 * announce FIFO ID [SECONDS]: the service that is measured. Its first act is to take the time; it
 * sends {nanoseconds, pid, id} down the FIFO in one write and then does nothing for ever (or for
 * that many seconds).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct message {
	uint64_t ns;
	uint32_t pid, id;
};

int main(int argc, char **argv)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	struct message message = {
		.ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
		.pid = (uint32_t)getpid(),
		.id = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0,
	};
	int fd = argc > 1 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
	if (fd >= 0 && write(fd, &message, sizeof message) != sizeof message)
		return 1;
	close(fd);
	if (argc > 3)
		alarm((unsigned)atoi(argv[3]));
	for (;;)
		pause();
}
