/*
 * The record's bytes: what a successor needs to go on with a service. Fixed little-endian layout
 * with a version; decoded with every field checked. The store (os/store.h) only keeps the bytes.
 *
 * The unit's name is not in it: the record carries unit_text_hash(), the pinned file
 * loaded/NAME.HASH has both name and text. History entries are kept without their run ids.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "core/service.h"

#define RECORD_VERSION 1
#define RECORD_SIZE_MAX 464 /* bytes; a slot of the store holds two of them in 1 KiB */

/* Encodes into data and returns the size; never fails for a valid service. */
size_t record_encode(const struct service *service, uint8_t data[static RECORD_SIZE_MAX]);
/* The hash of the pinned text, which the driver loads before engine_restore(). 0 or -EBADMSG. */
int record_peek(const void *data, size_t size, uint64_t *ret_text_hash);
