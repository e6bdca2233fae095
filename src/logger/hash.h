/*
 * uthash as the logger wants it: out of memory leaves the item's hh.tbl NULL instead of ending the
 * process. To be included instead of <uthash.h>.
 */
#pragma once

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, size, value) ((value) = (unsigned)checksum64(0, (key), (size)))
#include <uthash.h>
#include "base/checksum.h"
