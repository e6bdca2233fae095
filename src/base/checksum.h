/* A 64-bit checksum of bytes, for torn writes and for content names; not against an adversary. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Chainable: pass the last result as seed; 0 to start. Byte order independent. */
uint64_t checksum64(uint64_t seed, const void *data, size_t size);
