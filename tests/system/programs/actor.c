/*
 * actor STEP...: a program that does what the test's command line says, step by step.
 *
 *	print:TEXT      a line on standard output      error:TEXT      ... on standard error
 *	write:TEXT      the same without the newline (\n, \0 and \xHH are understood)
 *	lines:N:RATE    N numbered lines, RATE a second (0 = as fast as it goes; N 0 = for ever)
 *	sleep:MS        pause           for ever       await:PATH      until PATH exists
 *	touch:PATH      create PATH                    append:PATH     a line with its pid
 *	clock:PATH      appends a line with CLOCK_MONOTONIC in microseconds
 *	exit:N          kill:SIGNO      itself         ignore:SIGNO
 *	on:SIGNO:N      end with N on that signal      log:SIGNO       print "signal N" on that signal
 *	notify:TEXT     to $NOTIFY_SOCKET (\n is understood)
 *	child-notify:TEXT  a short-lived child sends it
 *	hand-over       a child goes on as the main process; MAINPID= is sent, then the parent ends
 *	watchdog:MS:N   N times WATCHDOG=1, MS apart (N 0 = for ever)
 *	fd:N:TEXT       TEXT to descriptor N           close:N
 *	background      as a daemon of old: fork, setsid, fork; both parents end with 0
 *	fork            a child goes on; the parent waits for nobody and pauses for ever
 *	single:LOCK:LOG takes a lock on LOCK for its life; appends a line to LOG when another has it
 *	memory:MIB      touches that much
 *	# WORD          does nothing: a marker
 *
 * After the last step it ends with 0.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int status_on[65];

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static size_t unescape(const char *from, char *to)
{
	char *start = to;

	for (; *from; from++) {
		if (*from != '\\') {
			*to++ = *from;
		} else if (from[1] == 'n') {
			*to++ = '\n', from++;
		} else if (from[1] == '0') {
			*to++ = '\0', from++;
		} else if (from[1] == 'x' && isxdigit((unsigned char)from[2]) && isxdigit((unsigned char)from[3])) {
			char hex[3] = { from[2], from[3], 0 };

			*to++ = (char)strtoul(hex, NULL, 16), from += 3;
		} else {
			*to++ = *from;
		}
	}
	return (size_t)(to - start);
}

static void write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			perror("write");
			_exit(99);
		}
		data += n, size -= (size_t)n;
	}
}

static void write_text(int fd, const char *text, const char *end)
{
	char buffer[65536];
	size_t size = unescape(text, buffer);

	/* One write, so that two processes' lines stay whole. */
	for (; *end && size < sizeof(buffer); end++)
		buffer[size++] = *end;
	write_all(fd, buffer, size);
}

static void notify(const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	char buffer[65536];
	size_t size = unescape(text, buffer);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!path || strlen(path) >= sizeof address.sun_path) {
		fprintf(stderr, "NOTIFY_SOCKET is %s\n", path ? path : "not set");
		_exit(98);
	}
	strcpy(address.sun_path, path);
	if (*path == '@')
		address.sun_path[0] = 0;
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + (*path != '@'));
	if (sendto(fd, buffer, size, 0, (struct sockaddr *)&address, length) < 0) {
		perror("notify");
		_exit(97);
	}
	close(fd);
}

static void on_signal(int signo)
{
	_exit(status_on[signo]);
}

static void log_signal(int signo)
{
	char line[] = "signal 00\n";

	line[7] = (char)('0' + signo / 10), line[8] = (char)('0' + signo % 10);
	if (write(1, line, sizeof line - 1) < 0)
		_exit(99);
}

static void handle(int signo, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigaction(signo, &action, NULL);
}

static void lines(long n, long rate)
{
	char line[64];

	for (long i = 0; !n || i < n; i++) {
		int size = snprintf(line, sizeof line, "line %09ld\n", i);

		write_all(1, line, (size_t)size);
		if (rate)
			pause_ms(1000 / rate > 0 ? 1000 / rate : 1);
	}
}

static void append(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	char line[128];
	int size = snprintf(line, sizeof line, "%s%ld\n", what, (long)getpid());

	if (fd < 0) {
		perror(path);
		_exit(96);
	}
	write_all(fd, line, (size_t)size);
	close(fd);
}

static void append_clock(const char *path)
{
	struct timespec now;
	char line[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	int size = snprintf(line, sizeof line, "%lld\n", now.tv_sec * 1000000LL + now.tv_nsec / 1000);

	write_all(fd, line, (size_t)size);
	close(fd);
}

static void single(const char *lock, const char *log)
{
	int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		append(log, "a second copy: ");
}

static void hand_over(void)
{
	char text[64];
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		return;
	}
	snprintf(text, sizeof text, "MAINPID=%ld", (long)pid);
	notify(text);
	pause_ms(50);
	_exit(0);
}

static void background(void)
{
	if (fork() != 0)
		_exit(0);
	setsid();
	if (fork() != 0)
		_exit(0);
}

static void use_memory(size_t size)
{
	volatile char *memory = malloc(size);

	for (size_t i = 0; memory && i < size; i += 4096)
		memory[i] = 1;
}

static void step(char *word, char *rest)
{
	char *second = rest ? strchr(rest, ':') : NULL;
	long number = rest ? strtol(rest, NULL, 0) : 0, other = second ? strtol(second + 1, NULL, 0) : 0;

	if (!strcmp(word, "print")) write_text(1, rest, "\n");
	else if (!strcmp(word, "error")) write_text(2, rest, "\n");
	else if (!strcmp(word, "write")) write_text(1, rest, "");
	else if (!strcmp(word, "lines")) lines(number, other);
	else if (!strcmp(word, "sleep")) pause_ms(number);
	else if (!strcmp(word, "pause")) for (;;) pause();
	else if (!strcmp(word, "await")) while (access(rest, F_OK) < 0) pause_ms(3);
	else if (!strcmp(word, "touch")) close(open(rest, O_WRONLY | O_CREAT, 0666));
	else if (!strcmp(word, "append")) append(rest, "");
	else if (!strcmp(word, "clock")) append_clock(rest);
	else if (!strcmp(word, "exit")) _exit((int)number);
	else if (!strcmp(word, "kill")) raise((int)number);
	else if (!strcmp(word, "ignore")) handle((int)number, SIG_IGN);
	else if (!strcmp(word, "on")) status_on[number] = (int)other, handle((int)number, on_signal);
	else if (!strcmp(word, "log")) handle((int)number, log_signal);
	else if (!strcmp(word, "notify")) notify(rest);
	else if (!strcmp(word, "child-notify")) { if (fork() == 0) { notify(rest); _exit(0); } }
	else if (!strcmp(word, "hand-over")) hand_over();
	else if (!strcmp(word, "watchdog")) for (long i = 0; !other || i < other; i++) notify("WATCHDOG=1"), pause_ms(number);
	else if (!strcmp(word, "fd")) write_text((int)number, second + 1, "");
	else if (!strcmp(word, "close")) close((int)number);
	else if (!strcmp(word, "background")) background();
	else if (!strcmp(word, "fork")) { if (fork() != 0) for (;;) pause(); }
	else if (!strcmp(word, "single")) { *second = 0; single(rest, second + 1); *second = ':'; }
	else if (!strcmp(word, "memory")) use_memory((size_t)number << 20);
	else { fprintf(stderr, "actor: unknown step %s\n", word); _exit(95); }
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *rest = NULL;
		char *word = strdup(argv[i]);

		if (!strcmp(word, "#")) {
			i++;
			continue;
		}
		if ((rest = strchr(word, ':')))
			*rest++ = 0;
		step(word, rest);
		free(word);
	}
	return 0;
}
