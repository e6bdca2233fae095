/* Frames, calls and replies, as bytes. */
#include "wire/varlink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "wire/interface.h"

static void frames_are_found_one_by_one(void **state)
{
	_cleanup_(buf_done) struct buf in = {0};
	const char *frame;
	size_t size;

	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), 0);
	buf_append(&in, "ab", 2);
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), 0);
	buf_append(&in, "c\0\0def\0g", 8);
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), 1);
	assert_int_equal(size, 3);
	assert_string_equal(frame, "abc");
	wire_consume_frame(&in, size);
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), 1);
	assert_int_equal(size, 0);
	wire_consume_frame(&in, size);
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), 1);
	assert_string_equal(frame, "def");
	wire_consume_frame(&in, size);
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), 0);
	assert_int_equal(in.size, 1);
}

static void long_frames_are_refused(void **state)
{
	_cleanup_(buf_done) struct buf in = {0};
	const char *frame;
	size_t size;

	buf_append_string(&in, "0123456789");
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), 0);
	buf_append_char(&in, 'x');
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), -EMSGSIZE);
	buf_append_char(&in, '\0');
	assert_int_equal(wire_next_frame(&in, 10, &frame, &size), -EMSGSIZE);
	assert_int_equal(wire_next_frame(&in, 11, &frame, &size), 1);
}

static int parse_call(const char *text, struct wire_call *call)
{
	struct error error = {0};
	int r = wire_parse_call(text, strlen(text), call, &error);

	if (r < 0)
		assert_true(error.text[0] != '\0');
	return r;
}

static void calls_are_parsed(void **state)
{
	struct wire_call call;
	const char *unit = NULL;

	assert_int_equal(
		parse_call("{\"method\":\"a.B\",\"parameters\":{\"unit\":\"x\"},\"more\":true}",
			&call),
		0);
	assert_string_equal(call.method, "a.B");
	assert_true(call.more);
	assert_false(call.oneway);
	assert_int_equal(wire_get_string(call.parameters, "unit", true, &unit), 0);
	assert_string_equal(unit, "x");
	wire_call_done(&call);

	assert_int_equal(
		parse_call("{\"method\":\"a.B\",\"parameters\":null,\"oneway\":true}", &call), 0);
	assert_true(json_is_object(call.parameters));
	assert_true(call.oneway);
	wire_call_done(&call);
}

static void what_is_no_call_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"{",
		"[]",
		"1",
		"\"a\"",
		"{}",
		"{\"method\":1}",
		"{\"method\":null}",
		"{\"method\":\"a\",\"parameters\":[]}",
		"{\"method\":\"a\",\"parameters\":\"x\"}",
		"{\"method\":\"a\",\"more\":1}",
		"{\"method\":\"a\",\"oneway\":\"yes\"}",
		"{\"method\":\"a\"} x",
		"{\"method\":\"a\",\"method\":\"b\"}",
		"{\"method\":\"\xff\"}",
	};
	struct wire_call call;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_call(bad[i], &call), -EBADMSG);
	/* Deeper than any call of ours: refused, not a stack overflow. */
	char *deep = malloc(200001);
	memset(deep, '[', 200000);
	deep[200000] = '\0';
	assert_int_equal(parse_call(deep, &call), -EBADMSG);
	free(deep);
}

/* What one side appends, the other parses. */
static void replies_come_back(void **state)
{
	_cleanup_(buf_done) struct buf bytes = {0};
	struct wire_reply reply;
	const char *frame, *text = NULL;
	size_t size;

	assert_int_equal(wire_append_reply(&bytes, json_pack("{s:i}", "n", 1), true), 0);
	assert_int_equal(wire_append_reply(&bytes, json_object(), false), 0);
	assert_int_equal(
		wire_append_error(&bytes, WIRE_NO_SUCH_UNIT, json_pack("{s:s}", "text", "no")), 0);

	assert_int_equal(wire_next_frame(&bytes, 1000, &frame, &size), 1);
	assert_int_equal(wire_parse_reply(frame, size, &reply, NULL), 0);
	assert_true(reply.continues);
	assert_null(reply.error);
	assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 1);
	wire_reply_done(&reply);
	wire_consume_frame(&bytes, size);

	assert_int_equal(wire_next_frame(&bytes, 1000, &frame, &size), 1);
	assert_int_equal(wire_parse_reply(frame, size, &reply, NULL), 0);
	assert_false(reply.continues);
	wire_reply_done(&reply);
	wire_consume_frame(&bytes, size);

	assert_int_equal(wire_next_frame(&bytes, 1000, &frame, &size), 1);
	assert_int_equal(wire_parse_reply(frame, size, &reply, NULL), 0);
	assert_string_equal(reply.error, "hob.Supervisor.NoSuchUnit");
	assert_int_equal(wire_get_string(reply.parameters, "text", true, &text), 0);
	assert_string_equal(text, "no");
	wire_reply_done(&reply);
	wire_consume_frame(&bytes, size);
	assert_int_equal(bytes.size, 0);
}

static void calls_come_back(void **state)
{
	_cleanup_(buf_done) struct buf bytes = {0};
	struct wire_call call;
	const char *frame;
	size_t size;

	assert_int_equal(wire_append_call(&bytes, WIRE_STOP,
				 json_pack("{s:s}", "unit", "a.service"), true, false),
		0);
	assert_int_equal(wire_next_frame(&bytes, WIRE_CALL_MAX, &frame, &size), 1);
	assert_int_equal(wire_parse_call(frame, size, &call, NULL), 0);
	assert_string_equal(call.method, "hob.Supervisor.Stop");
	assert_true(call.more);
	wire_call_done(&call);
}

static void failed_appends_leave_nothing(void **state)
{
	_cleanup_(buf_done) struct buf bytes = {0};
	_cleanup_(freep) char *big = malloc(WIRE_CALL_MAX + 1);

	memset(big, 'x', WIRE_CALL_MAX);
	big[WIRE_CALL_MAX] = '\0';
	buf_append(&bytes, "before", 6);
	assert_int_equal(wire_append_call(&bytes, "m", json_pack("{s:s}", "t", big), false, false),
		-EMSGSIZE);
	assert_int_equal(bytes.size, 6);
	assert_int_equal(wire_append_reply(&bytes, NULL, false), -ENOMEM);
	assert_int_equal(wire_append_error(&bytes, "e", NULL), -ENOMEM);
	assert_int_equal(bytes.size, 6);
	assert_string_equal(bytes.data, "before");
}

static void parameters_have_types(void **state)
{
	json_t *parameters = json_pack("{s:s, s:b, s:i, s:n}", "s", "text", "b", 1, "i", 5, "n");
	const char *text = "kept";
	bool flag = false;
	int64_t number = 7;

	assert_int_equal(wire_get_string(parameters, "missing", true, &text), -EINVAL);
	assert_int_equal(wire_get_string(parameters, "missing", false, &text), 0);
	assert_int_equal(wire_get_string(parameters, "n", false, &text), 0);
	assert_int_equal(wire_get_string(parameters, "n", true, &text), -EINVAL);
	assert_int_equal(wire_get_string(parameters, "i", false, &text), -EINVAL);
	assert_string_equal(text, "kept");
	assert_int_equal(wire_get_bool(parameters, "i", false, &flag), -EINVAL);
	assert_int_equal(wire_get_bool(parameters, "b", true, &flag), 0);
	assert_true(flag);
	assert_int_equal(wire_get_int(parameters, "i", true, 6, 9, &number), -EINVAL);
	assert_int_equal(wire_get_int(parameters, "i", true, 0, 4, &number), -EINVAL);
	assert_int_equal(wire_get_int(parameters, "s", true, 0, 4, &number), -EINVAL);
	assert_int_equal(number, 7);
	assert_int_equal(wire_get_int(parameters, "i", true, 5, 5, &number), 0);
	assert_int_equal(number, 5);
	json_decref(parameters);
}

static void base64_comes_back(void **state)
{
	static const char *const vectors[][2] = {
		/* RFC 4648, section 10 */
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xff\xfe\xfd", "//79"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		_cleanup_(buf_done) struct buf text = {0}, bytes = {0};
		assert_int_equal(
			wire_base64_append(&text, vectors[i][0], strlen(vectors[i][0])), 0);
		assert_string_equal(text.data ? text.data : "", vectors[i][1]);
		assert_int_equal(wire_base64_decode(vectors[i][1], &bytes), 0);
		assert_string_equal(bytes.data ? bytes.data : "", vectors[i][0]);
	}
	static const char *const bad[] = {
		"a", "ab", "abc", "=abc", "ab=c", "a===", "Zg==Zg==", "Zm9 ", "Zm9\n"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(buf_done) struct buf bytes = {0};
		assert_int_equal(wire_base64_decode(bad[i], &bytes), -EINVAL);
	}
}

static void interfaces_describe_themselves(void **state)
{
	for (const char *const *name = wire_interfaces; *name; name++) {
		const char *text = wire_interface_description(*name);
		char line[100];
		assert_non_null(text);
		snprintf(line, sizeof(line), "\ninterface %s\n", *name);
		assert_non_null(strstr(text, line));
	}
	assert_null(wire_interface_description("nobody.knows"));
	/* Every method and error of the constants is described. */
	static const char *const members[] = {
		"method Run(",
		"method Start(",
		"method Stop(",
		"method Restart(",
		"method Reload(",
		"method Kill(",
		"method Wait(",
		"method Forget(",
		"method Shutdown(",
		"method GetInstance(",
		"method GetService(",
		"method List(",
		"method Show(",
		"method Cat(",
		"method Flush(",
		"error NoSuchUnit ",
		"error InvalidUnit ",
		"error NotPermitted ",
		"error ShuttingDown ",
		"error Failed ",
	};
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		assert_non_null(strstr(wire_interface_description(WIRE_INTERFACE), members[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_found_one_by_one),
		cmocka_unit_test(long_frames_are_refused),
		cmocka_unit_test(calls_are_parsed),
		cmocka_unit_test(what_is_no_call_is_refused),
		cmocka_unit_test(replies_come_back),
		cmocka_unit_test(calls_come_back),
		cmocka_unit_test(failed_appends_leave_nothing),
		cmocka_unit_test(parameters_have_types),
		cmocka_unit_test(base64_comes_back),
		cmocka_unit_test(interfaces_describe_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
