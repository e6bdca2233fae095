/* A word yields at most one value, but for a cluster of flags: room for all letters is taken at
 * once. */
#include "cli/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

#define NAMES_MAX 64 /* options offered as the nearest one */

struct parser {
	const struct option_info *tables[2];
	int argc, at;
	char **argv;
	struct option_values values;
	struct error *error;
};

static const struct option_info *find_long(
	const struct parser *parser, const char *name, size_t size)
{
	for (unsigned t = 0; t < 2; t++) {
		for (const struct option_info *o = parser->tables[t]; o && o->name; o++) {
			if (strlen(o->name) == size && strncmp(o->name, name, size) == 0)
				return o;
		}
	}
	return NULL;
}

static const struct option_info *find_letter(const struct parser *parser, char letter)
{
	for (unsigned t = 0; t < 2; t++) {
		for (const struct option_info *o = parser->tables[t]; o && o->name; o++) {
			if (o->letter == letter)
				return o;
		}
	}
	return NULL;
}

static int unknown_long(const struct parser *parser, const char *name, size_t size)
{
	const char *names[NAMES_MAX];
	size_t n = 0;
	char typed[64];

	for (unsigned t = 0; t < 2; t++) {
		for (const struct option_info *o = parser->tables[t]; o && o->name && n < NAMES_MAX;
			o++)
			names[n++] = o->name;
	}
	size = size < sizeof(typed) ? size : sizeof(typed) - 1;
	memcpy(typed, name, size);
	typed[size] = '\0';
	const char *nearest = suggest_nearest(typed, names, n);
	if (nearest)
		return error_set(parser->error, EXIT_USAGE, -EINVAL,
			"unknown option --%s; did you mean --%s?", typed, nearest);
	return error_set(parser->error, EXIT_USAGE, -EINVAL, "unknown option --%s", typed);
}

static void add(struct parser *parser, const struct option_info *option, const char *value)
{
	parser->values.items[parser->values.n++] =
		(struct option_value){.option = option, .value = value};
}

/* The next word as the value of an option, or NULL with the error set. */
static const char *next_word(struct parser *parser, const struct option_info *option)
{
	if (parser->at < parser->argc)
		return parser->argv[parser->at++];
	error_set(parser->error, EXIT_USAGE, -EINVAL, "option --%s needs a value: %s", option->name,
		option->argument);
	return NULL;
}

static int parse_long(struct parser *parser, const char *word)
{
	size_t size = strcspn(word, "=");
	const struct option_info *option = find_long(parser, word, size);
	const char *value = word[size] == '=' ? word + size + 1 : NULL;

	if (!option)
		return unknown_long(parser, word, size);
	if (value && !option->argument)
		return error_set(parser->error, EXIT_USAGE, -EINVAL, "option --%s takes no value",
			option->name);
	if (!value && option->argument)
		value = next_word(parser, option);
	if (!value && option->argument)
		return -EINVAL;
	add(parser, option, value ? value : "");
	return 0;
}

/* "qn5": flags, up to the first that takes a value. */
static int parse_letters(struct parser *parser, const char *letters)
{
	for (; *letters; letters++) {
		const struct option_info *option = find_letter(parser, *letters);
		const char *value = "";

		if (!option)
			return error_set(
				parser->error, EXIT_USAGE, -EINVAL, "unknown option -%c", *letters);
		if (option->argument)
			value = letters[1] ? letters + 1 : next_word(parser, option);
		if (!value)
			return -EINVAL;
		add(parser, option, value);
		if (option->argument)
			break;
	}
	return 0;
}

static size_t count_letters(int argc, char **argv)
{
	size_t n = 0;

	for (int i = 0; i < argc; i++)
		n += argv[i][0] == '-' ? strlen(argv[i]) : 0;
	return n;
}

int option_parse(const struct option_info *own, const struct option_info *common,
	bool options_first, int argc, char **argv, struct option_values *ret_values,
	int *ret_n_operands, struct error *error)
{
	struct parser parser = {
		.tables = {own, common}, .argc = argc, .argv = argv, .error = error};
	int n_operands = 0, r = 0;
	bool ended = false;

	parser.values.items = calloc(count_letters(argc, argv) + 1, sizeof(*parser.values.items));
	if (!parser.values.items)
		return error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	while (parser.at < argc && r == 0) {
		char *word = argv[parser.at++];
		if (ended || word[0] != '-' || !word[1]) {
			argv[n_operands++] = word;
			ended = ended || options_first;
		} else if (word[1] != '-') {
			r = parse_letters(&parser, word + 1);
		} else if (word[2]) {
			r = parse_long(&parser, word + 2);
		} else {
			ended = true;
		}
	}
	if (r < 0) {
		option_values_done(&parser.values);
		return r;
	}
	*ret_values = parser.values;
	*ret_n_operands = n_operands;
	return 0;
}

void option_values_done(struct option_values *values)
{
	free(values->items);
	*values = (struct option_values){0};
}

const char *option_value(const struct option_values *values, const char *name)
{
	for (size_t i = values->n; i-- > 0;) {
		if (strcmp(values->items[i].option->name, name) == 0)
			return values->items[i].value;
	}
	return NULL;
}

const char *option_next(const struct option_values *values, const char *name, size_t *position)
{
	while (*position < values->n) {
		const struct option_value *value = &values->items[(*position)++];
		if (strcmp(value->option->name, name) == 0)
			return value->value;
	}
	return NULL;
}
