/*
 * The record file: how a save survives a SIGKILL between any two instructions.
 *
 * Each slot has two halves. Valid is the half with the higher generation among those whose checksum
 * is right; a save overwrites the other one: bytes first, then generation and size, the checksum
 * last. Whatever instruction is the last one, the half that was valid before is untouched, and the
 * new half counts only when its checksum covers all of it. A process that dies does not reorder its
 * own stores as seen by its successor (the kernel orders them), so compiler barriers suffice.
 *
 * A slot is free when neither half has a generation; it is freed by clearing both generations,
 * the older half first, so that a half-freed slot still shows its newest record.
 */
#include "os/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/cleanup.h"

#define STORE_MAGIC UINT64_C(0x31736472636572)
#define STORE_VERSION 1
#define STORE_HEADER_SIZE 4096
#define STORE_GROW_SLOTS 16 /* room is allocated this many slots at a time */

struct store_header {
	uint64_t magic;
	uint32_t version, slot_size;
	struct id128 boot_id;
	_Atomic uint64_t words[N_STORE_WORDS];
};

struct half {
	uint64_t checksum;   /* of generation, size and bytes */
	uint64_t generation; /* 0 = never written */
	uint32_t size;
	uint32_t reserved;
	uint8_t bytes[STORE_RECORD_MAX];
	uint8_t padding[STORE_SLOT_SIZE / 2 - 24 - STORE_RECORD_MAX];
};
_Static_assert(sizeof(struct half) * 2 == STORE_SLOT_SIZE, "a slot is two halves");

struct store {
	int fd;
	struct store_header *header; /* the whole map begins here */
	struct half *halves;	     /* 2 * STORE_SLOTS_MAX, room for 2 * n_slots of them */
	int n_slots;		     /* slots with room in the file */
	int first_free;		     /* no slot below is free */
};

static size_t map_size(void)
{
	return STORE_HEADER_SIZE + (size_t)STORE_SLOTS_MAX * STORE_SLOT_SIZE;
}

static off_t file_size(int n_slots)
{
	return STORE_HEADER_SIZE + (off_t)n_slots * STORE_SLOT_SIZE;
}

static uint64_t half_checksum(const struct half *half)
{
	uint64_t sum = checksum64(STORE_MAGIC, &half->generation, sizeof(half->generation));
	sum = checksum64(sum, &half->size, sizeof(half->size));
	return checksum64(sum, half->bytes, half->size);
}

static bool half_is_valid(const struct half *half)
{
	return half->generation > 0 && half->size > 0 && half->size <= STORE_RECORD_MAX &&
	       half->checksum == half_checksum(half);
}

/* The newest valid half of a slot, or NULL. */
static struct half *slot_valid_half(const struct store *store, int slot)
{
	struct half *pair = &store->halves[2 * slot];
	bool valid[2] = {half_is_valid(&pair[0]), half_is_valid(&pair[1])};

	if (valid[0] && valid[1])
		return pair[0].generation > pair[1].generation ? &pair[0] : &pair[1];
	return valid[0] ? &pair[0] : valid[1] ? &pair[1] : NULL;
}

static bool slot_is_free(const struct store *store, int slot)
{
	const struct half *pair = &store->halves[2 * slot];

	return pair[0].generation == 0 && pair[1].generation == 0;
}

static bool header_is_ours(const struct store_header *header, struct id128 boot_id)
{
	return header->magic == STORE_MAGIC && header->version == STORE_VERSION &&
	       header->slot_size == STORE_SLOT_SIZE && id128_equal(header->boot_id, boot_id);
}

/* Looks at a file that is there. Sets *ret_n_slots to -1 when it is not a record file of ours. */
static int check_file(int fd, struct id128 boot_id, int *ret_n_slots)
{
	struct store_header header;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_n_slots = -1;
	if (!S_ISREG(st.st_mode) || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return 0;
	off_t n = (st.st_size - STORE_HEADER_SIZE) / STORE_SLOT_SIZE;
	if (header_is_ours(&header, boot_id) && n >= 0 && st.st_size == file_size((int)n) &&
		n <= STORE_SLOTS_MAX)
		*ret_n_slots = (int)n;
	return 0;
}

/* Makes a new file in place of path; it gets its name only when its header is complete. */
static int make_file(const char *path, struct id128 boot_id)
{
	struct store_header header = {.magic = STORE_MAGIC,
		.version = STORE_VERSION,
		.slot_size = STORE_SLOT_SIZE,
		.boot_id = boot_id};
	_cleanup_(freep) char *temporary = NULL;

	if (asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int r = -posix_fallocate(fd, 0, file_size(0));
	if (r == 0 && pwrite(fd, &header, sizeof(header), 0) != sizeof(header))
		r = errno ? -errno : -EIO;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		close(fd);
		return r;
	}
	return fd;
}

static int put_aside(const char *path)
{
	_cleanup_(freep) char *aside = NULL;

	if (asprintf(&aside, "%s.bad", path) < 0)
		return -ENOMEM;
	return rename(path, aside) < 0 ? -errno : 0;
}

/* Opens the file, putting aside what is not ours. Returns the descriptor. */
static int open_file(const char *path, struct id128 boot_id, int *ret_n_slots, bool *ret_put_aside)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0) {
		int r = check_file(fd, boot_id, ret_n_slots);
		if (r == 0 && *ret_n_slots >= 0)
			return fd;
		close(fd);
		if (r == 0)
			r = put_aside(path);
		if (r < 0)
			return r;
		*ret_put_aside = true;
	} else if (errno != ENOENT) {
		return -errno;
	}
	*ret_n_slots = 0;
	return make_file(path, boot_id);
}

int store_open(
	const char *path, struct id128 boot_id, struct store **ret_store, bool *ret_put_aside)
{
	bool aside = false;
	int n_slots;

	_cleanup_(freep) struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->fd = open_file(path, boot_id, &n_slots, &aside);
	if (store->fd < 0)
		return store->fd;
	void *map = mmap(NULL, map_size(), PROT_READ | PROT_WRITE, MAP_SHARED, store->fd, 0);
	if (map == MAP_FAILED) {
		int r = -errno;
		close(store->fd);
		return r;
	}
	store->header = map;
	store->halves = (struct half *)((char *)map + STORE_HEADER_SIZE);
	store->n_slots = n_slots;
	*ret_put_aside = aside;
	*ret_store = take(store);
	return 0;
}

struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;
	munmap(store->header, map_size());
	close(store->fd);
	free(store);
	return NULL;
}

/* Allocates room first and counts the slots after, so that no slot without room is ever touched. */
static int grow(struct store *store)
{
	int n_new = STORE_GROW_SLOTS;

	if (store->n_slots + n_new > STORE_SLOTS_MAX)
		return -ENOSPC;
	int r = posix_fallocate(
		store->fd, file_size(store->n_slots), (off_t)n_new * STORE_SLOT_SIZE);
	if (r != 0) {
		/* A part may have been allocated: the size must go on telling whole slots. */
		if (ftruncate(store->fd, file_size(store->n_slots)) < 0)
			return -errno;
		return -r;
	}
	store->n_slots += n_new;
	return 0;
}

int store_slot_new(struct store *store)
{
	for (;;) {
		for (int slot = store->first_free; slot < store->n_slots; slot++) {
			if (!slot_is_free(store, slot))
				continue;
			store->first_free = slot + 1;
			return slot;
		}
		store->first_free = store->n_slots;
		int r = grow(store);
		if (r < 0)
			return r;
	}
}

void store_slot_free(struct store *store, int slot)
{
	assert(slot >= 0 && slot < store->n_slots);
	struct half *pair = &store->halves[2 * slot];
	struct half *valid = slot_valid_half(store, slot);
	struct half *older = valid == &pair[0] ? &pair[1] : &pair[0];

	older->generation = 0;
	atomic_signal_fence(memory_order_seq_cst);
	pair[older == &pair[0]].generation = 0;
	if (slot < store->first_free)
		store->first_free = slot;
}

void store_save(struct store *store, int slot, const void *record, size_t size)
{
	assert(slot >= 0 && slot < store->n_slots && size > 0 && size <= STORE_RECORD_MAX);
	struct half *pair = &store->halves[2 * slot];
	struct half *valid = slot_valid_half(store, slot);
	struct half *target = valid == &pair[0] ? &pair[1] : &pair[0];
	struct half next = {
		.generation = valid ? valid->generation + 1 : 1, .size = (uint32_t)size};

	memcpy(next.bytes, record, size);
	target->checksum = 0;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(target->bytes, record, size);
	target->size = next.size;
	target->generation = next.generation;
	atomic_signal_fence(memory_order_seq_cst);
	target->checksum = half_checksum(&next);
}

int store_load(const struct store *store, int slot, const void **ret_record)
{
	const struct half *half = slot_valid_half(store, slot);

	if (slot_is_free(store, slot))
		return 0;
	if (!half)
		return -EBADMSG;
	*ret_record = half->bytes;
	return (int)half->size;
}

int store_n_slots(const struct store *store)
{
	return store->n_slots;
}

uint64_t store_word(const struct store *store, enum store_word word)
{
	return atomic_load_explicit(&store->header->words[word], memory_order_relaxed);
}

void store_set_word(struct store *store, enum store_word word, uint64_t value)
{
	atomic_store_explicit(&store->header->words[word], value, memory_order_relaxed);
}
