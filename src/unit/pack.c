/*
 * Packing runs twice over the same code: once without memory, to know how much, once with it. What
 * is set takes 16 bytes an entry and its text; a unit as `hob run` writes it has some 500 bytes.
 */
#include "unit/pack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct packer {
	char *base; /* NULL while measuring */
	size_t used;
};

static void *place(struct packer *packer, size_t size, size_t alignment)
{
	packer->used = (packer->used + alignment - 1) & ~(alignment - 1);
	void *at = packer->base ? packer->base + packer->used : NULL;
	packer->used += size;
	return at;
}

static const char *place_string(struct packer *packer, const char *text)
{
	size_t size = strlen(text) + 1;
	char *at = place(packer, size, 1);

	return at ? memcpy(at, text, size) : NULL;
}

static const char *const *place_strings(struct packer *packer, const struct strv *strings)
{
	const char **items = place(packer, (strings->n + 1) * sizeof(*items), sizeof(*items));

	for (size_t i = 0; i < strings->n; i++) {
		const char *item = place_string(packer, strings->items[i]);
		if (items)
			items[i] = item;
	}
	if (items)
		items[strings->n] = NULL;
	return items;
}

static const struct exec_command *place_commands(
	struct packer *packer, const struct command_list *list)
{
	struct exec_command *commands = place(packer, list->n * sizeof(*commands), sizeof(void *));

	for (size_t i = 0; i < list->n; i++) {
		const struct command *command = &list->items[i];
		const char *const *argv = place_strings(packer, &command->argv);
		/* The usual argv[0] is the path as it stands: one text for both. */
		bool shares = strcmp(command->path, command->argv.items[0]) == 0;
		const char *path = shares ? NULL : place_string(packer, command->path);
		if (commands)
			commands[i] = (struct exec_command){
				.path = shares ? argv[0] : path,
				.argv = argv,
				.flags = command->flags,
			};
	}
	return commands;
}

static const void *place_bytes(struct packer *packer, const void *data, size_t size)
{
	void *at = place(packer, size, sizeof(uint64_t));

	return at ? memcpy(at, data, size) : NULL;
}

static struct unit_entry pack_value(
	struct packer *packer, enum unit_key key, const struct value *value)
{
	struct unit_entry entry = {.key = (uint16_t)key};

	switch (value_shape(unit_keys[key].type)) {
	case SHAPE_NUMBER:
		entry.number = value->number;
		break;
	case SHAPE_STRING:
		entry.text = place_string(packer, value->strings.items[0]);
		break;
	case SHAPE_LIST:
		entry.n = (uint32_t)value->strings.n;
		entry.items = place_strings(packer, &value->strings);
		break;
	case SHAPE_COMMANDS:
		entry.n = (uint32_t)value->commands.n;
		entry.commands = place_commands(packer, &value->commands);
		break;
	case SHAPE_LIMIT:
		entry.limit = place_bytes(packer, &value->limit, sizeof(value->limit));
		break;
	case SHAPE_EXIT_SET:
		entry.exit_set = place_bytes(packer, value->exit_set, sizeof(value->exit_set));
		break;
	}
	return entry;
}

static struct unit *pack_all(
	struct packer *packer, const char *name, const struct value values[static N_UNIT_KEYS])
{
	size_t n_entries = 0, n = 0;

	for (size_t key = 0; key < N_UNIT_KEYS; key++)
		n_entries += values[key].is_set;
	struct unit *unit = place(packer, sizeof(*unit) + n_entries * sizeof(unit->entries[0]),
		_Alignof(struct unit));
	const char *placed_name = place_string(packer, name);
	if (unit)
		*unit = (struct unit){
			.n_refs = 1, .n_entries = (uint32_t)n_entries, .name = placed_name};
	for (size_t key = 0; key < N_UNIT_KEYS; key++) {
		if (!values[key].is_set)
			continue;
		struct unit_entry entry = pack_value(packer, (enum unit_key)key, &values[key]);
		if (unit)
			unit->entries[n++] = entry;
	}
	return unit;
}

int unit_pack(const char *name, uint64_t text_hash, const struct value values[static N_UNIT_KEYS],
	struct unit **ret_unit)
{
	struct packer measure = {0}, packer = {0};

	pack_all(&measure, name, values);
	packer.base = malloc(measure.used);
	if (!packer.base)
		return -ENOMEM;
	struct unit *unit = pack_all(&packer, name, values);
	assert(packer.used == measure.used);
	unit->text_hash = text_hash;
	*ret_unit = unit;
	return 0;
}
