/* hob cat: the text in force and where it is from; of what is not loaded, the file on disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/unitfile.h"
#include "cli/verb.h"

/* As it is for a file or a pipe, harmless for a terminal. */
static void print_text(const char *path, const char *text)
{
	size_t size = strlen(text);

	printf("# %s\n", path);
	if (!isatty(STDOUT_FILENO)) {
		fwrite(text, 1, size, stdout);
		if (size > 0 && text[size - 1] != '\n')
			putchar('\n');
		return;
	}
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		_cleanup_(buf_done) struct buf harmless = {0};
		if (text_append_harmless(&harmless, line, strcspn(line, "\n")) == 0)
			printf("%s\n", harmless.data ? harmless.data : "");
	}
}

/* error: what to say where it is not on disk either. */
static int cat_file(struct cli *cli, const char *unit, struct error *error)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *text = NULL;

	if (unitfile_find(&cli->place, unit, &path) < 0)
		return job_refused(cli, unit, -ENOENT, error);
	int r = unitfile_read(path, &text);
	if (r < 0)
		return cli_fail_text(r == -EACCES ? EXIT_NOT_PERMITTED : EXIT_JOB_FAILED, "%s: %s",
			path, strerror(-r));
	print_text(path, text);
	return EXIT_DONE;
}

static int cat_unit(struct client *client, const char *typed)
{
	_cleanup_(freep) char *unit = NULL;
	struct wire_reply reply;
	struct error error = {0};

	if (job_unit_name(typed, &unit, &error) < 0)
		return cli_fail(&error);
	int r = -ENOENT;
	if (client->fd < 0)
		error_set(&error, EXIT_NO_SUCH_UNIT, r,
			"there is no unit %s: no instance of hob runs here (%s)", unit,
			client->cli->place.runtime);
	else
		r = client_call(client, WIRE_CAT, json_pack("{s:s}", "unit", unit), NULL, NULL,
			&reply, &error);
	if (r == -ENOENT)
		return cat_file(client->cli, unit, &error);
	if (r < 0)
		return job_refused(client->cli, unit, r, &error);
	print_text(print_string(reply.parameters, "path"), print_string(reply.parameters, "text"));
	wire_reply_done(&reply);
	return EXIT_DONE;
}

int verb_cat(struct cli *cli, int argc, char **argv)
{
	struct client client;
	struct error error = {0};
	int result = EXIT_DONE;

	int r = client_open(&client, cli, false, &error);
	if (r < 0 && r != -ENOENT)
		result = cli_fail(&error);
	for (int i = 0; i < argc && (r == 0 || r == -ENOENT); i++) {
		int status = cat_unit(&client, argv[i]);
		if (status != EXIT_DONE)
			result = argc == 1 ? status : EXIT_JOB_FAILED;
	}
	client_done(&client);
	return result;
}
