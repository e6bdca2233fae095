/*
 * What to run and how: the specification that goes with SPAWN in a memfd, and the steps of a child
 * between fork and exec. Encoded by the supervisor, decoded by init's child; both ends are hob, but
 * every length and offset is checked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/id128.h"

#define SPEC_LIMITS_MAX 16
#define SPEC_SIZE_MAX (4u * 1024 * 1024) /* bytes; ARG_MAX is 2 MiB for argv and environment */

/* Set-up steps with systemd's exit statuses (systemd.exec(5), PROCESS EXIT CODES). */
enum child_step {
	STEP_NONE = 0,
	STEP_FORK,        /* init could not fork: no child; code 1 */
	STEP_SPEC,        /* the specification is bad */
	STEP_CHDIR,       /* 200 */
	STEP_NICE,        /* 201 */
	STEP_FDS,         /* 202 */
	STEP_EXEC,        /* 203 */
	STEP_LIMITS,      /* 205 */
	STEP_OOM_ADJUST,  /* 206 */
	STEP_SIGNAL_MASK, /* 207 */
	STEP_STDIN,       /* 208 */
	STEP_STDOUT,      /* 209 */
	STEP_GROUP,       /* 216 */
	STEP_USER,        /* 217 */
	STEP_CGROUP,      /* 219 */
	STEP_SETSID,      /* 220 */
	STEP_STDERR,      /* 222 */
	STEP_NO_NEW_PRIVILEGES, /* 227 */
	N_STEPS
};
const char *child_step_name(enum child_step step);   /* "chdir", "exec" */
int child_step_exit_status(enum child_step step);

enum spec_stdio {
	STDIO_NULL,
	STDIO_FIFO,     /* out, err: the run's FIFO at fifo_path, opened O_RDWR */
	STDIO_FILE,     /* in: read; out, err: open at 0, no truncation */
	STDIO_APPEND,
	STDIO_TRUNCATE,
	STDIO_INHERIT,  /* err: the same as out */
};

struct spec_limit {
	int resource;
	uint64_t soft, hard;
};

/* Strings may be NULL where noted. In a decoded spec they point into the blob. */
struct spawn_spec {
	const char *unit_name;
	struct id128 run_id;
	const char *path;          /* absolute program path */
	const char **argv, **envp; /* NULL-terminated */
	const char *working_directory; /* NULL: "/"; "~": the user's home */
	bool working_directory_optional;
	const char *user, *group;  /* name or number; NULL: unchanged */
	const char **supplementary_groups; /* NULL-terminated or NULL */
	uint32_t umask;
	uint64_t tree_tag;         /* RLIMIT_LOCKS soft = hard; 0: none */
	const char *cgroup;        /* absolute path of an existing cgroup2 directory, or NULL */
	enum spec_stdio stdin_kind, stdout_kind, stderr_kind;
	const char *stdin_path, *stdout_path, *stderr_path;
	const char *fifo_path;
	int ready_fd;              /* number the readiness pipe has in the program; -1: none (the pipe comes with SPAWN) */
	bool has_nice, has_oom_score, ignore_sigpipe, no_new_privileges;
	int nice, oom_score;
	unsigned n_limits;
	struct spec_limit limits[SPEC_LIMITS_MAX];
};

/* A sealed memfd (CLOEXEC) holding the specification, or a negative errno (-E2BIG over SPEC_SIZE_MAX). */
int spec_write(const struct spawn_spec *spec);
/*
 * Decodes: maps fd privately; *ret_spec points into the mapping and *ret_map, which the caller
 * unmaps (a child never does). 0, -EBADMSG, -ENOMEM.
 */
int spec_read(int fd, struct spawn_spec *ret_spec, void **ret_map, size_t *ret_map_size);
/*
 * The cgroup alone, for init, which has to open it before it forks: it reads just that, and maps
 * nothing. 0: `path` holds it, and is empty when there is none; -EBADMSG.
 */
int spec_read_cgroup(int fd, char *path, size_t size);
