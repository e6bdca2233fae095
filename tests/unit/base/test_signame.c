/* Signals as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "base/signame.h"

/* Every number's text is read back as that number; those libc keeps for itself have none. */
static void test_round_trip(void **state)
{
	char text[SIGNAME_TEXT_SIZE];

	for (int signo = 1; signo <= SIGRTMAX; signo++) {
		signame_render(signo, text);
		if (signo > SIGSYS && signo < SIGRTMIN)
			assert_memory_equal(text, "signal ", 7);
		else
			assert_int_equal(signame_parse(text), signo);
	}
	assert_string_equal(signame_render(SIGTERM, text), "SIGTERM");
	assert_string_equal(signame_render(SIGRTMIN + 3, text), "SIGRTMIN+3");
	assert_string_equal(signame_render(0, text), "signal 0");
	assert_int_equal(strlen(signame_render(-2000000000, text)), SIGNAME_TEXT_SIZE - 1);
}

static void test_forms(void **state)
{
	assert_int_equal(signame_parse("TERM"), SIGTERM);
	assert_int_equal(signame_parse("15"), SIGTERM);
	assert_int_equal(signame_parse("SIGRTMIN+3"), SIGRTMIN + 3);
	assert_int_equal(signame_parse("RTMAX-1"), SIGRTMAX - 1);
	assert_int_equal(signame_parse("IOT"), SIGABRT);
	assert_int_equal(signame_parse("SIGPOLL"), SIGIO);
	assert_int_equal(signame_parse("0"), -EINVAL);
	assert_int_equal(signame_parse("SIGSIGTERM"), -EINVAL);
	assert_int_equal(signame_parse("SIG"), -EINVAL);
	assert_int_equal(signame_parse("sigterm"), -EINVAL);
	assert_int_equal(signame_parse("65"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
