/* hob list */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "os/clock.h"

const struct option_info list_options[] = {
	{"names", 0, NULL, "only the names, one a line"},
	OPTION_OUTPUT,
	{0},
};

static const char *const headings[] = {"NAME", "STATE", "PID", "FOR", "RESTARTS", "COMMAND"};

static void add_row(struct table_print *table, const json_t *service)
{
	_cleanup_(buf_done) struct buf text = {0};
	int64_t since_us = print_int(service, "since_usec"), now_us = (int64_t)clock_wall_us();

	table_cell(table, print_string(service, "name"));
	buf_printf(&text, "%s (%s)", print_string(service, "state"), print_string(service, "sub"));
	table_cell(table, text.data);
	buf_clear(&text);
	if (print_int(service, "main_pid") > 0)
		buf_printf(&text, "%d", (int)print_int(service, "main_pid"));
	table_cell(table, text.size > 0 ? text.data : "-");
	buf_clear(&text);
	if (since_us > 0)
		print_span(&text, now_us - since_us);
	table_cell(table, text.size > 0 ? text.data : "-");
	buf_clear(&text);
	buf_printf(&text, "%d", (int)print_int(service, "n_restarts"));
	table_cell(table, text.data);
	table_cell(table, print_string(service, "command"));
}

static void print_list(const json_t *services, bool names_only)
{
	struct table_print table = {.n_columns = ARRAY_SIZE(headings)};
	const json_t *service;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(headings) && !names_only; i++)
		table_cell(&table, headings[i]);
	json_array_foreach(services, i, service)
	{
		if (names_only)
			printf("%s\n", print_string(service, "name"));
		else
			add_row(&table, service);
	}
	table_print(&table, stdout);
	table_done(&table);
}

/* No instance: there is nothing to list, and that is no error. */
static int print_none(const struct cli *cli, const struct error *error)
{
	if (cli->json)
		printf("[]\n");
	else if (!cli_has(cli, "names"))
		print_error_line(error->text);
	return EXIT_DONE;
}

int verb_list(struct cli *cli, int argc, char **argv)
{
	struct client client;
	struct wire_reply reply;
	struct error error = {0};
	int status = EXIT_DONE;

	int r = client_open(&client, cli, false, &error);
	if (r == 0)
		/* Memory and numbers of processes cost a look at each tree; the table does not show
		 * them. */
		r = client_call(&client, WIRE_LIST, json_pack("{s:b}", "details", cli->json), NULL,
			NULL, &reply, &error);
	if (r == 0) {
		const json_t *services = json_object_get(reply.parameters, "services");
		if (cli->json)
			status = print_json(services);
		else
			print_list(services, cli_has(cli, "names"));
		wire_reply_done(&reply);
	} else {
		status = r == -ENOENT ? print_none(cli, &error) : cli_fail(&error);
	}
	client_done(&client);
	return status;
}
