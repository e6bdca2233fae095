/*
 * The channels between the process that daemonizes and what it has started: one message a datagram,
 *and how the original process waits for the answer. Internal to libhob.
 *
 *	O <=========== answer ========> D      "ready", "about to exec", "failed"
 *	O <== watch => M                       M: "it died, and how"; O: "kill it"; O's end closed:
 *"done, go"
 */
#ifndef HOB_ANSWER_H
#define HOB_ANSWER_H

#include "hob.h"

enum answer_kind {
	ANSWER_READY = 1,
	ANSWER_EXEC, /* D is about to exec: the channel's end without a further word is success */
	ANSWER_FAILED,
	ANSWER_DIED, /* M: D has ended, with this wait status */
	ANSWER_KILL, /* O to M */
};

struct answer {
	int32_t kind;
	int32_t stage, error; /* error: positive errno */
	int32_t wait_status;
	int32_t pid; /* of D, where it is known */
	char text[sizeof(((struct hob_report *)0)->text)];
};

/* Moves a descriptor above 2 (CLOEXEC): the new number or a negative errno. The old one is closed
 * in any case. */
int hob_answer_lift(int fd);
/* A socket pair above 2, CLOEXEC. On failure ends[] holds what is to be closed (-1: nothing). */
int hob_answer_channel(int ends[2]);
/* 0, -EPIPE (nobody is there), or another negative errno. */
int hob_answer_send(int fd, const struct answer *answer);
/* 1: *ret is there, 0: the other side has closed, -EAGAIN: nothing is there. Never blocks. */
int hob_answer_receive(int fd, struct answer *ret);

/*
 * O: D's answer, or what is known in its place: READY, FAILED or DIED. One that was late, or that
 * closed the channel without a word and lives on, has been killed.
 */
struct answer hob_answer_await(int answer_fd, int watch_fd, uint64_t timeout_us);
/* O: waits a bounded time for D to end: 1 with *ret, 0: M has gone, -ETIMEDOUT. */
int hob_answer_await_end(int watch_fd, struct answer *ret);

#endif
