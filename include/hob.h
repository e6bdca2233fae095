/*
 * libhob: what a program needs to be a good daemon. libc only; C and C++.
 *
 * Conventions
 *  - Functions return 0 or a negative errno; a positive value is a verdict that is named at the
 *    function. On failure outputs are left untouched, but for the report of what failed.
 *  - There is no global state. Nothing is printed.
 *  - A process with several threads must not daemonize: fork(2) copies only the calling thread, and
 *    the locks of the others stay locked for ever. hob_daemonize() then refuses with -EBUSY.
 *  - Structs that callers fill in begin with `size`: sizeof of the struct as the caller was
 * compiled. 0 stands for the struct's first version, so that `{0}` means the safe defaults.
 */
#ifndef HOB_H
#define HOB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__GNUC__)
#define HOB_PUBLIC __attribute__((__visibility__("default")))
#define HOB_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define HOB_PUBLIC
#define HOB_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Where a function failed. New ones are only ever added, before HOB_N_STAGES. */
enum hob_stage {
	HOB_STAGE_NONE = 0,
	HOB_STAGE_OPTIONS, /* the caller's arguments make no sense */
	HOB_STAGE_THREADS, /* the process has several threads */
	HOB_STAGE_USER,	   /* no such user, or the look-up failed */
	HOB_STAGE_GROUP,   /* no such group, or the look-up failed */
	HOB_STAGE_STDIN,   /* opening or placing what becomes descriptor 0 */
	HOB_STAGE_STDOUT,
	HOB_STAGE_STDERR,
	HOB_STAGE_PIPE, /* making the readiness channel */
	HOB_STAGE_FORK,
	HOB_STAGE_SETSID,
	HOB_STAGE_SIGNALS,
	HOB_STAGE_CLOSE, /* closing inherited descriptors */
	HOB_STAGE_CHDIR,
	HOB_STAGE_PRIVILEGED, /* the caller's hook */
	HOB_STAGE_SETGROUPS,
	HOB_STAGE_SETGID,
	HOB_STAGE_SETUID,
	HOB_STAGE_EXEC,
	HOB_STAGE_DAEMON,  /* the daemon itself: it said so, died, or closed the channel */
	HOB_STAGE_TIMEOUT, /* it was not ready in time */
	HOB_N_STAGES
};

/* "fork", "setsid", "user" ...; "unknown" for any other number. Never NULL. */
HOB_PUBLIC const char *hob_stage_name(int stage);

/* ------------------------------------------------------------------ becoming a daemon */

/* What became of the daemon, for the process that started it. */
struct hob_report {
	int stage;	 /* enum hob_stage; HOB_STAGE_NONE: it is ready */
	int error;	 /* positive errno, 0: none */
	int wait_status; /* as waitpid(2) gives it, where it died before it was ready; else -1 */
	pid_t pid;	 /* the daemon's, in the PID namespace of the caller; 0: there was none */
	char text[256];	 /* what hob_daemon_failed() said; "" where nothing */
};

enum hob_daemon_flag {
	/*
	 * Where hob_daemonize() succeeds, the original process returns from it with HOB_PARENT,
	 * instead of ending there with status 0.
	 */
	HOB_DAEMON_PARENT_RETURNS = 1 << 0,
	/* The field `umask` counts (so that 0 can be asked for). */
	HOB_DAEMON_SET_UMASK = 1 << 1,
};

/* Zero-initialised: the safe defaults. */
struct hob_daemon_opts {
	size_t size;	       /* sizeof(struct hob_daemon_opts), or 0 */
	unsigned flags;	       /* enum hob_daemon_flag */
	mode_t umask;	       /* with HOB_DAEMON_SET_UMASK; else 022 */
	uint64_t timeout_us;   /* until it must be ready; 0: 90 s, UINT64_MAX: without limit */
	const char *directory; /* working directory; NULL: "/" */
	/*
	 * Files for descriptors 0 (read) and 1, 2 (appended to; made with mode 0640 less the
	 * caller's umask; not through a symbolic link, ELOOP); NULL: /dev/null. Opened before
	 * anything is forked, with the caller's privileges and from its working directory. A FIFO
	 * nobody reads is an error (ENXIO), it does not block.
	 */
	const char *stdin_path, *stdout_path, *stderr_path;
	const int *keep_fds; /* these stay open, with their flags as they are */
	size_t n_keep_fds;
	const char *user, *group; /* name or number, see hob_user_get(); NULL: unchanged */
	/*
	 * Called in the daemon when it is detached and before it gives up its privileges, to bind
	 * low ports and the like. 0, or a negative errno, which ends the daemon and is reported.
	 * What it opens stays open.
	 */
	int (*privileged)(void *data);
	void *data;
	struct hob_report *report; /* filled in the original process; may be NULL */
};

struct hob_daemon; /* the daemon's end of the readiness channel */

/* Verdict of hob_daemonize(): this is the original process, and the daemon is ready. */
#define HOB_PARENT 1

/*
 * Detaches: the caller's program goes on in a new process that is a proper daemon(7).
 *
 * The new process: in a session of its own and not its leader, so that it has no terminal and can
 * get none by accident (setsid(2), credentials(7), a second fork); signal dispositions and mask
 * reset (all that an exec would pass on: signal(7)); descriptors 0-2 on /dev/null or the given
 * files, all others closed but keep_fds and what `privileged` opened; umask, directory; groups,
 * gid, uid (verified). A hang-up of the terminal at any moment does it no harm: signals are blocked
 * from before the first fork until it is in its new session.
 *
 * Returns
 *  - in the daemon: 0, with *ret set. It must go on to call hob_daemon_ready(), _failed() or
 * _exec().
 *  - in the original process, on success: not at all (it ends there with _exit(0) once the daemon
 *    is ready; stdio is flushed before the fork), or with HOB_PARENT where the flag is set.
 *  - in the original process, on failure: a negative errno, and opts->report says more:
 *    -EBUSY (threads), -ESRCH (no such user or group), what the daemon reported, -ECHILD: it died
 * before it was ready, -EPIPE: it closed the channel (by exec, too) without a word, -ETIMEDOUT, and
 *    others. The daemon is gone then: one that was late or went silent is killed by SIGKILL. One
 * that reported failure is waited for, at most a second.
 *
 * Between fork and return only async-signal-safe calls are made (signal-safety(7)).
 * A process that the daemon forks before it is ready and that keeps the channel open does not delay
 * the answer.
 */
HOB_PUBLIC int hob_daemonize(const struct hob_daemon_opts *opts, struct hob_daemon **ret);

/*
 * The daemon is ready: the original process ends (or returns). Frees daemon. 0, or -EPIPE: nobody
 * waits any more (the original process was killed), which a daemon may ignore. NULL: does nothing,
 * so that a program that may also run in the foreground need not ask.
 */
HOB_PUBLIC int hob_daemon_ready(struct hob_daemon *daemon);
/*
 * The daemon cannot start: error is an errno, of either sign (0 becomes ECANCELED); text (or NULL)
 * is for the report and cut to its room. Frees daemon; the caller then ends itself. Returns as
 * _ready().
 */
HOB_PUBLIC int hob_daemon_failed(struct hob_daemon *daemon, int error, const char *text);
/*
 * execve(2) in the daemon: ready when it succeeded, else the original process gets HOB_STAGE_EXEC
 * and the errno. Returns only on failure, with the negative errno, and has then freed daemon. What
 * the new program inherits besides 0-2 and keep_fds is the caller's matter (close-on-exec). A
 * process that was forked before and still holds the channel delays this answer, as only the
 * channel's end tells of success.
 */
HOB_PUBLIC int hob_daemon_exec(
	struct hob_daemon *daemon, const char *path, char *const argv[], char *const envp[]);

/* ------------------------------------------------------------------ parts, usable alone */

/*
 * Closes all descriptors from `lowest` up but those in keep (any order, doubles allowed). By
 * close_range(2) (Linux 5.9), else by /proc/self/fd, else one by one up to the limit, at most
 * 65,536. Async-signal-safe. 0, or -EINVAL.
 */
HOB_PUBLIC int hob_close_from(int lowest, const int *keep, size_t n_keep);

/*
 * All signals to their default and none blocked, since execve(2) passes on what is ignored or
 * blocked (nohup, cron and shells leave some, make leaves 32 and 33, which libc does not even show).
 * Async-signal-safe. 0, or a negative errno.
 */
HOB_PUBLIC int hob_reset_signals(void);

/* A user to become, as the databases know it. */
struct hob_user {
	size_t size; /* of this struct, set by hob_user_get() */
	uid_t uid;   /* (uid_t)-1: unchanged */
	gid_t gid;   /* (gid_t)-1: unchanged */
	size_t n_groups;
	gid_t *groups;	    /* supplementary groups to set; with gid in it */
	char *name;	    /* NULL: no entry in the user database */
	char *home, *shell; /* NULL: likewise */
};

/*
 * Looks up a user (name or number; NULL: unchanged), a group (name or number; NULL: the user's own)
 * and further groups (NULL-terminated list, or NULL). A number needs no entry: then its gid is
 * `group`, else the same number (never group 0 by accident), and it has no supplementary groups but
 * that. Not async-signal-safe: call it before forking. 0 with *ret, which hob_user_free() frees;
 * -ESRCH: no such user or group, *failed_stage (if not NULL) says which; -EINVAL: nothing is asked
 * for; others.
 */
HOB_PUBLIC int hob_user_get(const char *user, const char *group, const char *const *more_groups,
	struct hob_user **ret, int *failed_stage);
HOB_PUBLIC void hob_user_free(struct hob_user *user);

/*
 * Becomes that user, for good: setgroups(2), setresgid(2), setresuid(2), in this order; ambient
 * capabilities and PR_SET_KEEPCAPS cleared; and verified: all six ids and the groups are read back,
 * and 0 must be out of reach. Async-signal-safe. 0, or a negative errno with *failed_stage set
 * (-ENOTRECOVERABLE: an id was not as set afterwards; end the process then). A caller that has no
 * privilege and is that user already keeps its groups.
 */
HOB_PUBLIC int hob_user_become(const struct hob_user *user, int *failed_stage);

/* The two above in one. */
HOB_PUBLIC int hob_drop_privileges(const char *user, const char *group, int *failed_stage);

/*
 * Sends a message such as "READY=1\nSTATUS=%d clients" to the service manager: a datagram to
 * $NOTIFY_SOCKET (sd_notify(3)), a path or, with a leading '@', an abstract name. 0: sent, or there
 * is no manager; or a negative errno (-EAGAIN: it has not taken the message for 5 s).
 */
HOB_PUBLIC int hob_notify(const char *format, ...) HOB_PRINTF(1, 2);

#ifdef __cplusplus
}
#endif

#endif
