/*
 * The order of steps is systemd's, since files depend on it: unquote the first word, take the
 * prefix characters off it, expand specifiers, check the path; then the arguments up to the end or
 * a lone unquoted ";", which begins another command.
 */
#include "unit/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "unit/value.h"
#include "unit/word.h"

#define PATH_SIZE_MAX 4095
#define N_COMMANDS_MAX 1024 /* of one list */
#define QUOTES "the quotes are not balanced, or a backslash stands at the end"

static void command_done(struct command *command)
{
	free(command->path);
	strv_done(&command->argv);
	*command = (struct command){0};
}

void command_list_done(struct command_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		command_done(&list->items[i]);
	free(list->items);
	*list = (struct command_list){0};
}

/* Moves the command into the list. */
static int append(struct command_list *list, struct command *command)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 2;
		struct command *items = reallocarray(list->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->n++] = *command;
	*command = (struct command){0};
	return 0;
}

/* Takes "-@:+!" off the first word; each counts once. */
static const char *take_prefixes(const char *word, uint32_t *flags)
{
	const uint32_t privilege = EXEC_FULL_PRIVILEGES | EXEC_NO_SETUID | EXEC_AMBIENT_MAGIC;

	for (;; word++) {
		if (*word == '-' && !(*flags & EXEC_IGNORE_FAILURE))
			*flags |= EXEC_IGNORE_FAILURE;
		else if (*word == '@' && !(*flags & EXEC_ARGV0))
			*flags |= EXEC_ARGV0;
		else if (*word == ':' && !(*flags & EXEC_NO_EXPANSION))
			*flags |= EXEC_NO_EXPANSION;
		else if (*word == '+' && !(*flags & privilege))
			*flags |= EXEC_FULL_PRIVILEGES;
		else if (*word == '!' && !(*flags & privilege))
			*flags |= EXEC_NO_SETUID;
		else if (*word == '!' && (*flags & privilege) == EXEC_NO_SETUID)
			*flags = (*flags & ~(uint32_t)EXEC_NO_SETUID) | EXEC_AMBIENT_MAGIC;
		else
			return word;
	}
}

/* Controls, quotes and backslashes in a path are left-overs of wrong quoting. */
static bool is_safe(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path < ' ' || strchr("\"'\\\x7f", *path))
			return false;
	return true;
}

static const char *what_is_wrong(const char *path)
{
	const char *slash = strchr(path, '/');
	size_t size = strlen(path);

	if (size == 0)
		return "no program is named";
	if (!is_safe(path))
		return "the program's path contains a control character, quote or backslash";
	if (size > PATH_SIZE_MAX)
		return "the program's path is too long";
	if (slash && slash != path)
		return "the program's path is neither absolute nor a bare name";
	if (path[size - 1] == '/' || strcmp(path, ".") == 0 || strcmp(path, "..") == 0)
		return "the program's path is a directory";
	return NULL;
}

/* Two slashes are one, "/./" is "/". In place. */
static void simplify(char *path)
{
	char *to = path;

	for (const char *from = path; *from;) {
		if (from[0] == '/' && from[1] == '/')
			from++;
		else if (from[0] == '/' && from[1] == '.' && from[2] == '/')
			from += 2;
		else
			*to++ = *from++;
	}
	*to = '\0';
}

/* A line that cannot be run: dropped where failures are to be ignored, else fatal. */
static int refuse(const struct value_input *in, uint32_t flags, const char *why)
{
	if (flags & EXEC_IGNORE_FAILURE)
		return value_warn(in, "%s; the line is ignored", why);
	return error_set(in->error, EXIT_USAGE, -EBADMSG, "%s", why);
}

/* As word_next(), but an unknown escape is kept, with a note. */
static int next_word(const struct value_input *in, const char **text, char **ret_word)
{
	const char *start = *text;

	int r = word_next(text, WORD_UNQUOTE | WORD_CUNESCAPE, ret_word);
	if (r != -EINVAL)
		return r;
	*text = start;
	r = word_next(text, WORD_UNQUOTE | WORD_CUNESCAPE | WORD_KEEP_UNKNOWN, ret_word);
	if (r <= 0)
		return r;
	int noted = value_note(in, "unknown escape sequence in \"%.100s\", kept as it is", start);
	if (noted < 0) {
		free(*ret_word);
		return noted;
	}
	return 1;
}

/* One of ours at *text, standing alone: ";" or "\;". */
static bool take_lone(const char **text, const char *token)
{
	size_t size = strlen(token);

	if (strncmp(*text, token, size) != 0)
		return false;
	if ((*text)[size] != '\0' && !strchr(WORD_BLANKS, (*text)[size]))
		return false;
	*text += size;
	*text += strspn(*text, WORD_BLANKS);
	return true;
}

/* Arguments up to the end or a separator. 1: all are there; 0: the command is dropped; -EBADMSG ...
 */
static int parse_arguments(const struct value_input *in, const char **text, struct command *command)
{
	while (**text != '\0' && !take_lone(text, ";")) {
		_cleanup_(freep) char *word = NULL, *expanded = NULL;
		int r;

		if (take_lone(text, "\\;")) {
			r = strv_append(&command->argv, ";");
			if (r < 0)
				return r;
			continue;
		}
		r = next_word(in, text, &word);
		if (r == -EINVAL)
			return refuse(in, command->flags, QUOTES);
		if (r <= 0)
			return r < 0 ? r : 1;
		r = value_expand(in, word, &expanded);
		if (r >= 0)
			r = strv_append(&command->argv, expanded);
		if (r < 0)
			return r;
	}
	return 1;
}

/* As parse_arguments(), for the whole command; first is its first word. */
static int parse_command(
	const struct value_input *in, const char *first, const char **text, struct command *command)
{
	const char *path = take_prefixes(first, &command->flags);

	int r = value_expand(in, path, &command->path);
	if (r < 0)
		return r;
	const char *wrong = what_is_wrong(command->path);
	if (wrong)
		return refuse(in, command->flags, wrong);
	if (!(command->flags & EXEC_ARGV0)) {
		r = strv_append(&command->argv, command->path);
		if (r < 0)
			return r;
	}
	r = parse_arguments(in, text, command);
	if (r <= 0)
		return r;
	if (command->argv.n == 0)
		return refuse(in, command->flags, "no argv[0] follows the \"@\"");
	simplify(command->path);
	return 1;
}

int command_parse_line(const struct value_input *in, const char *text, struct command_list *list)
{
	for (;;) {
		_cleanup_(freep) char *first = NULL;
		_cleanup_(command_done) struct command command = {0};

		int r = next_word(in, &text, &first);
		if (r == -EINVAL)
			return refuse(in, 0, QUOTES);
		if (r <= 0)
			return r;
		if (strcmp(first, ";") == 0)
			continue;
		/* The rest of a dropped command is not looked at: nobody knows where it was to end.
		 */
		r = parse_command(in, first, &text, &command);
		if (r <= 0)
			return r;
		if (list->n >= N_COMMANDS_MAX)
			return refuse(in, 0, "too many commands");
		r = append(list, &command);
		if (r < 0)
			return r;
	}
}
