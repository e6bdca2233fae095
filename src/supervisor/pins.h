/*
 * Unit texts on their way into force. A unit's merged text is pinned as loaded/NAME.HASH before its
 * first use; a successor reads that, and files on disk count only at the next load (DESIGN 2.2).
 */
#pragma once

#include "base/error.h"
#include "supervisor/driver.h"

struct pins;

int pins_new(struct driver *driver);
void pins_free(struct driver *driver);

/*
 * Parses text and remembers it until it is pinned or forgotten. environment (or NULL) goes to
 * env/NAME (NAME without .service), mode 0600, with the pin. 0, -EBADMSG with an error for a
 * person, -ENOMEM.
 */
int pins_parse(struct driver *driver, const char *unit_name, const char *path, const char *text,
	size_t size, const char *environment, bool transient, struct unit **ret_unit,
	struct error *error);
/* The unit from the unit path, first directory wins. -ENOENT: there is none. */
int pins_load(
	struct driver *driver, const char *unit_name, struct unit **ret_unit, struct error *error);
/* EFFECT_PIN: writes and renames. 0 or a negative errno. */
int pins_write(struct driver *driver, const struct service *service);
/* Forgets the texts of units that nobody else refers to any more: their run was refused. */
void pins_sweep(struct driver *driver);
/* The record names the new text: the one that was pinned before may go. */
void pins_remove_old(struct driver *driver, const struct service *service, uint64_t old_hash);
/* EFFECT_REMOVE: everything hob wrote for this unit. */
void pins_remove(struct driver *driver, const struct service *service);
/* After a crash, between begin and end: the pinned text of a hash. -ENOENT, -EBADMSG, ... */
int pins_restore_begin(struct driver *driver);
void pins_restore_end(struct driver *driver);
int pins_restore(struct driver *driver, uint64_t hash, struct unit **ret_unit);
/* The same by unit name, for a process whose record is lost. */
int pins_restore_name(
	struct driver *driver, const char *unit_name, struct unit **ret_unit, bool *ret_transient);
/* What `hob cat` prints: the text in force (malloc'd) and where it came from. */
int pins_read(
	struct driver *driver, const struct service *service, char **ret_path, char **ret_text);
