/*
 * writer fast BYTES          lines of 100 bytes, numbered, 64 KiB a write, as fast as they are taken
 * writer rate PER_SECOND SECONDS   the same lines, ten a write; then it pauses for ever
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 100
#define BLOCK 655 /* lines a write: just under 64 KiB */

static void line(char *to, uint64_t number)
{
	memset(to, '.', LINE);
	for (int i = 11; i >= 0; i--, number /= 10)
		to[i] = (char)('0' + number % 10);
	to[LINE - 1] = '\n';
}

static void put(const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(1, data, size);

		if (n <= 0)
			_exit(1);
		data += n, size -= (size_t)n;
	}
}

int main(int argc, char **argv)
{
	static char buffer[BLOCK * LINE];
	uint64_t number = 0;

	if (argc > 2 && strcmp(argv[1], "fast") == 0) {
		uint64_t lines = strtoull(argv[2], NULL, 10) / LINE;

		while (number < lines) {
			int n = 0;

			for (; n < BLOCK && number < lines; n++, number++)
				line(buffer + n * LINE, number);
			put(buffer, (size_t)n * LINE);
		}
		return 0;
	}
	if (argc < 4)
		return 2;
	struct timespec next;
	long writes = atol(argv[2]) * atol(argv[3]) / 10, step = 10 * 1000000000L / atol(argv[2]);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (writes-- > 0) {
		for (int i = 0; i < 10; i++)
			line(buffer + i * LINE, number++);
		put(buffer, 10 * LINE);
		next.tv_nsec += step;
		next.tv_sec += next.tv_nsec / 1000000000L, next.tv_nsec %= 1000000000L;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	for (;;)
		pause();
}
