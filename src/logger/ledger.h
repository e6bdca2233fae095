/*
 * Whose bytes are in the stage: a small file in the runtime directory, mapped shared, that outlives
 * the logger as the stage does (DESIGN 2.5, "a shared word that names the stage's owner"; here a few,
 * so that one hand-over serves many services).
 *
 * Invariant: the entries name, in order, all bytes that went into the stage since it was last empty.
 * Entries are added, and bytes put in, only while nothing is taken out. So of the two things a
 * killed logger leaves in doubt, how much the last entry has got and how much was taken out
 * already, only one is in doubt at a time, and the number of bytes in the stage settles it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define LEDGER_ENTRIES_MAX 256     /* the slots of a pipe of 1 MiB */
#define LEDGER_NAME_SIZE 256
#define LEDGER_UNKNOWN "@unknown"  /* the log of bytes that no entry names: nothing is thrown away */

struct ledger_entry {
	_Atomic uint64_t size; /* bytes; LEDGER_OPEN while the entry is being filled */
	char log_name[LEDGER_NAME_SIZE];
};
#define LEDGER_OPEN UINT64_MAX

struct ledger {
	uint64_t magic;
	uint32_t version, entry_size;
	_Atomic uint32_t n;
	/*
	 * Writing by copy (where splice is refused): the byte of the stage behind copy_consumed bytes
	 * belongs at copy_offset of the log of entry copy_entry. Doing it again is harmless.
	 */
	_Atomic uint32_t copying;
	uint64_t copy_entry, copy_consumed, copy_offset;
	struct ledger_entry entries[LEDGER_ENTRIES_MAX];
};

/* Maps the file, made or made anew where it is none of this version. 0 or a negative errno. */
int ledger_open(const char *path, struct ledger **ret_ledger);
void ledger_close(struct ledger *ledger);

/* The stage is empty: no entries. */
void ledger_reset(struct ledger *ledger);
/* A new entry, open, before the first of its bytes goes in. False when all entries are taken. */
_Bool ledger_begin(struct ledger *ledger, const char *log_name);
/* Closes the open entry with its size; one of 0 bytes is taken back. */
void ledger_end(struct ledger *ledger, uint64_t size);
/*
 * For a new logger: settles what its predecessor left in doubt, from the number of bytes in the
 * stage. Then all entries are closed; *ret_consumed of their bytes were taken out already. Bytes that
 * no entry can account for get an entry of their own, LEDGER_UNKNOWN.
 */
void ledger_settle(struct ledger *ledger, uint64_t n_staged, uint64_t *ret_consumed);
