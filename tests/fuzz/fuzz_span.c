/* Spans, times, sizes, numbers and signals: what is taken is rendered and taken as the same. */
#include "fuzz.h"

#include "base/number.h"
#include "base/signame.h"
#include "base/span.h"

static void check_span(const char *text)
{
	struct buf buf = {0};
	uint64_t us, again;

	if (span_parse(text, USEC_PER_SEC, &us) == 0) {
		CHECK(span_render(&buf, us) == 0);
		CHECK(span_parse(buf.data, 1, &again) == 0);
		CHECK(again == us);
		CHECK(span_render_human(&buf, us) == 0);
	}
	buf_done(&buf);
}

static void check_others(const char *text)
{
	struct buf buf = {0};
	char name[SIGNAME_TEXT_SIZE];
	uint64_t value;
	int64_t number;
	uint32_t mode;
	bool truth;

	if (span_parse_time(text, UINT64_C(1795342500000000), &value) == 0)
		CHECK(span_render_time(&buf, value) == 0);
	if (size_parse(text, &value) == 0)
		CHECK(size_render(&buf, value) == 0);
	if (number_parse_i64(text, -5, 1000, &number) == 0)
		CHECK(number >= -5 && number <= 1000);
	if (number_parse_mode(text, &mode) == 0)
		CHECK(mode <= 07777);
	number_parse_bool(text, &truth);
	int signo = signame_parse(text);
	if (signo > 31 + 2 || (signo > 0 && signo < 32))
		CHECK(signame_parse(signame_render(signo, name)) == signo);
	buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	check_span(text);
	check_others(text);
	free(text);
	return 0;
}
