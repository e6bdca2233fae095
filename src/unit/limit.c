/*
 * Limit*= (setrlimit(2)). Resources are numbered here, not by a system header: the numbers are the
 * kernel's interface on all architectures that hob is built for, and a test compares them.
 */
#include "unit/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/number.h"
#include "base/span.h"

#define LIMIT_INFINITY UINT64_MAX
#define NICE_MIN (-20)
#define NICE_MAX 19

enum limit_unit { LIMIT_COUNT, LIMIT_BYTES, LIMIT_SECONDS, LIMIT_MICROSECONDS, LIMIT_NICE };

static const struct {
	enum unit_key key;
	int resource;
	enum limit_unit unit;
} resources[] = {
	{UNIT_LIMIT_CPU, 0, LIMIT_SECONDS},
	{UNIT_LIMIT_FSIZE, 1, LIMIT_BYTES},
	{UNIT_LIMIT_DATA, 2, LIMIT_BYTES},
	{UNIT_LIMIT_STACK, 3, LIMIT_BYTES},
	{UNIT_LIMIT_CORE, 4, LIMIT_BYTES},
	{UNIT_LIMIT_RSS, 5, LIMIT_BYTES},
	{UNIT_LIMIT_NPROC, 6, LIMIT_COUNT},
	{UNIT_LIMIT_NOFILE, 7, LIMIT_COUNT},
	{UNIT_LIMIT_MEMLOCK, 8, LIMIT_BYTES},
	{UNIT_LIMIT_AS, 9, LIMIT_BYTES},
	{UNIT_LIMIT_SIGPENDING, 11, LIMIT_COUNT},
	{UNIT_LIMIT_MSGQUEUE, 12, LIMIT_BYTES},
	{UNIT_LIMIT_NICE, 13, LIMIT_NICE},
	{UNIT_LIMIT_RTPRIO, 14, LIMIT_COUNT},
	{UNIT_LIMIT_RTTIME, 15, LIMIT_MICROSECONDS},
};

/* A signed number is a nice value n, as 20 - n; an unsigned one is the kernel's 0..40. */
static int parse_nice(const char *text, uint64_t *ret_value)
{
	int64_t nice;

	if (*text != '+' && *text != '-')
		return number_parse_u64(text, 20 - NICE_MIN, ret_value);
	int r = number_parse_i64(text, NICE_MIN, NICE_MAX, &nice);
	if (r < 0)
		return r;
	*ret_value = (uint64_t)(20 - nice);
	return 0;
}

static int parse_seconds(const char *text, uint64_t *ret_value)
{
	uint64_t us;

	int r = span_parse(text, USEC_PER_SEC, &us);
	if (r < 0)
		return r;
	*ret_value =
		us == SPAN_INFINITY ? LIMIT_INFINITY : us / USEC_PER_SEC + (us % USEC_PER_SEC != 0);
	return 0;
}

static int parse_one(enum limit_unit unit, const char *text, uint64_t *ret_value)
{
	if (strcmp(text, "infinity") == 0) {
		*ret_value = LIMIT_INFINITY;
		return 0;
	}
	switch (unit) {
	case LIMIT_COUNT:
		return number_parse_u64(text, LIMIT_INFINITY - 1, ret_value);
	case LIMIT_BYTES:
		return size_parse(text, ret_value);
	case LIMIT_SECONDS:
		return parse_seconds(text, ret_value);
	case LIMIT_MICROSECONDS:
		return span_parse(text, 1, ret_value);
	case LIMIT_NICE:
		return parse_nice(text, ret_value);
	}
	return -EINVAL;
}

/* "soft:hard", or one for both. -EILSEQ: the soft one is larger. */
static int parse_pair(
	enum limit_unit unit, const char *text, uint64_t *ret_soft, uint64_t *ret_hard)
{
	_cleanup_(freep) char *soft = NULL;
	const char *colon = strchr(text, ':');

	if (!colon) {
		int r = parse_one(unit, text, ret_soft);
		if (r == 0)
			*ret_hard = *ret_soft;
		return r;
	}
	soft = strndup(text, (size_t)(colon - text));
	if (!soft)
		return -ENOMEM;
	int r = parse_one(unit, soft, ret_soft);
	if (r == 0)
		r = parse_one(unit, colon + 1, ret_hard);
	if (r == 0 && *ret_soft > *ret_hard)
		r = -EILSEQ;
	return r;
}

int value_parse_limit(const struct value_input *in, const char *text, struct value *value)
{
	uint64_t soft, hard;
	size_t i = 0;

	while (i < ARRAY_SIZE(resources) - 1 && resources[i].key != in->key)
		i++;
	int r = parse_pair(resources[i].unit, text, &soft, &hard);
	if (r == -ENOMEM)
		return r;
	if (r == -EILSEQ)
		return error_set(
			in->error, EXIT_USAGE, -EINVAL, "has a soft limit above its hard limit");
	if (r < 0)
		return error_set(in->error, EXIT_USAGE, -EINVAL,
			"is not a limit (as in 1024, 512:1024, infinity)");
	value->limit = (struct unit_limit){resources[i].resource, soft, hard};
	return 0;
}

static void render_limit_number(uint64_t number, struct buf *buf)
{
	if (number == LIMIT_INFINITY)
		buf_append_string(buf, "infinity");
	else
		buf_printf(buf, "%llu", (unsigned long long)number);
}

int value_render_limit(const struct unit_limit *limit, struct buf *buf)
{
	render_limit_number(limit->soft, buf);
	if (limit->soft != limit->hard) {
		buf_append_char(buf, ':');
		render_limit_number(limit->hard, buf);
	}
	return buf_status(buf);
}
