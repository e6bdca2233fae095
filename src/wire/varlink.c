/*
 * JSON is jansson's; what is here is the frame around it and the checks of shape. A frame is parsed
 * as a whole once its NUL has come, so the bound on its size bounds the memory that a peer can make
 * us take.
 */
#include "wire/varlink.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

void wire_stream_done(struct wire_stream *stream)
{
	buf_done(&stream->in);
	buf_done(&stream->out);
}

int wire_next_frame(struct buf *in, size_t size_max, const char **ret_frame, size_t *ret_size)
{
	const char *end = in->size > 0 ? memchr(in->data, '\0', in->size) : NULL;

	if (!end)
		return in->size > size_max ? -EMSGSIZE : 0;
	if ((size_t)(end - in->data) > size_max)
		return -EMSGSIZE;
	*ret_frame = in->data;
	*ret_size = (size_t)(end - in->data);
	return 1;
}

void wire_consume_frame(struct buf *in, size_t size)
{
	buf_consume(in, size + 1);
}

/* --- reading --- */

/* A JSON object, or NULL with *ret_code and the error set. */
static json_t *load_object(const char *frame, size_t size, int *ret_code, struct error *error)
{
	json_error_t problem;
	json_t *root = json_loadb(frame, size, JSON_REJECT_DUPLICATES, &problem);

	if (root && json_is_object(root))
		return root;
	if (!root && json_error_code(&problem) == json_error_out_of_memory)
		*ret_code = error_set(error, EXIT_JOB_FAILED, -ENOMEM, "out of memory");
	else if (!root)
		*ret_code = error_set(
			error, EXIT_NO_ANSWER, -EBADMSG, "not a Varlink message: %s", problem.text);
	else
		*ret_code = error_set(error, EXIT_NO_ANSWER, -EBADMSG,
			"not a Varlink message: it is no JSON object");
	json_decref(root);
	return NULL;
}

/* The member as a flag: absent and null are false. */
static int get_flag(const json_t *root, const char *name, bool *ret_flag)
{
	const json_t *value = json_object_get(root, name);

	if (value && !json_is_boolean(value) && !json_is_null(value))
		return -EBADMSG;
	*ret_flag = json_is_true(value);
	return 0;
}

/* The "parameters" object, made where it is absent. NULL: it is something else, or no memory. */
static json_t *get_parameters(json_t *root)
{
	json_t *parameters = json_object_get(root, "parameters");

	if (parameters && !json_is_null(parameters))
		return json_is_object(parameters) ? parameters : NULL;
	parameters = json_object();
	if (json_object_set_new(root, "parameters", parameters) < 0)
		return NULL;
	return parameters;
}

int wire_parse_call(const char *frame, size_t size, struct wire_call *ret_call, struct error *error)
{
	int code = -EBADMSG;
	struct wire_call call = {.root = load_object(frame, size, &code, error)};

	if (!call.root)
		return code;
	call.method = json_string_value(json_object_get(call.root, "method"));
	call.parameters = get_parameters(call.root);
	if (!call.method || !call.parameters || get_flag(call.root, "more", &call.more) < 0 ||
		get_flag(call.root, "oneway", &call.oneway) < 0) {
		json_decref(call.root);
		return error_set(error, EXIT_NO_ANSWER, -EBADMSG,
			"not a Varlink call: a member is missing or of the wrong type");
	}
	*ret_call = call;
	return 0;
}

void wire_call_done(struct wire_call *call)
{
	json_decref(call->root);
	*call = (struct wire_call){0};
}

int wire_parse_reply(
	const char *frame, size_t size, struct wire_reply *ret_reply, struct error *error)
{
	int code = -EBADMSG;
	struct wire_reply reply = {.root = load_object(frame, size, &code, error)};

	if (!reply.root)
		return code;
	const json_t *name = json_object_get(reply.root, "error");
	reply.error = json_string_value(name);
	reply.parameters = get_parameters(reply.root);
	if ((name && !reply.error && !json_is_null(name)) || !reply.parameters ||
		get_flag(reply.root, "continues", &reply.continues) < 0) {
		json_decref(reply.root);
		return error_set(error, EXIT_NO_ANSWER, -EBADMSG,
			"not a Varlink reply: a member is of the wrong type");
	}
	*ret_reply = reply;
	return 0;
}

void wire_reply_done(struct wire_reply *reply)
{
	json_decref(reply->root);
	*reply = (struct wire_reply){0};
}

/* --- writing --- */

static int append_piece(const char *data, size_t size, void *out)
{
	return buf_append(out, data, size);
}

/* Takes the reference to frame. A frame that fails half-way is cut off again. */
static int append_frame(struct buf *out, json_t *frame, size_t size_max)
{
	size_t size_before = out->size;
	int r = buf_status(out);

	if (r == 0 && frame && json_dump_callback(frame, append_piece, out, JSON_COMPACT) == 0)
		r = buf_append_char(out, '\0');
	else if (r == 0)
		r = -ENOMEM;
	json_decref(frame);
	if (r == 0 && out->size - size_before - 1 > size_max)
		r = -EMSGSIZE;
	if (r < 0 && out->size > size_before) {
		out->size = size_before;
		out->data[size_before] = '\0';
	}
	return r;
}

/* A frame {NAME: text, "parameters": ...}; NULL: no memory. Takes the reference to parameters. */
static json_t *frame_new(const char *name, const char *text, json_t *parameters)
{
	json_t *frame = parameters ? json_object() : NULL;

	if (!frame) {
		json_decref(parameters);
		return NULL;
	}
	if (name && json_object_set_new(frame, name, json_string(text)) < 0) {
		json_decref(parameters);
		json_decref(frame);
		return NULL;
	}
	if (json_object_set_new(frame, "parameters", parameters) < 0) {
		json_decref(frame);
		return NULL;
	}
	return frame;
}

/* Adds NAME: true where the flag is set; NULL in, or no memory, gives NULL. */
static json_t *frame_flag(json_t *frame, const char *name, bool flag)
{
	if (!frame || !flag || json_object_set_new(frame, name, json_true()) == 0)
		return frame;
	json_decref(frame);
	return NULL;
}

int wire_append_call(
	struct buf *out, const char *method, json_t *parameters, bool more, bool oneway)
{
	json_t *frame = frame_new("method", method, parameters);

	frame = frame_flag(frame, "more", more);
	frame = frame_flag(frame, "oneway", oneway);
	return append_frame(out, frame, WIRE_CALL_MAX);
}

int wire_append_reply(struct buf *out, json_t *parameters, bool continues)
{
	json_t *frame = frame_new(NULL, NULL, parameters);

	return append_frame(out, frame_flag(frame, "continues", continues), WIRE_REPLY_MAX);
}

int wire_append_error(struct buf *out, const char *error, json_t *parameters)
{
	return append_frame(out, frame_new("error", error, parameters), WIRE_REPLY_MAX);
}

/* --- parameters --- */

/* 1: *ret_value is the member; 0: it is absent and may be; -EINVAL: it is absent and may not. */
static int get_parameter(
	const json_t *parameters, const char *name, bool required, json_t **ret_value)
{
	json_t *value = json_object_get(parameters, name);

	if (!value || json_is_null(value))
		return required ? -EINVAL : 0;
	*ret_value = value;
	return 1;
}

int wire_get_string(
	const json_t *parameters, const char *name, bool required, const char **ret_value)
{
	json_t *value;
	int r = get_parameter(parameters, name, required, &value);

	if (r <= 0)
		return r;
	if (!json_is_string(value))
		return -EINVAL;
	*ret_value = json_string_value(value);
	return 0;
}

int wire_get_bool(const json_t *parameters, const char *name, bool required, bool *ret_value)
{
	json_t *value;
	int r = get_parameter(parameters, name, required, &value);

	if (r <= 0)
		return r;
	if (!json_is_boolean(value))
		return -EINVAL;
	*ret_value = json_is_true(value);
	return 0;
}

int wire_get_int(const json_t *parameters, const char *name, bool required, int64_t min,
	int64_t max, int64_t *ret_value)
{
	json_t *value;
	int r = get_parameter(parameters, name, required, &value);

	if (r <= 0)
		return r;
	if (!json_is_integer(value))
		return -EINVAL;
	int64_t number = json_integer_value(value);
	if (number < min || number > max)
		return -EINVAL;
	*ret_value = number;
	return 0;
}
