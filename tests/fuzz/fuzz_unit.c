/* Unit text: it loads or is refused with a reason; what was loaded can be read and rendered. */
#include "fuzz.h"

#include "unit/unit.h"
#include "unit/value.h"

static void read_everything(const struct unit *unit)
{
	const struct exec_command *commands;
	const struct unit_limit *limits;
	const char *const *items;
	size_t n;

	for (size_t key = 0; key < N_UNIT_KEYS; key++) {
		switch (value_shape(unit_keys[key].type)) {
		case SHAPE_NUMBER:
			unit_u64(unit, (enum unit_key)key);
			break;
		case SHAPE_STRING:
			unit_string(unit, (enum unit_key)key);
			break;
		case SHAPE_LIST:
			n = unit_list(unit, (enum unit_key)key, &items);
			CHECK(items && !items[n]);
			break;
		case SHAPE_COMMANDS:
			n = unit_commands(unit, (enum unit_key)key, &commands);
			for (size_t i = 0; i < n; i++)
				CHECK(commands[i].path && commands[i].argv[0]);
			break;
		default:
			break;
		}
	}
	n = unit_limits(unit, &limits);
	for (size_t i = 0; i < n; i++)
		CHECK(limits[i].soft <= limits[i].hard);
	CHECK(unit_u64(unit, UNIT_TYPE) != SERVICE_FORKING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unit_builder *builder = NULL;
	struct unit_messages messages = {0};
	struct error error = {0};
	struct unit *unit = NULL;
	struct buf rendered = {0};
	char *text = malloc(size + !size);

	CHECK(text);
	if (size > 0)
		memcpy(text, data, size);
	CHECK(unit_builder_new("a-b@c.service", &builder, &error) == 0);
	int r = unit_builder_add(builder, "fuzz", text, size, &messages, &error);
	if (r == 0)
		r = unit_builder_finish(builder, &unit, &messages, &error);
	CHECK(r == 0 || (error.code == r && error.text[0]));
	CHECK((r == 0) == (unit != NULL));
	for (size_t i = 0; i < messages.n; i++)
		CHECK(!strchr(messages.items[i].text, '\n'));
	if (unit) {
		read_everything(unit);
		CHECK(unit_render(unit, &rendered) == 0);
	}
	buf_done(&rendered);
	unit_unref(unit);
	unit_messages_done(&messages);
	unit_builder_freep(&builder);
	free(text);
	return 0;
}
