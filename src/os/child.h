/*
 * All that happens in a child of init between fork and exec (DESIGN section 2.4; the order is
 * argued in child.c). The parent must be single-threaded.
 *
 * A step that fails is told three times: in the row (step, step_errno), as struct child_failure
 * down the exec pipe, and as the exit status systemd has for it. Success is that pipe's end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include "os/spec.h"
#include "os/table.h"

/* What comes down the exec pipe, if anything. */
struct child_failure {
	int32_t step;  /* enum child_step */
	int32_t error; /* positive errno */
};

#define CHILD_OOM_SCORE_KEEP INT32_MIN

struct child_context {
	struct table *table;
	struct table_row *row;
	int spec_fd;	   /* the specification (os/spec.h) */
	int exec_fd;	   /* write end of the exec pipe, CLOEXEC */
	int ready_fd;	   /* write end of the readiness pipe, or -1 */
	int lock_fd;	   /* the instance lock, CLOEXEC: held until exec; or -1 */
	bool in_cgroup;	   /* the child was made in its cgroup already */
	int shared_from;   /* descriptors are shared with init: unshare, without those from here on;
			      0: they are not */
	int event_fd;	   /* an eventfd to ring then */
	int32_t oom_score; /* what init's was before init changed it, or CHILD_OOM_SCORE_KEEP */
	struct rlimit n_files; /* RLIMIT_NOFILE as it was before init raised it */
};

/*
 * Becomes the program, or ends with the exit status of the step that failed. Descriptors 0, 1 and 2
 * are /dev/null when it is called; SIGPIPE is ignored.
 */
_Noreturn void child_run(const struct child_context *context);
