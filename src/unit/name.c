/*
 * The rules are systemd's, except for a leading dot, which unit_name_from_typed() refuses: the name
 * of a unit is also the name of its log directory.
 */
#include "unit/name.h"

#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "unit/unit.h"

static const char *const unit_types[] = {"service", "socket", "timer", "path", "target", "mount",
	"automount", "swap", "slice", "scope", "device"};

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\"

/* The type at the end of a name, without its dot; NULL: none that is known. */
static const char *find_type(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < ARRAY_SIZE(unit_types); i++)
		if (strcmp(dot + 1, unit_types[i]) == 0)
			return dot + 1;
	return NULL;
}

int unit_name_split(const char *name, struct unit_name_parts *ret_parts)
{
	struct unit_name_parts parts = {.prefix = name};

	if (strlen(name) > UNIT_NAME_MAX)
		return -EINVAL;
	parts.type = find_type(name);
	if (!parts.type)
		return -EINVAL;
	size_t size = (size_t)(parts.type - 1 - name);
	const char *at = memchr(name, '@', size);
	parts.prefix_size = at ? (size_t)(at - name) : size;
	if (at) {
		parts.instance = at + 1;
		parts.instance_size = size - parts.prefix_size - 1;
	}
	if (parts.prefix_size == 0 || strspn(name, NAME_CHARACTERS) < parts.prefix_size)
		return -EINVAL;
	if (at && strspn(parts.instance, NAME_CHARACTERS "@") < parts.instance_size)
		return -EINVAL;
	*ret_parts = parts;
	return 0;
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

int unit_name_unescape(struct buf *buf, const char *part, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (part[i] == '-') {
			buf_append_char(buf, '/');
		} else if (part[i] == '\\' && i + 3 < size && part[i + 1] == 'x' &&
			   hex(part[i + 2]) >= 0 && hex(part[i + 3]) >= 0 &&
			   hex(part[i + 2]) + hex(part[i + 3]) > 0) {
			buf_append_char(buf, (char)(hex(part[i + 2]) << 4 | hex(part[i + 3])));
			i += 3;
		} else {
			buf_append_char(buf, part[i]);
		}
	}
	return buf_status(buf);
}

static int refuse(struct error *error, const char *typed, const char *why)
{
	return error_set(error, EXIT_USAGE, -EINVAL, "bad unit name \"%.300s\": %s", typed, why);
}

int unit_name_from_typed(const char *typed, char **ret_name, struct error *error)
{
	struct unit_name_parts parts;
	_cleanup_(buf_done) struct buf name = {0};

	if (*typed == '\0')
		return refuse(error, typed, "it is empty");
	if (*typed == '.')
		return refuse(error, typed, "it begins with a dot");
	if (strchr(typed, '/'))
		return refuse(error, typed, "it contains a '/'");
	if (typed[strspn(typed, NAME_CHARACTERS "@")] != '\0')
		return refuse(error, typed,
			"only letters, digits and the characters : - _ . \\ @ are allowed");
	buf_append_string(&name, typed);
	if (!find_type(typed))
		buf_append_string(&name, ".service");
	if (buf_status(&name) < 0)
		return buf_status(&name);
	if (name.size > UNIT_NAME_MAX)
		return refuse(error, typed, "it is longer than 255 bytes, its type included");
	if (name.size > UNIT_FILE_NAME_MAX)
		return refuse(error, typed, "it is too long to name files after (230 bytes with its type)");
	if (strstr(name.data, ".jsonl"))
		return refuse(error, typed, "hob's own log has a name with .jsonl");
	if (unit_name_split(name.data, &parts) < 0)
		return refuse(error, typed, "nothing stands before the '@' or the type");
	char *taken = buf_take_string(&name);
	if (!taken)
		return -ENOMEM;
	*ret_name = taken;
	return 0;
}
