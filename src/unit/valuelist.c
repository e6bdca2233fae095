/* Values made of text: words, paths, names, variables. */
#include "unit/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "unit/word.h"

#define PATH_SIZE_MAX 4095
#define N_ITEMS_MAX 4096 /* of one list */
#define USER_SIZE_MAX 256

/* In place of what is there. */
static int set_string(struct value *value, const char *text)
{
	struct strv strings = {0};

	int r = strv_append(&strings, text);
	if (r < 0)
		return r;
	strv_done(&value->strings);
	value->strings = strings;
	return 0;
}

int value_parse_string(const struct value_input *in, const char *text, struct value *value)
{
	_cleanup_(freep) char *expanded = NULL;

	int r = value_expand(in, text, &expanded);
	return r < 0 ? r : set_string(value, expanded);
}

/* --- paths --- */

/* "//" and "/./" are "/", a slash at the end is nothing. In place. */
static void simplify(char *path)
{
	char *to = path;

	for (const char *from = path; *from;) {
		if (from[0] == '/' && (from[1] == '/' || (from[1] == '\0' && to > path)))
			from++;
		else if (from[0] == '/' && from[1] == '.' && (from[2] == '/' || from[2] == '\0'))
			from += 2;
		else
			*to++ = *from++;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

/* Expands and checks text as an absolute path. */
static int make_path(const struct value_input *in, const char *text, char **ret_path)
{
	_cleanup_(freep) char *path = NULL;

	int r = value_expand(in, text, &path);
	if (r < 0)
		return r;
	if (path[0] != '/')
		return error_set(in->error, EXIT_USAGE, -EINVAL, "is not an absolute path");
	if (strlen(path) > PATH_SIZE_MAX)
		return error_set(in->error, EXIT_USAGE, -EINVAL, "is too long for a path");
	simplify(path);
	*ret_path = take(path);
	return 0;
}

/* PREFIX and the path that follows it, in place of or after what is there. */
static int add_path(const struct value_input *in, const char *prefix, const char *text,
	struct value *value, bool is_list)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(buf_done) struct buf whole = {0};

	int r = make_path(in, text, &path);
	if (r < 0)
		return r;
	buf_append_string(&whole, prefix);
	r = buf_append_string(&whole, path);
	if (r < 0)
		return r;
	if (!is_list)
		return set_string(value, whole.data);
	if (value->strings.n >= N_ITEMS_MAX)
		return error_set(in->error, EXIT_USAGE, -EINVAL, "is one too many");
	return strv_append(&value->strings, whole.data);
}

int value_parse_path(const struct value_input *in, const char *text, struct value *value)
{
	return add_path(in, "", text, value, false);
}

int value_parse_working_directory(
	const struct value_input *in, const char *text, struct value *value)
{
	bool is_optional = *text == '-';

	text += is_optional;
	if (strcmp(text, "~") == 0)
		return set_string(value, is_optional ? "-~" : "~");
	return add_path(in, is_optional ? "-" : "", text, value, false);
}

int value_parse_environment_file(
	const struct value_input *in, const char *text, struct value *value)
{
	bool is_optional = *text == '-';

	return add_path(in, is_optional ? "-" : "", text + is_optional, value, true);
}

/* --- standard streams --- */

/* "file:/path" of one of the prefixes; 1: it is none of them. */
static int parse_stdio_path(const struct value_input *in, const char *text,
	const char *const *prefixes, struct value *value)
{
	for (; *prefixes; prefixes++)
		if (strncmp(text, *prefixes, strlen(*prefixes)) == 0)
			return add_path(in, *prefixes, text + strlen(*prefixes), value, false);
	return 1;
}

int value_parse_stdio_input(const struct value_input *in, const char *text, struct value *value)
{
	static const char *const prefixes[] = {"file:", NULL};

	if (strcmp(text, "null") == 0)
		return set_string(value, text);
	int r = parse_stdio_path(in, text, prefixes, value);
	return r <= 0 ? r : error_set(in->error, EXIT_USAGE, -EINVAL, "is not null or file:PATH");
}

int value_parse_stdio_output(const struct value_input *in, const char *text, struct value *value)
{
	static const char *const prefixes[] = {"file:", "append:", "truncate:", NULL};
	static const char *const to_journal[] = {
		"syslog", "kmsg", "journal+console", "syslog+console", "kmsg+console"};

	if (strcmp(text, "null") == 0 || strcmp(text, "journal") == 0 ||
		strcmp(text, "inherit") == 0)
		return set_string(value, text);
	for (size_t i = 0; i < ARRAY_SIZE(to_journal); i++)
		if (strcmp(text, to_journal[i]) == 0) {
			int r = value_note(in, "%s is taken as journal, which is hob's log", text);
			return r < 0 ? r : set_string(value, "journal");
		}
	int r = parse_stdio_path(in, text, prefixes, value);
	return r <= 0 ? r
		      : error_set(in->error, EXIT_USAGE, -EINVAL,
				"is not journal, null, inherit, file:PATH, append:PATH or "
				"truncate:PATH");
}

/* --- names --- */

/* As lenient as systemd: names that passwd(5) cannot hold are refused, bad taste is not. */
static const char *what_is_wrong_with_user(const char *name)
{
	uint64_t id;
	size_t size = strlen(name);

	if (size == 0 || size > USER_SIZE_MAX)
		return "is empty or too long for a name";
	if (!text_is_utf8(name, size))
		return "is not UTF-8";
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == ':' || *c == '/')
			return "contains a character that no user or group name has";
	if (name[0] == ' ' || name[size - 1] == ' ' || strcmp(name, ".") == 0 ||
		strcmp(name, "..") == 0)
		return "is not the name of a user or group";
	if (name[strspn(name, "0123456789")] != '\0')
		return NULL;
	/* 65535 and 4294967295 are "no id" to the kernel's 16- and 32-bit calls. */
	if (number_parse_u64(name, UINT32_MAX - 1, &id) < 0 || id == UINT16_MAX)
		return "is not a valid id";
	return NULL;
}

int value_parse_user(const struct value_input *in, const char *text, struct value *value)
{
	_cleanup_(freep) char *name = NULL;

	int r = value_expand(in, text, &name);
	if (r < 0)
		return r;
	const char *wrong = what_is_wrong_with_user(name);
	/* Running it as somebody else than was meant is worse than not running it. */
	if (wrong)
		return error_set(in->error, EXIT_USAGE, -EBADMSG, "%s", wrong);
	return set_string(value, name);
}

int value_parse_ready(const struct value_input *in, const char *text, struct value *value)
{
	uint64_t fd;

	if (strcmp(text, "exec") == 0 || strcmp(text, "notify") == 0)
		return set_string(value, text);
	if (strncmp(text, "fd:", 3) == 0 && text[3] >= '0' && text[3] <= '9' &&
		number_parse_u64(text + 3, 255, &fd) == 0 && fd >= 3) {
		char canonical[16] = "fd:";
		_cleanup_(buf_done) struct buf buf = {0};
		int r = buf_printf(&buf, "%s%u", canonical, (unsigned)fd);
		return r < 0 ? r : set_string(value, buf.data);
	}
	return error_set(
		in->error, EXIT_USAGE, -EINVAL, "is not exec, notify or fd:N with N from 3 to 255");
}

/* --- lists --- */

/*
 * Calls add for each word, expanded. Bad quoting ends the list with a warning; what was read
 * before stays, as with systemd.
 */
static int each_word(const struct value_input *in, const char *text, struct strv *list,
	int (*add)(const struct value_input *in, const char *word, struct strv *list))
{
	for (;;) {
		_cleanup_(freep) char *word = NULL, *expanded = NULL;

		int r = word_next(&text, WORD_UNQUOTE | WORD_CUNESCAPE, &word);
		if (r == -EINVAL)
			return value_warn(in,
				"the quotes are not balanced, or an escape is unknown: \"%.100s\"",
				text);
		if (r <= 0)
			return r;
		r = value_expand(in, word, &expanded);
		if (r == 0 && list->n >= N_ITEMS_MAX)
			return value_warn(
				in, "more than %d words; the rest is ignored", N_ITEMS_MAX);
		if (r == 0)
			r = add(in, expanded, list);
		if (r < 0)
			return r;
	}
}

static int add_word(const struct value_input *in, const char *word, struct strv *list)
{
	return strv_append(list, word);
}

int value_parse_list(const struct value_input *in, const char *text, struct value *value)
{
	return each_word(in, text, &value->strings, add_word);
}

bool value_is_assignment(const char *text)
{
	static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				   "0123456789";
	size_t size = strspn(text, name);

	return size > 0 && text[size] == '=' && !(text[0] >= '0' && text[0] <= '9');
}

static int add_assignment(const struct value_input *in, const char *word, struct strv *list)
{
	/* Only the name is repeated: values may be secrets. */
	if (!value_is_assignment(word))
		return value_warn(in, "\"%.*s\" is not a NAME=VALUE assignment, ignored",
			(int)strcspn(word, "="), word);
	return strv_set_env(list, word);
}

int value_parse_environment(const struct value_input *in, const char *text, struct value *value)
{
	return each_word(in, text, &value->strings, add_assignment);
}

int value_parse_commands(const struct value_input *in, const char *text, struct value *value)
{
	return command_parse_line(in, text, &value->commands);
}
