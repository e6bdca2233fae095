/*
 * FNV-1a over 64 bits (draft-eastlake-fnv): one byte after the other, so that it needs no state
 * but its result and does not care how the bytes are split over calls. The offset basis is added
 * and taken away around each call: seed 0 starts, and a run of zero bytes does not sum to 0.
 */
#include "base/checksum.h"

#define OFFSET_BASIS UINT64_C(0xcbf29ce484222325)
#define PRIME UINT64_C(0x00000100000001b3)

uint64_t checksum64(uint64_t seed, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t sum = seed ^ OFFSET_BASIS;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * PRIME;
	return sum ^ OFFSET_BASIS;
}
