/*
 * The methods of hob.Supervisor: one function and one row each. Those that ask for a change become
 * a request to the engine, whose EFFECT_REPLY answers the call; the others are answered from what
 * the engine knows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "supervisor/control.h"
#include "supervisor/dying.h"
#include "supervisor/logger.h"
#include "supervisor/pins.h"
#include "supervisor/render.h"
#include "wire/interface.h"
#include "wire/varlink.h"

#define SETTLE_MAX_US INT64_C(86400000000) /* a day */
#define SIGNAL_MAX 64

typedef void (*method_function)(struct driver *driver, struct call *call, json_t *parameters);

/* --- refusals --- */

static void refuse_parameter(struct driver *driver, struct call *call, const char *name)
{
	call_refuse(driver, call, WIRE_INVALID_PARAMETER, json_pack("{s:s}", "parameter", name));
}

static void refuse_unit(
	struct driver *driver, struct call *call, const char *unit, const struct error *error)
{
	if (error->code == -ENOENT)
		call_refuse(driver, call, WIRE_NO_SUCH_UNIT,
			json_pack("{s:s, s:s}", "unit", unit, "text", error->text));
	else if (error->code == -ENOMEM)
		call_refuse(driver, call, WIRE_FAILED, json_pack("{s:s}", "text", "out of memory"));
	else
		call_refuse(
			driver, call, WIRE_INVALID_UNIT, json_pack("{s:s}", "text", error->text));
}

/* --- requests --- */

/* Nobody waits for it, and it must not take the place of somebody who asks the same and does. */
static void submit_oneway(struct driver *driver, struct call *call, const struct request *request)
{
	struct event event = {.type = EVENT_REQUEST, .request = *request};

	driver_feed(driver, &event);
	call_answer(driver, call, NULL);
}

/* Gives the request to the engine; where it is not answered at once, says how things stand. */
static void submit(struct driver *driver, struct call *call, struct request *request)
{
	struct event event = {.type = EVENT_REQUEST};

	if (call->oneway) {
		submit_oneway(driver, call, request);
		return;
	}
	uint64_t number = call_number(driver, call);
	if (number == 0) {
		call_refuse(driver, call, WIRE_FAILED, json_pack("{s:s}", "text", "out of memory"));
		return;
	}
	request->client = number;
	call->verb = request->verb;
	event.request = *request;
	driver_feed(driver, &event);
	call = call_find(driver, number);
	if (!call || call->done)
		return;
	struct service *service =
		request->unit_name ? engine_find(driver->engine, request->unit_name) : NULL;
	json_t *progress = service ? render_service(driver, service, false) : json_null();
	call_continue(driver, call, json_pack("{s:o}", "progress", progress));
}

/* The members that all requests share. false: it was refused. */
static bool take_request(struct driver *driver, struct call *call, json_t *parameters,
	enum verb verb, struct request *ret_request)
{
	const char *id = NULL;
	_cleanup_(freep) char *canonical = NULL;

	*ret_request = (struct request){.verb = verb};
	if (wire_get_string(parameters, "request", true, &id) < 0 ||
		id128_parse(id, &ret_request->id) < 0) {
		refuse_parameter(driver, call, "request");
		return false;
	}
	if (verb == VERB_SHUTDOWN)
		return true;
	if (wire_get_string(parameters, "unit", true, &ret_request->unit_name) < 0) {
		refuse_parameter(driver, call, "unit");
		return false;
	}
	struct error error = {0};
	if (unit_name_from_typed(ret_request->unit_name, &canonical, &error) < 0 ||
		strcmp(canonical, ret_request->unit_name) != 0) {
		refuse_parameter(driver, call, "unit");
		return false;
	}
	return true;
}

static bool take_settle(
	struct driver *driver, struct call *call, json_t *parameters, struct request *request)
{
	int64_t settle_us = 0;

	if (wire_get_int(parameters, "settle_usec", false, 0, SETTLE_MAX_US, &settle_us) < 0) {
		refuse_parameter(driver, call, "settle_usec");
		return false;
	}
	request->settle_us = (uint64_t)settle_us;
	return true;
}

/* The environment as text: a string, or base64 where it holds bytes that are no UTF-8. */
static int take_environment(json_t *parameters, struct buf *ret_text)
{
	const char *text = NULL, *base64 = NULL;

	if (wire_get_string(parameters, "environment", false, &text) < 0 ||
		wire_get_string(parameters, "environment_base64", false, &base64) < 0)
		return -EINVAL;
	if (base64)
		return wire_base64_decode(base64, ret_text);
	return text ? buf_append_string(ret_text, text) : 0;
}

static void method_run(struct driver *driver, struct call *call, json_t *parameters)
{
	_cleanup_(buf_done) struct buf environment = {0};
	struct request request;
	struct error error = {0};
	const char *text = NULL;

	if (!take_request(driver, call, parameters, VERB_START, &request) ||
		!take_settle(driver, call, parameters, &request))
		return;
	if (wire_get_string(parameters, "text", true, &text) < 0) {
		refuse_parameter(driver, call, "text");
		return;
	}
	if (wire_get_bool(parameters, "replace", false, &request.replace) < 0) {
		refuse_parameter(driver, call, "replace");
		return;
	}
	if (take_environment(parameters, &environment) < 0) {
		refuse_parameter(driver, call, "environment");
		return;
	}
	int r = pins_parse(driver, request.unit_name, request.unit_name, text, strlen(text),
		environment.size > 0 ? environment.data : NULL, true, &request.unit, &error);
	if (r < 0) {
		refuse_unit(driver, call, request.unit_name, &error);
		return;
	}
	request.transient = true;
	submit(driver, call, &request);
	unit_unref(request.unit);
	pins_sweep(driver);
}

static void job(struct driver *driver, struct call *call, json_t *parameters, enum verb verb)
{
	struct request request;

	if (take_request(driver, call, parameters, verb, &request) &&
		take_settle(driver, call, parameters, &request))
		submit(driver, call, &request);
}

static void method_start(struct driver *driver, struct call *call, json_t *parameters)
{
	job(driver, call, parameters, VERB_START);
}

static void method_stop(struct driver *driver, struct call *call, json_t *parameters)
{
	job(driver, call, parameters, VERB_STOP);
}

static void method_restart(struct driver *driver, struct call *call, json_t *parameters)
{
	job(driver, call, parameters, VERB_RESTART);
}

static void method_reload(struct driver *driver, struct call *call, json_t *parameters)
{
	job(driver, call, parameters, VERB_RELOAD);
}

static void method_wait(struct driver *driver, struct call *call, json_t *parameters)
{
	job(driver, call, parameters, VERB_WAIT);
}

static void method_kill(struct driver *driver, struct call *call, json_t *parameters)
{
	struct request request;
	int64_t signo = 0;

	if (!take_request(driver, call, parameters, VERB_KILL, &request))
		return;
	if (wire_get_int(parameters, "signal", false, 0, SIGNAL_MAX, &signo) < 0) {
		refuse_parameter(driver, call, "signal");
		return;
	}
	if (wire_get_bool(parameters, "whole_tree", false, &request.whole_tree) < 0) {
		refuse_parameter(driver, call, "whole_tree");
		return;
	}
	request.signo = (int)signo;
	submit(driver, call, &request);
}

static void method_forget(struct driver *driver, struct call *call, json_t *parameters)
{
	struct request request;

	if (!take_request(driver, call, parameters, VERB_FORGET, &request))
		return;
	if (wire_get_bool(parameters, "logs", false, &request.remove_logs) < 0)
		refuse_parameter(driver, call, "logs");
	else
		submit(driver, call, &request);
}

static void method_shutdown(struct driver *driver, struct call *call, json_t *parameters)
{
	struct request request;

	if (!take_request(driver, call, parameters, VERB_SHUTDOWN, &request))
		return;
	if (wire_get_bool(parameters, "leave", false, &request.leave) < 0) {
		refuse_parameter(driver, call, "leave");
		return;
	}
	/* Before anything is done or said: a successor goes on with it. */
	store_set_word(driver->store, STORE_SHUTDOWN, request.leave ? 2 : 1);
	submit(driver, call, &request);
}

/* --- questions --- */

/* The service of parameter `unit`, or NULL: then the call was refused. */
static struct service *take_service(struct driver *driver, struct call *call, json_t *parameters)
{
	const char *unit = NULL;

	if (wire_get_string(parameters, "unit", true, &unit) < 0) {
		refuse_parameter(driver, call, "unit");
		return NULL;
	}
	struct service *service = engine_find(driver->engine, unit);
	if (!service) {
		struct error error;
		error_set(&error, EXIT_NO_SUCH_UNIT, -ENOENT, "there is no unit %s", unit);
		refuse_unit(driver, call, unit, &error);
	}
	return service;
}

static void method_get_instance(struct driver *driver, struct call *call, json_t *parameters)
{
	call_answer(driver, call, json_pack("{s:o}", "instance", render_instance(driver)));
}

static void answer_service(struct driver *driver, struct call *call, struct service *service)
{
	trees_refresh(driver->trees);
	call_answer(driver, call,
		json_pack("{s:o, s:o, s:o}", "service", render_service(driver, service, true),
			"run", render_run(&service->run), "history", render_history(service)));
}

static void method_get_service(struct driver *driver, struct call *call, json_t *parameters)
{
	struct service *service = take_service(driver, call, parameters);

	if (service)
		dying_wait(driver, call, service, answer_service);
}

static void method_list(struct driver *driver, struct call *call, json_t *parameters)
{
	bool details = true;
	json_t *services = json_array();

	if (wire_get_bool(parameters, "details", false, &details) < 0) {
		json_decref(services);
		refuse_parameter(driver, call, "details");
		return;
	}
	trees_refresh(driver->trees);
	for (struct service *s = engine_next(driver->engine, NULL); services && s;
		s = engine_next(driver->engine, s)) {
		if (json_array_append_new(services,
			    details ? render_service(driver, s, true) : render_brief(s)) < 0) {
			json_decref(services);
			services = NULL;
		}
	}
	call_answer(driver, call, json_pack("{s:o}", "services", services));
}

static void method_show(struct driver *driver, struct call *call, json_t *parameters)
{
	struct service *service = take_service(driver, call, parameters);
	_cleanup_(buf_done) struct buf text = {0};
	const char *name = NULL;

	if (!service)
		return;
	enum unit_key key = N_UNIT_KEYS;
	if (wire_get_string(parameters, "key", false, &name) == 0 && name)
		key = unit_key_find(NULL, name);
	if (name && key == N_UNIT_KEYS) {
		refuse_parameter(driver, call, "key");
		return;
	}
	int r = name ? unit_render_key(service->unit, key, &text)
		     : unit_render(service->unit, &text);
	json_t *string = r == 0 ? json_string(text.data ? text.data : "") : NULL;
	if (string)
		call_answer(driver, call, json_pack("{s:o}", "text", string));
	else
		call_refuse(driver, call, WIRE_FAILED,
			json_pack("{s:s}", "text", "the unit cannot be shown as UTF-8 text"));
}

static void method_cat(struct driver *driver, struct call *call, json_t *parameters)
{
	struct service *service = take_service(driver, call, parameters);
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *text = NULL;

	if (!service)
		return;
	int r = pins_read(driver, service, &path, &text);
	if (r < 0)
		call_refuse(driver, call, WIRE_FAILED,
			json_pack("{s:s, s:i}", "text", "its text cannot be read", "errno", -r));
	else
		call_answer(driver, call, json_pack("{s:s, s:s}", "path", path, "text", text));
}

static void flushed(struct driver *driver, void *data)
{
	call_answer(driver, data, json_object());
}

static void method_flush(struct driver *driver, struct call *call, json_t *parameters)
{
	const char *unit = NULL;

	if (wire_get_string(parameters, "unit", false, &unit) < 0)
		refuse_parameter(driver, call, "unit");
	else if (logger_flush(driver, unit ? log_name(unit) : "", flushed, call) < 0)
		call_refuse(driver, call, WIRE_FAILED, json_pack("{s:s}", "text", "out of memory"));
}

/* --- introspection --- */

static void method_get_info(struct driver *driver, struct call *call, json_t *parameters)
{
	json_t *interfaces = json_array();

	for (const char *const *name = wire_interfaces; *name; name++)
		json_array_append_new(interfaces, json_string(*name));
	call_answer(driver, call,
		json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", "hob", "product", "hob", "version",
			HOB_VERSION, "url", "", "interfaces", interfaces));
}

static void method_get_description(struct driver *driver, struct call *call, json_t *parameters)
{
	const char *name = NULL;

	if (wire_get_string(parameters, "interface", true, &name) < 0) {
		refuse_parameter(driver, call, "interface");
		return;
	}
	const char *description = wire_interface_description(name);
	if (!description)
		call_refuse(driver, call, WIRE_INTERFACE_NOT_FOUND,
			json_pack("{s:s}", "interface", name));
	else
		call_answer(driver, call, json_pack("{s:s}", "description", description));
}

/* --- the table --- */

static const struct {
	const char *name;
	method_function function;
} methods[] = {
	{WIRE_RUN, method_run},
	{WIRE_START, method_start},
	{WIRE_STOP, method_stop},
	{WIRE_RESTART, method_restart},
	{WIRE_RELOAD, method_reload},
	{WIRE_KILL, method_kill},
	{WIRE_WAIT, method_wait},
	{WIRE_FORGET, method_forget},
	{WIRE_SHUTDOWN, method_shutdown},
	{WIRE_GET_INSTANCE, method_get_instance},
	{WIRE_GET_SERVICE, method_get_service},
	{WIRE_LIST, method_list},
	{WIRE_SHOW, method_show},
	{WIRE_CAT, method_cat},
	{WIRE_FLUSH, method_flush},
	{WIRE_GET_INFO, method_get_info},
	{WIRE_GET_DESCRIPTION, method_get_description},
};

void method_call(struct driver *driver, struct call *call, const struct wire_call *wire)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (strcmp(methods[i].name, wire->method) == 0) {
			methods[i].function(driver, call, wire->parameters);
			return;
		}
	}
	call_refuse(
		driver, call, WIRE_METHOD_NOT_FOUND, json_pack("{s:s}", "method", wire->method));
}
