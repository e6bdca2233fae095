/* The clocks, in microseconds. CLOCK_MONOTONIC for every decision, CLOCK_REALTIME for printing only. */
#pragma once

#include <stdint.h>

uint64_t clock_monotonic_us(void);
uint64_t clock_wall_us(void);
