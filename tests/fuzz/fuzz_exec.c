/* An Exec line: split, quoted and split again it is the same; expansion always ends. */
#include "fuzz.h"

#include <errno.h>
#include "unit/exec.h"
#include "unit/unit.h"
#include "unit/value.h"

static int parse(const char *text, struct value *value)
{
	struct error error = {0};
	struct unit_messages messages = {0};
	struct value_input in = {.key = UNIT_EXEC_START,
		.unit_name = "x.service",
		.path = "fuzz",
		.line = 1,
		.messages = &messages,
		.error = &error};

	int r = value_parse(&in, text, value);
	CHECK(r == 0 || (r == -EBADMSG && error.text[0]));
	unit_messages_done(&messages);
	return r;
}

static void check_quoting(const struct command *command)
{
	struct value again = {0};
	struct buf line = {0};

	buf_append_string(&line, "@/bin/x");
	for (size_t i = 0; i < command->argv.n; i++) {
		buf_append_char(&line, ' ');
		exec_quote(&line, command->argv.items[i]);
	}
	CHECK(buf_status(&line) == 0);
	CHECK(parse(line.data, &again) == 0);
	CHECK(again.commands.n == 1 && again.commands.items[0].argv.n == command->argv.n);
	for (size_t i = 0; i < command->argv.n; i++)
		CHECK(strcmp(again.commands.items[0].argv.items[i], command->argv.items[i]) == 0);
	buf_done(&line);
	value_reset(&again);
}

static void check_expansion(const struct command *command)
{
	struct exec_command ready = {.path = command->path,
		.argv = (const char *const *)command->argv.items,
		.flags = command->flags};
	struct strv env = {0}, argv = {0};

	CHECK(strv_append(&env, "A=b 'c d' \\e") == 0 && strv_append(&env, "FOO=") == 0);
	CHECK(exec_expand(&ready, &env, &argv) == 0);
	CHECK(argv.n > 0);
	strv_done(&env);
	strv_done(&argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct value value = {0};

	if (parse(text, &value) == 0)
		for (size_t i = 0; i < value.commands.n; i++) {
			check_quoting(&value.commands.items[i]);
			check_expansion(&value.commands.items[i]);
		}
	value_reset(&value);
	free(text);
	return 0;
}
