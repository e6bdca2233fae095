/* One function a letter would be a table of one-liners; a switch over three part names is less. */
#include "unit/specifier.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "unit/name.h"

/* Letters that need the host, the user or the manager. */
#define UNSUPPORTED "aAbBcCdDEgGhHlLmMoqrRsStTuUvVwWyY"

/* The prefix behind its last dash. */
static const char *last_component(const struct unit_name_parts *name, size_t *ret_size)
{
	size_t start = name->prefix_size;

	while (start > 0 && name->prefix[start - 1] != '-')
		start--;
	*ret_size = name->prefix_size - start;
	return name->prefix + start;
}

static int append_path(struct buf *buf, const struct unit_name_parts *name)
{
	_cleanup_(buf_done) struct buf path = {0};
	const char *part = name->instance_size > 0 ? name->instance : name->prefix;
	size_t size = name->instance_size > 0 ? name->instance_size : name->prefix_size;

	int r = unit_name_unescape(&path, part, size);
	if (r < 0)
		return r;
	if (path.size == 0 || path.data[0] != '/')
		buf_append_char(buf, '/');
	return buf_append(buf, path.data, path.size);
}

/* 1: replaced; 0: not one of ours; negative: no memory. */
static int append_specifier(
	struct buf *buf, const char *unit_name, const struct unit_name_parts *name, char letter)
{
	const char *part;
	size_t size;

	switch (letter) {
	case '%':
		return buf_append_char(buf, '%') < 0 ? buf_status(buf) : 1;
	case 'n':
		return buf_append_string(buf, unit_name) < 0 ? buf_status(buf) : 1;
	case 'N':
		part = unit_name;
		size = (size_t)(name->type - 1 - unit_name);
		break;
	case 'p':
	case 'P':
		part = name->prefix;
		size = name->prefix_size;
		break;
	case 'i':
	case 'I':
		part = name->instance;
		size = name->instance_size;
		break;
	case 'j':
	case 'J':
		part = last_component(name, &size);
		break;
	case 'f':
		return append_path(buf, name) < 0 ? buf_status(buf) : 1;
	default:
		return 0;
	}
	int r = letter >= 'a' || letter == 'N' ? buf_append(buf, part, size)
					       : unit_name_unescape(buf, part, size);
	return r < 0 ? r : 1;
}

int specifier_expand(
	struct buf *buf, const char *unit_name, const char *text, char *ret_unsupported)
{
	struct unit_name_parts name;
	int r = unit_name_split(unit_name, &name);

	assert(r == 0);
	*ret_unsupported = '\0';
	for (;;) {
		const char *percent = strchrnul(text, '%');
		buf_append(buf, text, (size_t)(percent - text));
		if (*percent == '\0')
			return buf_status(buf);
		r = append_specifier(buf, unit_name, &name, percent[1]);
		if (r < 0)
			return r;
		text = percent + (r > 0 ? 2 : 1);
		if (r > 0)
			continue;
		buf_append_char(buf, '%');
		if (percent[1] != '\0' && strchr(UNSUPPORTED, percent[1]) && !*ret_unsupported)
			*ret_unsupported = percent[1];
	}
}
