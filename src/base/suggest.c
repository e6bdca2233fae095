/*
 * Optimal string alignment: edits of one character and swaps of two neighbours, upper and lower
 * case taken as equal. Three rows of the table are enough.
 */
#include "base/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include "base/cleanup.h"

#define PREFIX_MIN 2 /* characters typed that make a beginning */
#define WORD_MAX 64 /* longer words are never suggested, nor for */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;
	return least < c ? least : c;
}

static int same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned distance(const char *a, size_t size_a, const char *b, size_t size_b)
{
	uint8_t rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= size_b; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= size_a; i++) {
		uint8_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= size_b; j++) {
			unsigned cost = !same(a[i - 1], b[j - 1]);
			unsigned best = min3(above[j] + 1u, row[j - 1] + 1u, above[j - 1] + cost);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
				same(a[i - 2], b[j - 1]) && rows[(i - 2) % 3][j - 2] + 1u < best)
				best = rows[(i - 2) % 3][j - 2] + 1u;
			row[j] = (uint8_t)best;
		}
	}
	return rows[size_a % 3][size_b];
}

const char *suggest_nearest(const char *typed, const char *const *words, size_t n)
{
	const char *nearest = NULL;
	unsigned nearest_distance = UINT8_MAX;
	size_t size = strlen(typed);

	if (size > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n && size >= PREFIX_MIN; i++) {
		if (strncmp(words[i], typed, size) == 0)
			return words[i];
	}
	for (size_t i = 0; i < n; i++) {
		size_t word_size = strlen(words[i]);
		if (word_size > WORD_MAX)
			continue;
		unsigned d = distance(typed, size, words[i], word_size);
		size_t longer = size > word_size ? size : word_size;
		if (d <= longer / 3 && d < nearest_distance) {
			nearest = words[i];
			nearest_distance = d;
		}
	}
	return nearest;
}
