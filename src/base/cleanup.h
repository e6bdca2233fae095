/*
 * Scope-bound clean-up, the one idiom of this tree.
 *
 *	_cleanup_(buf_done) struct buf text = {0};
 *	_cleanup_(freep) char *copy = strdup(name);
 *	return take(copy);
 */
#pragma once

#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Moves ownership out of a variable: yields its value and leaves NULL behind. */
#define take(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) *const taken_from_ = &(p);                                           \
		__typeof__(p) taken_ = *taken_from_;                                               \
		*taken_from_ = NULL;                                                               \
		taken_;                                                                            \
	})

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
