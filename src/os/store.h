/*
 * The record file: slots of 1 KiB, mapped shared, each with two halves of which one is valid.
 *
 * A half is {checksum, generation, size, bytes}. A save writes the older half's bytes, then its
 * header last: a SIGKILL between any two instructions leaves the old or the new record. A save
 * makes no system call; room is allocated (posix_fallocate) before a slot is handed out, so that a
 * full file system is that call's error, never a SIGBUS.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/id128.h"

#define STORE_SLOT_SIZE 1024
#define STORE_SLOTS_MAX 16384
#define STORE_RECORD_MAX 464

struct store;

/*
 * Opens or makes the file. 0, or a negative errno. A file that is no record file of this version
 * and boot is renamed to PATH.bad and *ret_put_aside is set; a new one is made.
 */
int store_open(
	const char *path, struct id128 boot_id, struct store **ret_store, bool *ret_put_aside);
struct store *store_close(struct store *store);

/* A free slot with its room allocated, or -ENOSPC, -ENOMEM ... */
int store_slot_new(struct store *store);
void store_slot_free(struct store *store, int slot);
/* size <= STORE_RECORD_MAX. */
void store_save(struct store *store, int slot, const void *record, size_t size);
/*
 * The valid record of a slot: its size with *ret_record pointing into the map, 0: the slot is free,
 * -EBADMSG: in use, but no half is valid.
 */
int store_load(const struct store *store, int slot, const void **ret_record);
int store_n_slots(const struct store *store);

/* The header's words, each stored atomically. */
enum store_word {
	STORE_NEXT_TOKEN,
	STORE_HEARTBEAT_US,   /* CLOCK_MONOTONIC, of the last turn of the loop */
	STORE_EVENT_SEQUENCE, /* of events.jsonl */
	STORE_N_RESTORES,
	STORE_SHUTDOWN, /* the instance is ending: 1 = with its services, 2 = leaving them */
	STORE_EPOCH_FIRST_TOKEN, /* tokens below are of an earlier init */
	STORE_EPOCH_HIGH,
	STORE_EPOCH_LOW,
	N_STORE_WORDS = 16
};
uint64_t store_word(const struct store *store, enum store_word word);
void store_set_word(struct store *store, enum store_word word, uint64_t value);
