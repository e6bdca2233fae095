/* The stage with what is needed to move bytes out of it: shared by the logger's two threads. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "logger/ledger.h"

struct stage {
	int read_fd, write_fd; /* of the pipe, non-blocking */
	int null_fd;           /* /dev/null: where bytes are dropped to */
	int scratch[2];        /* a pipe of the writer's, to look at bytes without taking them (tee) */
	bool copy_only;
	struct ledger *ledger;
	uint64_t consumed;     /* bytes taken out since the stage was last empty; the writer's */
	uint64_t entry;        /* the ledger's entry being taken out; the writer's */
};

#define STAGE_PEEK_MAX 65536

/* 0 or a negative errno. Takes over none of the descriptors on failure. */
int stage_open(struct stage *stage, const char *runtime_dir, int read_fd, int write_fd);
void stage_close(struct stage *stage);
/* Bytes in a pipe. */
uint64_t stage_waiting(int fd);
/*
 * Copies up to `size` (at most STAGE_PEEK_MAX) of the bytes that come next, without taking them.
 * Their number (fewer where the pipe holds them in many pieces), 0: none, or a negative errno.
 */
int64_t stage_peek(struct stage *stage, void *data, uint64_t size);
/* Takes `size` bytes out and throws them away. Their number or a negative errno. */
int64_t stage_drop(struct stage *stage, uint64_t size);
