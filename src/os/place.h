/*
 * Where an instance keeps its things (DESIGN section 5; hob(1), FILES): one struct, found once.
 *
 *	root            /run/hob, /var/log/hob
 *	a user          ~/.local/state/hob/{run,log}, HOME from the password entry, not the
 *environment HOB_HOME=DIR    DIR/{run,log,units}
 *
 * Invariant: all paths are absolute, without a trailing slash, malloc'd, owned by the place.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include "base/error.h"

struct place {
	char *home;    /* HOB_HOME's directory, or NULL */
	char *runtime; /* control, notify, table, records, lock, loaded/, fifo/, transient/, env/ */
	char *log;     /* NAME/, events.jsonl */
	char **unit_path; /* NULL-terminated, first wins; HOB_UNIT_PATH replaces it */
	bool is_root_instance;
};

/* home: --home DIR, or NULL: HOB_HOME, else the user's. 0 or a negative errno with an error that
 * says what to set. */
int place_find(const char *home, struct place *ret_place, struct error *error);
/*
 * The place of the instance that this process belongs to, from what init was started with: both
 * directories and HOB_UNIT_PATH, which instance_connect_or_start() sets. Asks no name service.
 */
int place_given(const char *runtime, const char *log, struct place *ret_place);
void place_done(struct place *place);
/* runtime + "/" + relative, malloc'd. */
char *place_runtime_path(const struct place *place, const char *relative);
/*
 * Makes the directories (0700 runtime; 0755 for root's, with 0700 fifo/, env/, transient/, loaded/)
 * and checks them: no symlink, owner = us, not writable by others. 0 or a negative errno with a
 * clear error.
 */
int place_prepare(const struct place *place, struct error *error);
/* The check alone, of what lstat(2) said about path. 0, -ELOOP, -ENOTDIR, -EPERM. */
int place_check_directory(const char *path, const struct stat *st, struct error *error);
/*
 * Empties a runtime directory of an earlier boot of its state (logs stay) and notes the present
 * boot in RUNTIME/boot. To be called with the instance lock held. 0 or a negative errno.
 */
int place_forget_earlier_boot(const struct place *place, struct error *error);
