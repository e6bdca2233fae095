/*
 * Varlink (https://varlink.org/Method-Call): JSON objects, each ended by a NUL byte. Pure: it works
 * on bytes in buffers; who has the socket reads into `in` and writes from `out`.
 *
 * A call has {method, parameters, more, oneway}; a reply {parameters, continues} or {error,
 * parameters}. Only what was asked for with "more" is answered by replies that continue.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

#define WIRE_CALL_MAX (1024 * 1024)	  /* bytes of a call's frame, its NUL not counted */
#define WIRE_REPLY_MAX (64 * 1024 * 1024) /* bytes of a reply's: a list of 16,384 services fits */

/* One end of a connection. Zero-initialised is empty and valid. */
struct wire_stream {
	struct buf in, out;
};

void wire_stream_done(struct wire_stream *stream);

/*
 * Looks for the first frame in `in`. 1: it is there, *ret_frame points to its bytes (in `in`, valid
 * until that changes; a NUL stands behind them), *ret_size is without the NUL. 0: more bytes are
 * needed. -EMSGSIZE: it is, or will be, longer than size_max: close the connection.
 */
int wire_next_frame(struct buf *in, size_t size_max, const char **ret_frame, size_t *ret_size);
/* Removes a frame of that size and its NUL. What was parsed from it stays valid. */
void wire_consume_frame(struct buf *in, size_t size);

/* A call that was received. Strings and parameters belong to it. */
struct wire_call {
	const char *method; /* "hob.Supervisor.Start" */
	json_t *parameters; /* an object, never NULL (borrowed: json_incref to keep) */
	bool more, oneway;
	json_t *root;
};

/*
 * 0, or -EBADMSG: not a call (error says why; nothing to be done but to close the connection), or
 * -ENOMEM. size_max was the caller's duty.
 */
int wire_parse_call(
	const char *frame, size_t size, struct wire_call *ret_call, struct error *error);
void wire_call_done(struct wire_call *call);

/* A reply that was received. */
struct wire_reply {
	const char *error;  /* full name of the error, NULL: it is none */
	json_t *parameters; /* an object, never NULL */
	bool continues;
	json_t *root;
};

/* As wire_parse_call(). */
int wire_parse_reply(
	const char *frame, size_t size, struct wire_reply *ret_reply, struct error *error);
void wire_reply_done(struct wire_reply *reply);

/*
 * Append one frame. All take the reference to parameters, also on failure; NULL stands for a
 * failed json_pack() and gives -ENOMEM (json_object() is the empty one). 0, -ENOMEM, or -EMSGSIZE
 * (over WIRE_CALL_MAX, WIRE_REPLY_MAX); nothing was appended then.
 */
int wire_append_call(
	struct buf *out, const char *method, json_t *parameters, bool more, bool oneway);
int wire_append_reply(struct buf *out, json_t *parameters, bool continues);
int wire_append_error(struct buf *out, const char *error, json_t *parameters);

/*
 * Reads one parameter. 0: *ret_value is set (strings borrowed from parameters), or it is absent or
 * null and `required` is not: then the value is left alone. -EINVAL: it is absent or of another
 * type: answer org.varlink.service.InvalidParameter(name).
 */
int wire_get_string(
	const json_t *parameters, const char *name, bool required, const char **ret_value);
int wire_get_bool(const json_t *parameters, const char *name, bool required, bool *ret_value);
int wire_get_int(const json_t *parameters, const char *name, bool required, int64_t min,
	int64_t max, int64_t *ret_value);

/* Bytes that may not be UTF-8 travel as base64 (RFC 4648). Decoding: 0, -EINVAL, -ENOMEM. */
int wire_base64_append(struct buf *out, const void *data, size_t size);
int wire_base64_decode(const char *text, struct buf *ret_bytes);
