/* Exec lines and environments: splitting, quoting, expansion (systemd.service(5), systemd.exec(5)).
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"
#include "unit/unit.h"

/*
 * The command's argv with $VAR and ${VAR} taken from env (unit/exec rules of systemd.service(5),
 * "Command lines"). 0 or -ENOMEM; appends to argv.
 */
int exec_expand(const struct exec_command *command, const struct strv *env, struct strv *argv);
/* Appends a word so that reading an Exec line gives it back ("%" as "%%", quotes, escapes; "$" is
 * left: use ":"). */
int exec_quote(struct buf *buf, const char *word);
/* Appends NAME=VALUE so that an Environment= line gives it back. */
int exec_quote_environment(struct buf *buf, const char *assignment);

/*
 * An environment file's text (systemd.exec(5), EnvironmentFile=) into env, later wins.
 * 0, -EBADMSG (error says the line), -ENOMEM.
 */
int envfile_parse(
	const char *path, const char *text, size_t size, struct strv *env, struct error *error);
/*
 * Appends a line that envfile_parse reads back as this assignment, whatever bytes but NUL are in
 * its value. -EINVAL: nothing was appended, since no such file can hold that name (it is empty, has
 * a blank, control, quote or backslash, or begins with '#' or ';').
 */
int envfile_render(struct buf *buf, const char *assignment);
