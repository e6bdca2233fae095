/*
 * Lists of exit statuses: codes by number or name, signals by name. As a bit set, so that asking is
 * one look and a long list is no longer than a short one.
 */
#include "unit/value.h"

#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/number.h"
#include "base/signame.h"
#include "unit/word.h"

#define N_SIGNALS 64

/* Names of exit codes (systemd.exec(5), "Process Exit Codes"; sysexits(3); LSB). */
static const struct {
	uint8_t code;
	const char *name;
} exit_names[] = {
	{0, "SUCCESS"},
	{1, "FAILURE"},
	{2, "INVALIDARGUMENT"},
	{3, "NOTIMPLEMENTED"},
	{4, "NOPERMISSION"},
	{5, "NOTINSTALLED"},
	{6, "NOTCONFIGURED"},
	{7, "NOTRUNNING"},
	{64, "USAGE"},
	{65, "DATAERR"},
	{66, "NOINPUT"},
	{67, "NOUSER"},
	{68, "NOHOST"},
	{69, "UNAVAILABLE"},
	{70, "SOFTWARE"},
	{71, "OSERR"},
	{72, "OSFILE"},
	{73, "CANTCREAT"},
	{74, "IOERR"},
	{75, "TEMPFAIL"},
	{76, "PROTOCOL"},
	{77, "NOPERM"},
	{78, "CONFIG"},
	{200, "CHDIR"},
	{201, "NICE"},
	{202, "FDS"},
	{203, "EXEC"},
	{204, "MEMORY"},
	{205, "LIMITS"},
	{206, "OOM_ADJUST"},
	{207, "SIGNAL_MASK"},
	{208, "STDIN"},
	{209, "STDOUT"},
	{210, "CHROOT"},
	{211, "IOPRIO"},
	{212, "TIMERSLACK"},
	{213, "SECUREBITS"},
	{214, "SETSCHEDULER"},
	{215, "CPUAFFINITY"},
	{216, "GROUP"},
	{217, "USER"},
	{218, "CAPABILITIES"},
	{219, "CGROUP"},
	{220, "SETSID"},
	{221, "CONFIRM"},
	{222, "STDERR"},
	{224, "PAM"},
	{225, "NETWORK"},
	{226, "NAMESPACE"},
	{227, "NO_NEW_PRIVILEGES"},
	{228, "SECCOMP"},
	{229, "SELINUX_CONTEXT"},
	{230, "PERSONALITY"},
	{231, "APPARMOR"},
	{232, "ADDRESS_FAMILIES"},
	{233, "RUNTIME_DIRECTORY"},
	{235, "CHOWN"},
	{236, "SMACK_PROCESS_LABEL"},
	{237, "KEYRING"},
	{238, "STATE_DIRECTORY"},
	{239, "CACHE_DIRECTORY"},
	{240, "LOGS_DIRECTORY"},
	{241, "CONFIGURATION_DIRECTORY"},
	{242, "NUMA_POLICY"},
	{243, "CREDENTIALS"},
	{244, "BPF"},
	{245, "KSM"},
	{255, "EXCEPTION"},
};

/* The bit of a word in an exit set, or -EINVAL. A bare number is an exit code. */
static int exit_bit(const char *word)
{
	uint64_t code;

	if (number_parse_u64(word, 255, &code) == 0)
		return (int)code;
	for (size_t i = 0; i < ARRAY_SIZE(exit_names); i++)
		if (strcmp(exit_names[i].name, word) == 0)
			return exit_names[i].code;
	int signo = word[0] >= 'A' ? signame_parse(word) : -EINVAL;
	return signo < 0 ? signo : 256 + signo - 1;
}

int value_parse_exit_set(const struct value_input *in, const char *text, struct value *value)
{
	for (;;) {
		_cleanup_(freep) char *word = NULL;

		int r = word_next(&text, WORD_UNQUOTE | WORD_CUNESCAPE, &word);
		if (r == -EINVAL)
			return value_warn(in, "the quotes are not balanced");
		if (r <= 0)
			return r;
		int bit = exit_bit(word);
		if (bit < 0) {
			r = value_warn(in, "\"%.100s\" is no exit status or signal, ignored", word);
			if (r < 0)
				return r;
			continue;
		}
		value->exit_set[bit / 64] |= UINT64_C(1) << (bit % 64);
	}
}

int value_render_exit_set(const uint64_t exit_set[static EXIT_SET_WORDS], struct buf *buf)
{
	const char *blank = "";
	char name[SIGNAME_TEXT_SIZE];

	for (int bit = 0; bit < 256 + N_SIGNALS; bit++) {
		if (!(exit_set[bit / 64] >> (bit % 64) & 1))
			continue;
		if (bit < 256)
			buf_printf(buf, "%s%d", blank, bit);
		else
			buf_printf(buf, "%s%s", blank, signame_render(bit - 256 + 1, name));
		blank = " ";
	}
	return buf_status(buf);
}
