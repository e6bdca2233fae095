/*
 * The specification's bytes: a header with the struct itself, whose pointers are offsets from the
 * start, then the vectors, then the strings, then one final NUL.
 *
 *	| struct image | argv, envp, groups: a pointer-sized slot an item, 0-terminated | strings |
 *NUL |
 *
 * Decoding maps the memfd privately and turns offsets into pointers where they stand: nothing is
 * copied or allocated, which also suits a child between fork and exec. Since the last byte is NUL,
 * an offset inside the image is a string that ends inside it. The memfd is sealed before it is
 *sent, so that it cannot change or shrink after the check.
 */
#include "os/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SPEC_MAGIC UINT64_C(0x31636570536f6248) /* changes with the layout */
#define SPEC_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8u
#endif

struct image {
	uint64_t magic;
	uint64_t size; /* of the whole */
	struct spawn_spec spec;
};

static const size_t string_fields[] = {
	offsetof(struct spawn_spec, unit_name),
	offsetof(struct spawn_spec, path),
	offsetof(struct spawn_spec, working_directory),
	offsetof(struct spawn_spec, user),
	offsetof(struct spawn_spec, group),
	offsetof(struct spawn_spec, cgroup),
	offsetof(struct spawn_spec, stdin_path),
	offsetof(struct spawn_spec, stdout_path),
	offsetof(struct spawn_spec, stderr_path),
	offsetof(struct spawn_spec, fifo_path),
};
static const size_t vector_fields[] = {
	offsetof(struct spawn_spec, argv),
	offsetof(struct spawn_spec, envp),
	offsetof(struct spawn_spec, supplementary_groups),
};
/* A byte other than 0 and 1 is no bool: reading it would be undefined. */
static const size_t bool_fields[] = {
	offsetof(struct spawn_spec, working_directory_optional),
	offsetof(struct spawn_spec, has_nice),
	offsetof(struct spawn_spec, has_oom_score),
	offsetof(struct spawn_spec, ignore_sigpipe),
	offsetof(struct spawn_spec, no_new_privileges),
};

static const struct {
	const char *name;
	int exit_status;
} steps[N_STEPS] = {
	[STEP_NONE] = {"none", 0},
	[STEP_FORK] = {"fork", 1},
	[STEP_SPEC] = {"specification", 1},
	[STEP_CHDIR] = {"chdir", 200},
	[STEP_NICE] = {"nice", 201},
	[STEP_FDS] = {"fds", 202},
	[STEP_EXEC] = {"exec", 203},
	[STEP_LIMITS] = {"limits", 205},
	[STEP_OOM_ADJUST] = {"oom-adjust", 206},
	[STEP_SIGNAL_MASK] = {"signal-mask", 207},
	[STEP_STDIN] = {"stdin", 208},
	[STEP_STDOUT] = {"stdout", 209},
	[STEP_GROUP] = {"group", 216},
	[STEP_USER] = {"user", 217},
	[STEP_CGROUP] = {"cgroup", 219},
	[STEP_SETSID] = {"setsid", 220},
	[STEP_STDERR] = {"stderr", 222},
	[STEP_NO_NEW_PRIVILEGES] = {"no-new-privileges", 227},
};

const char *child_step_name(enum child_step step)
{
	return (unsigned)step < N_STEPS ? steps[step].name : "unknown";
}

int child_step_exit_status(enum child_step step)
{
	return (unsigned)step < N_STEPS ? steps[step].exit_status : 1;
}

/* The pointer-sized slot at an offset of a struct, read and written as a number. */
static uintptr_t slot_get(const void *base, size_t offset)
{
	uintptr_t value;

	memcpy(&value, (const char *)base + offset, sizeof(value));
	return value;
}

static void slot_set(void *base, size_t offset, uintptr_t value)
{
	memcpy((char *)base + offset, &value, sizeof(value));
}

static const char *string_at(const struct spawn_spec *spec, size_t field)
{
	return (const char *)slot_get(spec, field);
}

static const char **vector_at(const struct spawn_spec *spec, size_t field)
{
	return (const char **)slot_get(spec, field);
}

static size_t vector_length(const char **vector)
{
	size_t n = 0;

	while (vector[n])
		n++;
	return n;
}

/* The size of the whole image; SPEC_SIZE_MAX + 1 when it is over the limit. */
static size_t image_size(const struct spawn_spec *spec)
{
	size_t size = sizeof(struct image) + 1;

	for (size_t i = 0; i < ARRAY_SIZE(string_fields); i++) {
		const char *text = string_at(spec, string_fields[i]);
		size += text ? strlen(text) + 1 : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(vector_fields); i++) {
		const char **vector = vector_at(spec, vector_fields[i]);
		if (!vector)
			continue;
		for (size_t j = 0; vector[j] && size <= SPEC_SIZE_MAX; j++)
			size += sizeof(uintptr_t) + strlen(vector[j]) + 1;
		size += sizeof(uintptr_t);
	}
	return size <= SPEC_SIZE_MAX ? size : SPEC_SIZE_MAX + 1;
}

/* Copies a string to *end and moves *end behind it; returns where it is. */
static uintptr_t put_string(char *start, size_t *end, const char *text)
{
	size_t offset = *end, size = strlen(text) + 1;

	memcpy(start + offset, text, size);
	*end += size;
	return offset;
}

static void encode(const struct spawn_spec *spec, char *start, size_t size)
{
	size_t slots = sizeof(struct image), strings = slots;
	struct image *image = (struct image *)start;

	image->magic = SPEC_MAGIC;
	image->size = size;
	image->spec = *spec;
	for (size_t i = 0; i < ARRAY_SIZE(vector_fields); i++) {
		const char **vector = vector_at(spec, vector_fields[i]);
		strings += vector ? (vector_length(vector) + 1) * sizeof(uintptr_t) : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(vector_fields); i++) {
		const char **vector = vector_at(spec, vector_fields[i]);
		if (!vector)
			continue;
		slot_set(&image->spec, vector_fields[i], slots);
		for (size_t j = 0; vector[j]; j++, slots += sizeof(uintptr_t))
			slot_set(start, slots, put_string(start, &strings, vector[j]));
		slots += sizeof(uintptr_t); /* calloc() has made the 0 that ends it */
	}
	for (size_t i = 0; i < ARRAY_SIZE(string_fields); i++) {
		const char *text = string_at(spec, string_fields[i]);
		if (text)
			slot_set(&image->spec, string_fields[i], put_string(start, &strings, text));
	}
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Linux 6.3 and later want to be told that it is not to be executed (sysctl vm.memfd_noexec). */
static int make_memfd(void)
{
	int fd = memfd_create("hob-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("hob-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int spec_write(const struct spawn_spec *spec)
{
	size_t size = image_size(spec);

	if (size > SPEC_SIZE_MAX)
		return -E2BIG;
	if (spec->n_limits > SPEC_LIMITS_MAX)
		return -EINVAL;
	_cleanup_(freep) char *start = calloc(1, size);
	if (!start)
		return -ENOMEM;
	encode(spec, start, size);
	int fd = make_memfd();
	if (fd < 0)
		return fd;
	int r = write_all(fd, start, size);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, SPEC_SEALS) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* The file's size if it can be an image at all and cannot change any more, else -EBADMSG. */
static ssize_t check_file(int fd)
{
	struct stat st;

	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SPEC_SEALS) != SPEC_SEALS || fstat(fd, &st) < 0)
		return -EBADMSG;
	if (st.st_size <= (off_t)sizeof(struct image) || st.st_size > (off_t)SPEC_SIZE_MAX)
		return -EBADMSG;
	return (ssize_t)st.st_size;
}

static bool is_string_offset(uintptr_t offset, size_t size)
{
	return offset >= sizeof(struct image) && offset < size;
}

/* Turns one vector's offsets into pointers, in place. */
static int decode_vector(char *start, size_t size, uintptr_t offset)
{
	if (offset % sizeof(uintptr_t) != 0)
		return -EBADMSG;
	for (;; offset += sizeof(uintptr_t)) {
		/* The final NUL is nobody's slot: it ends the last string whatever is written here.
		 */
		if (offset < sizeof(struct image) || offset > size - 1 - sizeof(uintptr_t))
			return -EBADMSG;
		uintptr_t item = slot_get(start, offset);
		if (item == 0)
			return 0;
		if (!is_string_offset(item, size))
			return -EBADMSG;
		slot_set(start, offset, (uintptr_t)start + item);
	}
}

static int check_values(const struct image *image)
{
	const struct spawn_spec *spec = &image->spec;

	for (size_t i = 0; i < ARRAY_SIZE(bool_fields); i++)
		if (((const unsigned char *)spec)[bool_fields[i]] > 1)
			return -EBADMSG;
	if (spec->n_limits > SPEC_LIMITS_MAX || (unsigned)spec->stdin_kind > STDIO_INHERIT ||
		(unsigned)spec->stdout_kind > STDIO_INHERIT ||
		(unsigned)spec->stderr_kind > STDIO_INHERIT)
		return -EBADMSG;
	return 0;
}

static int decode(char *start, size_t size)
{
	struct image *image = (struct image *)start;

	if (image->magic != SPEC_MAGIC || image->size != size || start[size - 1] != '\0')
		return -EBADMSG;
	if (check_values(image) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(vector_fields); i++) {
		uintptr_t offset = slot_get(&image->spec, vector_fields[i]);
		if (offset == 0)
			continue;
		if (decode_vector(start, size, offset) < 0)
			return -EBADMSG;
		slot_set(&image->spec, vector_fields[i], (uintptr_t)start + offset);
	}
	/* Vectors first: two that overlap are seen above, since a pointer is no offset. */
	for (size_t i = 0; i < ARRAY_SIZE(string_fields); i++) {
		uintptr_t offset = slot_get(&image->spec, string_fields[i]);
		if (offset == 0)
			continue;
		if (!is_string_offset(offset, size))
			return -EBADMSG;
		slot_set(&image->spec, string_fields[i], (uintptr_t)start + offset);
	}
	return image->spec.path && image->spec.argv && image->spec.envp ? 0 : -EBADMSG;
}

int spec_read(int fd, struct spawn_spec *ret_spec, void **ret_map, size_t *ret_map_size)
{
	ssize_t size = check_file(fd);
	if (size < 0)
		return (int)size;
	void *map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	int r = decode(map, (size_t)size);
	if (r < 0) {
		munmap(map, (size_t)size);
		return r;
	}
	*ret_spec = ((struct image *)map)->spec;
	*ret_map = map;
	*ret_map_size = (size_t)size;
	return 0;
}

int spec_read_cgroup(int fd, char *path, size_t size)
{
	struct image image;

	ssize_t image_size_is = check_file(fd);
	if (image_size_is < 0)
		return -EBADMSG;
	if (pread(fd, &image, sizeof(image), 0) != (ssize_t)sizeof(image) ||
		image.magic != SPEC_MAGIC)
		return -EBADMSG;
	uintptr_t offset = slot_get(&image.spec, offsetof(struct spawn_spec, cgroup));
	if (offset == 0) {
		path[0] = '\0';
		return 0;
	}
	if (!is_string_offset(offset, (size_t)image_size_is))
		return -EBADMSG;
	ssize_t n = pread(fd, path, size, (off_t)offset);
	if (n <= 0 || !memchr(path, '\0', (size_t)n))
		return -EBADMSG;
	return 0;
}
