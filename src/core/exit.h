/* How a process ended, in words that need no system header. */
#pragma once

#include <stdint.h>

enum exit_kind {
	EXIT_KIND_NONE,    /* it has not */
	EXIT_KIND_EXITED,  /* code = exit status */
	EXIT_KIND_KILLED,  /* code = signal */
	EXIT_KIND_DUMPED,  /* code = signal, with a core */
	EXIT_KIND_STEP,    /* it never ran: set-up step `step` failed with `error` (errno); code = 200..245 */
	EXIT_KIND_UNKNOWN, /* gone, and nobody can tell how */
};

struct exit_info {
	enum exit_kind kind;
	int code;
	int step;  /* enum child_step of os/spec.h; a plain number here */
	int error; /* positive errno of that step */
};
