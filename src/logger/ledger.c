/*
 * Stores are in program order and each is one word: a SIGKILL finds any prefix of them done, and every
 * prefix is a legal state. There is no other writer: the thread that empties the stage only reads, but
 * for the copy_ words, which are its own.
 */
#include "logger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER_MAGIC UINT64_C(0x3165676174736268) /* "hbstage1" */
#define LEDGER_VERSION 1

static bool ledger_is_valid(const struct ledger *ledger)
{
	if (ledger->magic != LEDGER_MAGIC || ledger->version != LEDGER_VERSION ||
		ledger->entry_size != sizeof(struct ledger_entry) || ledger->n > LEDGER_ENTRIES_MAX)
		return false;
	for (uint32_t i = 0; i < ledger->n; i++) {
		const char *name = ledger->entries[i].log_name;
		size_t length = strnlen(name, LEDGER_NAME_SIZE);
		if (length == 0 || length == LEDGER_NAME_SIZE || strchr(name, '/') || name[0] == '.')
			return false;
		if (ledger->entries[i].size == LEDGER_OPEN && i + 1 != ledger->n)
			return false;
	}
	return true;
}

int ledger_open(const char *path, struct ledger **ret_ledger)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* Room first: a page that a full file system cannot give would be a SIGBUS later. */
	int r = -posix_fallocate(fd, 0, sizeof(struct ledger));
	void *map = MAP_FAILED;
	if (r == 0) {
		map = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		r = map == MAP_FAILED ? -errno : 0;
	}
	close(fd);
	if (r < 0)
		return r;

	struct ledger *ledger = map;
	if (!ledger_is_valid(ledger)) {
		ledger->n = 0;
		ledger->copying = 0;
		ledger->version = LEDGER_VERSION;
		ledger->entry_size = sizeof(struct ledger_entry);
		ledger->magic = LEDGER_MAGIC;
	}
	*ret_ledger = ledger;
	return 0;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger)
		munmap(ledger, sizeof(*ledger));
}

void ledger_reset(struct ledger *ledger)
{
	ledger->copying = 0;
	ledger->n = 0;
}

_Bool ledger_begin(struct ledger *ledger, const char *log_name)
{
	uint32_t n = ledger->n;

	if (n == LEDGER_ENTRIES_MAX)
		return false;
	struct ledger_entry *entry = &ledger->entries[n];
	snprintf(entry->log_name, sizeof(entry->log_name), "%s", log_name);
	entry->size = LEDGER_OPEN;
	ledger->n = n + 1;
	return true;
}

void ledger_end(struct ledger *ledger, uint64_t size)
{
	uint32_t last = ledger->n - 1;

	if (size == 0)
		ledger->n = last;
	else
		ledger->entries[last].size = size;
}

void ledger_settle(struct ledger *ledger, uint64_t n_staged, uint64_t *ret_consumed)
{
	uint64_t known = 0;
	uint32_t n = ledger->n;

	for (uint32_t i = 0; i < n; i++)
		if (ledger->entries[i].size != LEDGER_OPEN)
			known += ledger->entries[i].size;
	*ret_consumed = 0;
	if (n > 0 && ledger->entries[n - 1].size == LEDGER_OPEN && n_staged >= known) {
		ledger_end(ledger, n_staged - known);
		return;
	}
	if (n > 0 && ledger->entries[n - 1].size != LEDGER_OPEN && n_staged <= known) {
		*ret_consumed = known - n_staged;
		return;
	}
	/* Not a state that a logger leaves: the file was lost, or is not this stage's. */
	ledger_reset(ledger);
	if (n_staged > 0 && ledger_begin(ledger, LEDGER_UNKNOWN))
		ledger_end(ledger, n_staged);
}
