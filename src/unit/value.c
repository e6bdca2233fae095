/*
 * The table of value types. Numbers of any kind are a parse and a render function each; what is
 * made of text has a parse function in unit/valuelist.c, limit.c or exitset.c and is rendered from
 * the finished unit (unit/render.c).
 */
#include "unit/value.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/number.h"
#include "base/signame.h"
#include "base/span.h"
#include "unit/specifier.h"

/* Tighter limits than the type's, by key. */
static const struct {
	enum unit_key key;
	int64_t min, max;
} ranges[] = {
	{UNIT_NICE, -20, 19},
	{UNIT_OOM_SCORE_ADJUST, -1000, 1000},
	{UNIT_START_LIMIT_BURST, 0, UINT32_MAX},
	{UNIT_RESTART_STEPS, 0, 10000},
	{UNIT_X_LOG_SIZE, 1, INT64_MAX},
	{UNIT_X_LOG_KEEP, 0, 10000},
};

static void find_range(enum unit_key key, int64_t *min, int64_t *max)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (ranges[i].key == key) {
			*min = ranges[i].min;
			*max = ranges[i].max;
		}
}

/* --- numbers --- */

static int parse_bool(enum unit_key key, const char *text, uint64_t *ret)
{
	bool value;
	int r = number_parse_bool(text, &value);

	if (r == 0)
		*ret = value;
	return r;
}

static int parse_u64(enum unit_key key, const char *text, uint64_t *ret)
{
	int64_t min = 0, max = INT64_MAX;

	find_range(key, &min, &max);
	return number_parse_u64(text, (uint64_t)max, ret);
}

static int parse_i64(enum unit_key key, const char *text, uint64_t *ret)
{
	int64_t min = INT64_MIN, max = INT64_MAX, value;

	find_range(key, &min, &max);
	int r = number_parse_i64(text, min, max, &value);
	if (r == 0)
		*ret = (uint64_t)value;
	return r;
}

static int parse_span(enum unit_key key, const char *text, uint64_t *ret)
{
	return span_parse(text, USEC_PER_SEC, ret);
}

static int parse_timeout(enum unit_key key, const char *text, uint64_t *ret)
{
	int r = span_parse(text, USEC_PER_SEC, ret);

	if (r == 0 && *ret == 0)
		*ret = SPAN_INFINITY;
	return r;
}

static int parse_size(enum unit_key key, const char *text, uint64_t *ret)
{
	int64_t min = 0, max = INT64_MAX;
	uint64_t bytes;

	find_range(key, &min, &max);
	int r = size_parse(text, &bytes);
	if (r == 0 && (bytes < (uint64_t)min || bytes > (uint64_t)max))
		return -ERANGE;
	if (r == 0)
		*ret = bytes;
	return r;
}

static int parse_mode(enum unit_key key, const char *text, uint64_t *ret)
{
	uint32_t mode;
	int r = number_parse_mode(text, &mode);

	if (r == 0)
		*ret = mode;
	return r;
}

static int parse_signal(enum unit_key key, const char *text, uint64_t *ret)
{
	int signo = signame_parse(text);

	if (signo < 0)
		return signo;
	*ret = (uint64_t)signo;
	return 0;
}

static int parse_percent(enum unit_key key, const char *text, uint64_t *ret)
{
	char digits[16];
	size_t size = strlen(text);

	if (size < 2 || size >= sizeof(digits) || text[size - 1] != '%')
		return -EINVAL;
	memcpy(digits, text, size - 1);
	digits[size - 1] = '\0';
	return number_parse_u64(digits, 100, ret);
}

static int parse_word(enum unit_key key, const char *text, uint64_t *ret)
{
	const char *const *words = unit_value_words(unit_keys[key].type);

	for (uint64_t i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

static int render_bool(uint64_t number, struct buf *buf)
{
	return buf_append_string(buf, number ? "yes" : "no");
}

static int render_u64(uint64_t number, struct buf *buf)
{
	return buf_printf(buf, "%llu", (unsigned long long)number);
}

static int render_i64(uint64_t number, struct buf *buf)
{
	return buf_printf(buf, "%lld", (long long)number);
}

static int render_span(uint64_t number, struct buf *buf)
{
	return span_render(buf, number);
}

/* Exact: with the largest unit that divides it. */
static int render_size(uint64_t number, struct buf *buf)
{
	static const char suffixes[] = "KMGTPE";
	const char *suffix = suffixes;

	if (number == 0 || number % 1024 != 0)
		return render_u64(number, buf);
	for (number /= 1024; number % 1024 == 0 && suffix[1]; number /= 1024)
		suffix++;
	return buf_printf(buf, "%llu%c", (unsigned long long)number, *suffix);
}

static int render_mode(uint64_t number, struct buf *buf)
{
	return buf_printf(buf, "%04o", (unsigned)number);
}

static int render_signal(uint64_t number, struct buf *buf)
{
	char text[SIGNAME_TEXT_SIZE];

	return buf_append_string(buf, signame_render((int)number, text));
}

static int render_percent(uint64_t number, struct buf *buf)
{
	return buf_printf(buf, "%llu%%", (unsigned long long)number);
}

/* --- the table --- */

/* A number has parse_number and render_number (NULL: it is a word), all else has parse. */
static const struct {
	enum value_shape shape;
	const char
		*expected; /* completes "is not "; NULL: the words of the type, or parse says it */
	int (*parse_number)(enum unit_key key, const char *text, uint64_t *ret);
	int (*render_number)(uint64_t number, struct buf *buf);
	int (*parse)(const struct value_input *in, const char *text, struct value *value);
} types[] = {
	[VALUE_BOOL] = {SHAPE_NUMBER, "yes or no", parse_bool, render_bool},
	[VALUE_U64] = {SHAPE_NUMBER, "a whole number in range", parse_u64, render_u64},
	[VALUE_I64] = {SHAPE_NUMBER, "a whole number in range", parse_i64, render_i64},
	[VALUE_SPAN] = {SHAPE_NUMBER, "a time span (as in 90s, 1min 30s)", parse_span, render_span},
	[VALUE_TIMEOUT] = {SHAPE_NUMBER, "a time span (as in 90s, 1min 30s)", parse_timeout,
		render_span},
	[VALUE_SIZE] = {SHAPE_NUMBER, "a size (as in 10M, 1.5G)", parse_size, render_size},
	[VALUE_MODE] = {SHAPE_NUMBER, "an octal mode (as in 0022)", parse_mode, render_mode},
	[VALUE_SIGNAL] = {SHAPE_NUMBER, "a signal (as in SIGTERM)", parse_signal, render_signal},
	[VALUE_PERCENT] = {SHAPE_NUMBER, "a share from 0% to 100%", parse_percent, render_percent},
	[VALUE_SERVICE_TYPE] = {SHAPE_NUMBER, NULL, parse_word},
	[VALUE_RESTART] = {SHAPE_NUMBER, NULL, parse_word},
	[VALUE_KILL_MODE] = {SHAPE_NUMBER, NULL, parse_word},
	[VALUE_NOTIFY_ACCESS] = {SHAPE_NUMBER, NULL, parse_word},
	[VALUE_BACKOFF] = {SHAPE_NUMBER, NULL, parse_word},
	[VALUE_STRING] = {SHAPE_STRING, .parse = value_parse_string},
	[VALUE_PATH] = {SHAPE_STRING, .parse = value_parse_path},
	[VALUE_WORKING_DIRECTORY] = {SHAPE_STRING, .parse = value_parse_working_directory},
	[VALUE_USER] = {SHAPE_STRING, .parse = value_parse_user},
	[VALUE_STDIO_INPUT] = {SHAPE_STRING, .parse = value_parse_stdio_input},
	[VALUE_STDIO_OUTPUT] = {SHAPE_STRING, .parse = value_parse_stdio_output},
	[VALUE_READY] = {SHAPE_STRING, .parse = value_parse_ready},
	[VALUE_LIST] = {SHAPE_LIST, .parse = value_parse_list},
	[VALUE_ENVIRONMENT] = {SHAPE_LIST, .parse = value_parse_environment},
	[VALUE_ENVIRONMENT_FILE] = {SHAPE_LIST, .parse = value_parse_environment_file},
	[VALUE_COMMANDS] = {SHAPE_COMMANDS, .parse = value_parse_commands},
	[VALUE_LIMIT] = {SHAPE_LIMIT, .parse = value_parse_limit},
	[VALUE_EXIT_SET] = {SHAPE_EXIT_SET, .parse = value_parse_exit_set},
};

enum value_shape value_shape(enum unit_value_type type)
{
	return types[type].shape;
}

int value_parse_number(enum unit_key key, const char *text, uint64_t *ret_number)
{
	assert(types[unit_keys[key].type].shape == SHAPE_NUMBER);
	return types[unit_keys[key].type].parse_number(key, text, ret_number);
}

int value_render_number(enum unit_value_type type, uint64_t number, struct buf *buf)
{
	const char *word = unit_value_word(type, number);

	assert(types[type].shape == SHAPE_NUMBER);
	return word ? buf_append_string(buf, word) : types[type].render_number(number, buf);
}

/* "is not one of no, on-success, ..." */
static int refuse_number(const struct value_input *in)
{
	enum unit_value_type type = unit_keys[in->key].type;
	const char *const *words = unit_value_words(type);
	_cleanup_(buf_done) struct buf list = {0};

	if (!words)
		return error_set(in->error, EXIT_USAGE, -EINVAL, "is not %s", types[type].expected);
	for (size_t i = 0; words[i]; i++)
		buf_printf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
	if (buf_status(&list) < 0)
		return buf_status(&list);
	return error_set(in->error, EXIT_USAGE, -EINVAL, "is not one of %s", list.data);
}

/* A list of which every word was refused is as good as none. */
static bool has_content(const struct value *value, enum value_shape shape)
{
	switch (shape) {
	case SHAPE_LIST:
		return value->strings.n > 0;
	case SHAPE_COMMANDS:
		return value->commands.n > 0;
	default:
		return true;
	}
}

int value_parse(const struct value_input *in, const char *text, struct value *value)
{
	enum unit_value_type type = unit_keys[in->key].type;
	int r;

	if (*text == '\0') {
		value_reset(value);
		return 0;
	}
	if (types[type].shape == SHAPE_NUMBER) {
		r = value_parse_number(in->key, text, &value->number);
		if (r < 0)
			return refuse_number(in);
	} else {
		r = types[type].parse(in, text, value);
		if (r < 0)
			return r;
	}
	value->is_set = has_content(value, types[type].shape);
	return 0;
}

void value_reset(struct value *value)
{
	strv_done(&value->strings);
	command_list_done(&value->commands);
	*value = (struct value){0};
}

int value_expand(const struct value_input *in, const char *text, char **ret_text)
{
	_cleanup_(buf_done) struct buf buf = {0};
	char unsupported;

	int r = specifier_expand(&buf, in->unit_name, text, &unsupported);
	if (r == 0 && unsupported)
		r = value_warn(in, "hob does not replace the specifier %%%c, it is kept as it is",
			unsupported);
	if (r < 0)
		return r;
	char *taken = buf_take_string(&buf);
	if (!taken)
		return -ENOMEM;
	*ret_text = taken;
	return 0;
}

/* --- what is said about values --- */

static int say(
	const struct value_input *in, enum unit_severity severity, const char *format, va_list ap)
{
	struct error formatted;
	char text[ERROR_TEXT_MAX];

	vsnprintf(text, sizeof(text), format, ap);
	/* Through error_set(), which makes one clean line of it. */
	error_set(&formatted, EXIT_USAGE, -EINVAL, "%s=: %s", unit_keys[in->key].name, text);
	return unit_messages_add(in->messages, severity, in->path, in->line, formatted.text);
}

int value_warn(const struct value_input *in, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	if (!in->messages)
		vsnprintf(text, sizeof(text), format, ap);
	int r = in->messages ? say(in, UNIT_WARNING, format, ap)
			     : error_set(in->error, EXIT_USAGE, -EINVAL, "%s", text);
	va_end(ap);
	return r;
}

int value_note(const struct value_input *in, const char *format, ...)
{
	va_list ap;

	if (!in->messages)
		return 0;
	va_start(ap, format);
	int r = say(in, UNIT_NOTE, format, ap);
	va_end(ap);
	return r;
}
