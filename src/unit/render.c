/*
 * Units as `hob show` prints them. Values of environment variables are left out: they may be
 * secrets, and no verb shows them.
 */
#include "unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "unit/exec.h"
#include "unit/pack.h"

static void render_prefixes(uint32_t flags, struct buf *buf)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} prefixes[] = {
		{EXEC_IGNORE_FAILURE, "-"},
		{EXEC_ARGV0, "@"},
		{EXEC_NO_EXPANSION, ":"},
		{EXEC_FULL_PRIVILEGES, "+"},
		{EXEC_NO_SETUID, "!"},
		{EXEC_AMBIENT_MAGIC, "!!"},
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (flags & prefixes[i].flag)
			buf_append_string(buf, prefixes[i].text);
}

/* One "KEY=..." line a command, as they are written. */
static void render_commands(
	const char *name, const struct exec_command *commands, size_t n, struct buf *buf)
{
	for (size_t i = 0; i < n; i++) {
		buf_printf(buf, "%s=", name);
		render_prefixes(commands[i].flags, buf);
		exec_quote(buf, commands[i].path);
		size_t first = commands[i].flags & EXEC_ARGV0 ? 0 : 1;
		for (const char *const *arg = commands[i].argv + first; *arg; arg++) {
			buf_append_char(buf, ' ');
			exec_quote(buf, *arg);
		}
		buf_append_char(buf, '\n');
	}
}

static void render_list(
	enum unit_value_type type, const char *const *items, size_t n, struct buf *buf)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_append_char(buf, ' ');
		if (type == VALUE_ENVIRONMENT)
			buf_printf(buf, "%.*s=...", (int)strcspn(items[i], "="), items[i]);
		else if (type == VALUE_ENVIRONMENT_FILE)
			buf_append_string(buf, items[i]);
		else
			exec_quote(buf, items[i]);
	}
}

/* The value of what is set, but commands. */
static void render_entry(const struct unit_entry *entry, struct buf *buf)
{
	enum unit_value_type type = unit_keys[entry->key].type;

	switch (value_shape(type)) {
	case SHAPE_NUMBER:
		value_render_number(type, entry->number, buf);
		break;
	case SHAPE_STRING:
		buf_append_string(buf, entry->text);
		break;
	case SHAPE_LIST:
		render_list(type, entry->items, entry->n, buf);
		break;
	case SHAPE_LIMIT:
		value_render_limit(entry->limit, buf);
		break;
	case SHAPE_EXIT_SET:
		value_render_exit_set(entry->exit_set, buf);
		break;
	case SHAPE_COMMANDS:
		break;
	}
}

int unit_render_key(const struct unit *unit, enum unit_key key, struct buf *buf)
{
	const struct unit_entry *entry = unit_find_entry(unit, key);
	const struct unit_key_info *info = &unit_keys[key];

	if (entry && value_shape(info->type) == SHAPE_COMMANDS) {
		render_commands(info->name, entry->commands, entry->n, buf);
		return buf_status(buf);
	}
	buf_printf(buf, "%s=", info->name);
	if (entry)
		render_entry(entry, buf);
	else if (value_shape(info->type) == SHAPE_NUMBER &&
		 (info->default_text || unit_value_words(info->type)))
		value_render_number(info->type, unit_u64(unit, key), buf);
	else if (info->default_text)
		buf_append_string(buf, info->default_text);
	return buf_append_char(buf, '\n');
}

int unit_render(const struct unit *unit, struct buf *buf)
{
	for (uint32_t i = 0; i < unit->n_entries; i++)
		unit_render_key(unit, (enum unit_key)unit->entries[i].key, buf);
	return buf_status(buf);
}
