/* An environment file: what was read can be written and is read back as the same. */
#include "fuzz.h"

#include "unit/exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv env = {0}, again = {0};
	struct buf text = {0};
	struct error error = {0};
	char *copy = malloc(size + !size);

	CHECK(copy);
	if (size > 0)
		memcpy(copy, data, size);
	int r = envfile_parse("fuzz", copy, size, &env, &error);
	CHECK(r == 0 || (error.code == r && error.text[0]));
	for (size_t i = 0; i < env.n; i++)
		CHECK(envfile_render(&text, env.items[i]) == 0);
	if (env.n > 0)
		CHECK(envfile_parse("again", text.data, text.size, &again, NULL) == 0);
	CHECK(again.n == env.n);
	for (size_t i = 0; i < env.n; i++)
		CHECK(strcmp(env.items[i], again.items[i]) == 0);
	strv_done(&env);
	strv_done(&again);
	buf_done(&text);
	free(copy);
	return 0;
}
