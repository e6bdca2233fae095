/* hob show: the settings that are in force, KEY=VALUE a line; with -o json one object. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/unitfile.h"
#include "cli/verb.h"
#include "unit/unit.h"

/* Adds KEY: value; a key that stands there already becomes a list. */
static int add_value(json_t *object, const char *key, json_t *value)
{
	json_t *before = json_object_get(object, key);

	if (!before)
		return json_object_set_new(object, key, value);
	if (json_is_array(before))
		return json_array_append_new(before, value);
	json_t *list = json_pack("[O, o]", before, value);
	return list ? json_object_set_new(object, key, list) : -1;
}

/* The lines of text into object. */
static int add_lines(json_t *object, const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t size = strcspn(line, "\n"), key_size = strcspn(line, "=\n");
		_cleanup_(freep) char *key = strndup(line, key_size);
		if (key_size == size)
			continue;
		if (!key || add_value(object, key,
				    json_stringn(line + key_size + 1, size - key_size - 1)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void print_lines(const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		_cleanup_(buf_done) struct buf harmless = {0};
		if (text_append_harmless(&harmless, line, strcspn(line, "\n")) == 0)
			printf("%s\n", harmless.data ? harmless.data : "");
	}
}

/* The settings of a file that is not loaded. 0, -ENOENT, or another negative errno with the error
 * set. */
static int render_file(struct cli *cli, const char *unit_name, const char *key,
	struct buf *ret_text, struct error *error)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *text = NULL;
	_cleanup_(unit_builder_freep) struct unit_builder *builder = NULL;
	_cleanup_(unit_messages_done) struct unit_messages messages = {0};
	_cleanup_(unit_unrefp) struct unit *unit = NULL;

	if (unitfile_find(&cli->place, unit_name, &path) < 0)
		return -ENOENT;
	int r = unitfile_read(path, &text);
	if (r < 0)
		return error_set(error, EXIT_JOB_FAILED, r, "%s: %s", path, strerror(-r));
	r = unit_builder_new(unit_name, &builder, error);
	if (r == 0)
		r = unit_builder_add(builder, path, text, strlen(text), &messages, error);
	if (r == 0)
		r = unit_builder_finish(builder, &unit, &messages, error);
	if (r < 0)
		return r;
	if (!key)
		return unit_render(unit, ret_text);
	enum unit_key number = unit_key_find(NULL, key);
	if (number == N_UNIT_KEYS)
		return error_set(error, EXIT_USAGE, -EINVAL, "there is no key %s", key);
	return unit_render_key(unit, number, ret_text);
}

/* As "KEY=VALUE" lines: the supervisor's answer, else the file's. */
static int get_text(struct client *client, const char *unit, const char *key, struct buf *ret_text,
	struct error *error)
{
	struct wire_reply reply;
	int r = -ENOENT;

	if (client->fd < 0)
		error_set(error, EXIT_NO_SUCH_UNIT, r,
			"there is no unit %s: no instance of hob runs here (%s)", unit,
			client->cli->place.runtime);
	else
		r = client_call(client, WIRE_SHOW,
			json_pack("{s:s, s:s?}", "unit", unit, "key", key), NULL, NULL, &reply,
			error);
	if (r == 0) {
		r = buf_append_string(ret_text, print_string(reply.parameters, "text"));
		wire_reply_done(&reply);
		return r;
	}
	return r == -ENOENT ? render_file(client->cli, unit, key, ret_text, error) : r;
}

/* key NULL: all. */
static int show_key(struct client *client, const char *unit, const char *key, json_t *object)
{
	_cleanup_(buf_done) struct buf text = {0};
	struct error error = {0};

	int r = get_text(client, unit, key, &text, &error);
	if (r < 0)
		return job_refused(client->cli, unit, r, &error);
	if (text.size > 0 && !client->cli->json)
		print_lines(text.data);
	else if (text.size > 0)
		r = add_lines(object, text.data);
	return r < 0 ? cli_fail_text(EXIT_JOB_FAILED, "out of memory") : EXIT_DONE;
}

static int show_unit(struct client *client, const char *unit, int n_keys, char **keys)
{
	json_t *object = json_object();
	int status = n_keys == 0 ? show_key(client, unit, NULL, object) : EXIT_DONE;

	for (int i = 0; i < n_keys && status == EXIT_DONE; i++)
		status = show_key(client, unit, keys[i], object);
	if (status == EXIT_DONE && client->cli->json)
		status = print_json(object);
	json_decref(object);
	return status;
}

int verb_show(struct cli *cli, int argc, char **argv)
{
	_cleanup_(freep) char *unit = NULL;
	struct client client;
	struct error error = {0};

	if (job_unit_name(argv[0], &unit, &error) < 0)
		return cli_fail(&error);
	int r = client_open(&client, cli, false, &error);
	int status = r < 0 && r != -ENOENT ? cli_fail(&error)
					   : show_unit(&client, unit, argc - 1, argv + 1);
	client_done(&client);
	return status;
}
