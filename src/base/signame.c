/*
 * The names are Linux's (signal(7)) without "SIG", sorted by number where a number has one name;
 * aliases come after and are only read. Real-time signals start where libc says (34 with glibc).
 */
#include "base/signame.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/number.h"

static const struct {
	int signo;
	const char *name;
} signals[] = {
	{SIGHUP, "HUP"},
	{SIGINT, "INT"},
	{SIGQUIT, "QUIT"},
	{SIGILL, "ILL"},
	{SIGTRAP, "TRAP"},
	{SIGABRT, "ABRT"},
	{SIGBUS, "BUS"},
	{SIGFPE, "FPE"},
	{SIGKILL, "KILL"},
	{SIGUSR1, "USR1"},
	{SIGSEGV, "SEGV"},
	{SIGUSR2, "USR2"},
	{SIGPIPE, "PIPE"},
	{SIGALRM, "ALRM"},
	{SIGTERM, "TERM"},
	{SIGSTKFLT, "STKFLT"},
	{SIGCHLD, "CHLD"},
	{SIGCONT, "CONT"},
	{SIGSTOP, "STOP"},
	{SIGTSTP, "TSTP"},
	{SIGTTIN, "TTIN"},
	{SIGTTOU, "TTOU"},
	{SIGURG, "URG"},
	{SIGXCPU, "XCPU"},
	{SIGXFSZ, "XFSZ"},
	{SIGVTALRM, "VTALRM"},
	{SIGPROF, "PROF"},
	{SIGWINCH, "WINCH"},
	{SIGIO, "IO"},
	{SIGPWR, "PWR"},
	{SIGSYS, "SYS"},
	/* aliases */
	{SIGABRT, "IOT"},
	{SIGCHLD, "CLD"},
	{SIGIO, "POLL"},
};

/* What follows "RTMIN" or "RTMAX": nothing, or the sign and digits without a blank between. */
static int parse_offset(const char *text, char sign)
{
	uint64_t offset;

	if (*text == '\0')
		return 0;
	if (*text != sign || text[1] < '0' || text[1] > '9')
		return -EINVAL;
	if (number_parse_u64(text + 1, (uint64_t)(SIGRTMAX - SIGRTMIN), &offset) < 0)
		return -EINVAL;
	return (int)offset;
}

int signame_parse(const char *text)
{
	uint64_t number;
	int offset;

	if (number_parse_u64(text, (uint64_t)SIGRTMAX, &number) == 0)
		return number > 0 ? (int)number : -EINVAL;
	if (strncmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncmp(text, "RTMIN", 5) == 0) {
		offset = parse_offset(text + 5, '+');
		return offset < 0 ? offset : SIGRTMIN + offset;
	}
	if (strncmp(text, "RTMAX", 5) == 0) {
		offset = parse_offset(text + 5, '-');
		return offset < 0 ? offset : SIGRTMAX - offset;
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (strcmp(signals[i].name, text) == 0)
			return signals[i].signo;
	return -EINVAL;
}

const char *signame_render(int signo, char text[static SIGNAME_TEXT_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i].signo == signo) {
			snprintf(text, SIGNAME_TEXT_SIZE, "SIG%s", signals[i].name);
			return text;
		}
	if (signo == SIGRTMIN)
		snprintf(text, SIGNAME_TEXT_SIZE, "SIGRTMIN");
	else if (signo > SIGRTMIN && signo <= SIGRTMAX)
		snprintf(text, SIGNAME_TEXT_SIZE, "SIGRTMIN+%d", signo - SIGRTMIN);
	else
		snprintf(text, SIGNAME_TEXT_SIZE, "signal %d", signo);
	return text;
}
