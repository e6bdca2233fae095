/* "Did you mean": the word of a list that is nearest to what was typed. */
#pragma once

#include <stddef.h>

/*
 * The nearest of n words, or NULL: the first that begins with what was typed (two characters or
 * more), else by edit distance with transpositions, at most a third of the length.
 */
const char *suggest_nearest(const char *typed, const char *const *words, size_t n);
