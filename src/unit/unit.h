/*
 * A unit: the merged, immutable meaning of unit-file text (systemd.unit(5), systemd.service(5)).
 *
 * A unit holds only what is set: one allocation with the entries sorted by key; everything else
 * is the key table's default (unit/key.h). Values are read through the accessors below, by key.
 * Units are reference-counted and never change; a changed text makes a new unit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/error.h"
#include "unit/key.h"

#define UNIT_NAME_MAX 255	    /* bytes, type suffix included (systemd.unit(5)) */
#define UNIT_FILE_NAME_MAX 230       /* of what hob runs: NAME.RUNID and NAME.HASH~ fit NAME_MAX */
#define UNIT_LINE_MAX (1024 * 1024) /* bytes of a line, continuations joined */
#define UNIT_TEXT_MAX (4 * 1024 * 1024)

enum service_type {
	SERVICE_SIMPLE,
	SERVICE_EXEC,
	SERVICE_FORKING,
	SERVICE_ONESHOT,
	SERVICE_NOTIFY,
	SERVICE_NOTIFY_RELOAD,
	SERVICE_DBUS,
	SERVICE_IDLE,
};

enum restart_policy {
	RESTART_NO,
	RESTART_ON_SUCCESS,
	RESTART_ON_FAILURE,
	RESTART_ON_ABNORMAL,
	RESTART_ON_ABORT,
	RESTART_ON_WATCHDOG,
	RESTART_ALWAYS,
};

enum kill_mode { KILL_CONTROL_GROUP, KILL_MIXED, KILL_PROCESS, KILL_NONE };

/* [X-Hob] RestartBackoff= */
enum restart_backoff { BACKOFF_CONSTANT, BACKOFF_DOUBLE };

enum notify_access { NOTIFY_NONE, NOTIFY_MAIN, NOTIFY_EXEC, NOTIFY_ALL };

/* One command of an Exec*= list. */
struct exec_command {
	const char *path;	 /* absolute, or a bare name to be searched in PATH */
	const char *const *argv; /* NULL-terminated, argv[0] included */
	uint32_t flags;
};
enum {
	EXEC_IGNORE_FAILURE = 1 << 0,  /* - */
	EXEC_ARGV0 = 1 << 1,	       /* @ */
	EXEC_NO_EXPANSION = 1 << 2,    /* : */
	EXEC_FULL_PRIVILEGES = 1 << 3, /* + */
	EXEC_NO_SETUID = 1 << 4,       /* ! */
	EXEC_AMBIENT_MAGIC = 1 << 5,   /* !! */
};

struct unit_limit {
	int resource;	     /* RLIMIT_*, as <sys/resource.h> numbers them on Linux */
	uint64_t soft, hard; /* UINT64_MAX = infinity */
};

struct unit;

struct unit *unit_ref(struct unit *unit);
struct unit *unit_unref(struct unit *unit); /* NULL is fine; returns NULL */
void unit_unrefp(struct unit **unit);
bool unit_is_shared(const struct unit *unit); /* more than one reference is held */

const char *unit_name(const struct unit *unit); /* "web.service" */
uint64_t unit_text_hash(
	const struct unit *unit); /* checksum64 of name and merged text: unique to both */
bool unit_has(const struct unit *unit, enum unit_key key);
/* Numbers, spans (us), sizes (bytes), booleans, enums, signals, modes: the value or the default. */
uint64_t unit_u64(const struct unit *unit, enum unit_key key);
const char *unit_string(
	const struct unit *unit, enum unit_key key); /* NULL where unset and without default */
/* Lists of strings, in file order. Returns their number; *ret_items is valid as long as the unit.
 */
size_t unit_list(const struct unit *unit, enum unit_key key, const char *const **ret_items);
size_t unit_commands(
	const struct unit *unit, enum unit_key key, const struct exec_command **ret_commands);
size_t unit_limits(const struct unit *unit, const struct unit_limit **ret_limits); /* all Limit*= */
/* Exit-status lists (SuccessExitStatus= ...): is this exit code, or this signal, in it? */
bool unit_exit_set_has(const struct unit *unit, enum unit_key key, bool is_signal, int number);
/* Appends "KEY=VALUE" lines of all that is set, or of one key with its default, as `hob show`
 * prints them. */
int unit_render(const struct unit *unit, struct buf *buf);
int unit_render_key(const struct unit *unit, enum unit_key key, struct buf *buf);

/* --- building one from text --- */

enum unit_severity { UNIT_NOTE, UNIT_WARNING, UNIT_ERROR };

/* What reading said: each with "file:line: " in its text. Owned by the list. */
struct unit_message {
	enum unit_severity severity;
	char *text;
};
struct unit_messages {
	struct unit_message *items;
	size_t n, capacity;
};
void unit_messages_done(struct unit_messages *messages);

struct unit_builder;

/* name: "web.service"; checked. 0, -EINVAL, -ENOMEM. */
int unit_builder_new(const char *name, struct unit_builder **ret_builder, struct error *error);
void unit_builder_freep(struct unit_builder **builder);
/*
 * Reads one file's text into it; call in the order fragment, drop-ins. path is for messages only.
 * What systemd warns about is a message (messages may be NULL); 0 then. -EBADMSG: the unit cannot
 * be loaded (error says file, line, key, value). -ENOMEM.
 */
int unit_builder_add(struct unit_builder *builder, const char *path, const char *text, size_t size,
	struct unit_messages *messages, struct error *error);
/* One "KEY=VALUE" as `hob run -p` gives it; the section is found from the key. -EINVAL: bad key or
 * value. */
int unit_builder_set(struct unit_builder *builder, const char *assignment, struct error *error);
/* Load checks (systemd.service(5)) and defaults; the builder is spent. 0, -EBADMSG, -ENOMEM. */
int unit_builder_finish(struct unit_builder *builder, struct unit **ret_unit,
	struct unit_messages *messages, struct error *error);

/* --- names --- */

/*
 * What a person typed ("web", "web.service") as a unit name: adds ".service" where no known type
 * suffix is there. -EINVAL with a clear error: empty, over 255 bytes, a character that is not one
 * of A-Z a-z 0-9 : - _ . \ @, a leading dot, a '/'.
 */
int unit_name_from_typed(const char *typed, char **ret_name, struct error *error);
