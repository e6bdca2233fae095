/*
 * Resetting signals, by the system call itself: libc's sigaction(2) refuses the two real-time
 * signals it keeps for its threads (32 and 33 with glibc), and glibc's own posix_spawn(3) leaves
 * just these ignored, so that all that make(1) starts inherits them. A handler of libc's on them is
 * left alone: only what is ignored is passed on by execve(2). The mask comes last, so that what was
 * blocked and pending meets the default, not a handler of the program we were forked from.
 */
#include "hob.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SET_SIZE ((size_t)_NSIG / 8) /* bytes of the kernel's sigset_t */

/* The kernel's struct sigaction begins with the handler; all zero is SIG_DFL without flags. */
struct kernel_action {
	void (*handler)(int);
	unsigned long words[4]; /* flags, restorer, mask: as long as any architecture has it */
};

/* Those that libc keeps for itself. 0 or a negative errno. */
static int reset_reserved(int signo)
{
	struct kernel_action action = {0};

	if (syscall(SYS_rt_sigaction, signo, NULL, &action, KERNEL_SET_SIZE) < 0)
		return -errno;
	if (action.handler != SIG_IGN)
		return 0;
	memset(&action, 0, sizeof(action));
	return syscall(SYS_rt_sigaction, signo, &action, NULL, KERNEL_SET_SIZE) < 0 ? -errno : 0;
}

int hob_reset_signals(void)
{
	struct sigaction action;
	sigset_t none;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	for (int signo = 1; signo < _NSIG; signo++) {
		if (signo == SIGKILL || signo == SIGSTOP || sigaction(signo, &action, NULL) == 0)
			continue;
		int r = errno == EINVAL ? reset_reserved(signo) : -errno;
		if (r < 0)
			return r;
	}
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}
