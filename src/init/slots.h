/*
 * Which numbers of an array are in use, and the numbers found by a key: what keeps init from ever
 * looking through its rows one by one. Fixed memory, touched only as far as it is used.
 *
 * Invariant: zero-initialised but for `n_max` is empty and valid.
 */
#pragma once

#include <stdint.h>

#define SLOTS_MAX 20032	 /* a multiple of 64, at least TABLE_ROWS_MAX and TABLE_KEPT_MAX */
#define INDEX_HEADS 1024 /* a power of two; chains of five at 5,000 */

struct slots {
	unsigned n_max;
	unsigned first_word;		/* no number below this word is free */
	uint64_t words[SLOTS_MAX / 64]; /* a bit is set: in use */
};

/* The lowest free number, now in use; -1: all are. */
int slots_take(struct slots *slots);
void slots_release(struct slots *slots, unsigned number);

/* A chained hash from a key to numbers; comparing keys is the caller's. */
struct index {
	uint16_t heads[INDEX_HEADS]; /* number + 1; 0 ends a chain */
	uint16_t next[SLOTS_MAX];
};

void index_add(struct index *index, uint64_t key, unsigned number);
void index_remove(struct index *index, uint64_t key, unsigned number);
/* The numbers that may have this key: for (n = index_first(); n >= 0; n = index_next(n)). */
int index_first(const struct index *index, uint64_t key);
int index_next(const struct index *index, int number);
