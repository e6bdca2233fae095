/* The specification: a round trip of every field, and no image, however garbled, that breaks out.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/spec.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const char *argv[] = {"prog", "", "three words here", NULL};
static const char *envp[] = {"A=1", "PATH=/bin", NULL};
static const char *groups[] = {"adm", "4", NULL};
static const char *nothing[] = {NULL};

static struct spawn_spec full_spec(void)
{
	return (struct spawn_spec){
		.unit_name = "web.service",
		.run_id = {{1, 2, 3, 4}},
		.path = "/usr/bin/prog",
		.argv = argv,
		.envp = envp,
		.working_directory = "~",
		.working_directory_optional = true,
		.user = "nobody",
		.group = "100",
		.supplementary_groups = groups,
		.umask = 027,
		.tree_tag = 123456,
		.cgroup = "/sys/fs/cgroup/hob/web.service",
		.stdin_kind = STDIO_FILE,
		.stdout_kind = STDIO_FIFO,
		.stderr_kind = STDIO_INHERIT,
		.stdin_path = "/dev/null",
		.stdout_path = "/tmp/out",
		.stderr_path = "/tmp/err",
		.fifo_path = "/run/hob/fifo/web.1",
		.ready_fd = 5,
		.has_nice = true,
		.has_oom_score = true,
		.ignore_sigpipe = true,
		.no_new_privileges = true,
		.nice = -5,
		.oom_score = 100,
		.n_limits = 2,
		.limits = {{7, 1024, 4096}, {4, 0, UINT64_MAX}},
	};
}

static void assert_vector_equal(const char **a, const char **b)
{
	for (; *b; a++, b++)
		assert_string_equal(*a, *b);
	assert_null(*a);
}

static void test_round_trip(void **state)
{
	struct spawn_spec in = full_spec(), out;
	void *map;
	size_t size;

	int fd = spec_write(&in);
	assert_true(fd >= 0);
	assert_int_equal(spec_read(fd, &out, &map, &size), 0);
	close(fd);
	assert_string_equal(out.unit_name, in.unit_name);
	assert_string_equal(out.path, in.path);
	assert_vector_equal(out.argv, in.argv);
	assert_vector_equal(out.envp, in.envp);
	assert_vector_equal(out.supplementary_groups, in.supplementary_groups);
	assert_string_equal(out.working_directory, in.working_directory);
	assert_string_equal(out.user, in.user);
	assert_string_equal(out.group, in.group);
	assert_string_equal(out.cgroup, in.cgroup);
	assert_string_equal(out.stdin_path, in.stdin_path);
	assert_string_equal(out.stdout_path, in.stdout_path);
	assert_string_equal(out.stderr_path, in.stderr_path);
	assert_string_equal(out.fifo_path, in.fifo_path);
	assert_true(out.working_directory_optional && out.has_nice && out.has_oom_score &&
		    out.ignore_sigpipe && out.no_new_privileges);
	assert_int_equal(out.umask, 027);
	assert_int_equal(out.tree_tag, 123456);
	assert_int_equal(out.ready_fd, 5);
	assert_int_equal(out.nice, -5);
	assert_int_equal(out.oom_score, 100);
	assert_int_equal(out.stdout_kind, STDIO_FIFO);
	assert_memory_equal(&out.run_id, &in.run_id, sizeof(in.run_id));
	assert_int_equal(out.n_limits, 2);
	assert_memory_equal(out.limits, in.limits, sizeof(in.limits));
	munmap(map, size);
}

static void test_absent_fields_stay_absent(void **state)
{
	struct spawn_spec in = {.path = "/x", .argv = nothing, .envp = nothing, .ready_fd = -1},
			  out;
	char cgroup[64] = "full";
	void *map;
	size_t size;

	int fd = spec_write(&in);
	assert_int_equal(spec_read_cgroup(fd, cgroup, sizeof(cgroup)), 0);
	assert_string_equal(cgroup, "");
	assert_int_equal(spec_read(fd, &out, &map, &size), 0);
	close(fd);
	assert_null(out.unit_name);
	assert_null(out.user);
	assert_null(out.supplementary_groups);
	assert_null(out.cgroup);
	assert_null(out.argv[0]);
	assert_null(out.envp[0]);
	munmap(map, size);
}

static void test_cgroup_alone(void **state)
{
	struct spawn_spec in = full_spec();
	char cgroup[64], small[8];

	int fd = spec_write(&in);
	assert_int_equal(spec_read_cgroup(fd, cgroup, sizeof(cgroup)), 0);
	assert_string_equal(cgroup, in.cgroup);
	assert_int_equal(spec_read_cgroup(fd, small, sizeof(small)), -EBADMSG);
	close(fd);
}

static void test_too_big(void **state)
{
	struct spawn_spec in = full_spec();
	char *big = malloc(SPEC_SIZE_MAX);
	const char *with_big[] = {"prog", big, NULL};

	memset(big, 'x', SPEC_SIZE_MAX - 1);
	big[SPEC_SIZE_MAX - 1] = '\0';
	in.argv = with_big;
	assert_int_equal(spec_write(&in), -E2BIG);
	big[SPEC_SIZE_MAX / 2] = '\0';
	int fd = spec_write(&in);
	assert_true(fd >= 0);
	close(fd);
	free(big);
}

/* A memfd with these bytes; sealed as spec_write() does it, or not. */
static int make_image(const char *bytes, size_t size, int seals)
{
	int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, bytes, size), size);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static size_t good_image(char *bytes, size_t size_max)
{
	struct spawn_spec in = full_spec();
	int fd = spec_write(&in);
	ssize_t size = pread(fd, bytes, size_max, 0);

	close(fd);
	assert_true(size > 0 && (size_t)size < size_max);
	return (size_t)size;
}

/* Reads every string there is: ASan, or a segfault, finds what points outside. */
static size_t touch_all(const struct spawn_spec *spec)
{
	const char *strings[] = {spec->unit_name, spec->path, spec->working_directory, spec->user,
		spec->group, spec->cgroup, spec->stdin_path, spec->stdout_path, spec->stderr_path,
		spec->fifo_path};
	const char **vectors[] = {spec->argv, spec->envp, spec->supplementary_groups};
	size_t sum = 0;

	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		sum += strings[i] ? strlen(strings[i]) : 0;
	for (size_t i = 0; i < 3; i++)
		for (const char **item = vectors[i]; item && *item; item++)
			sum += strlen(*item);
	for (unsigned i = 0; i < spec->n_limits; i++)
		sum += spec->limits[i].soft & 1;
	return sum + spec->has_nice + spec->working_directory_optional;
}

static int try_image(const char *bytes, size_t size, int seals)
{
	struct spawn_spec out;
	void *map;
	size_t map_size;
	char cgroup[256];

	int fd = make_image(bytes, size, seals);
	(void)spec_read_cgroup(fd, cgroup, sizeof(cgroup));
	int r = spec_read(fd, &out, &map, &map_size);
	close(fd);
	if (r == 0) {
		touch_all(&out);
		munmap(map, map_size);
	}
	return r;
}

static void test_unsealed_is_refused(void **state)
{
	char bytes[8192];
	size_t size = good_image(bytes, sizeof(bytes));

	assert_int_equal(try_image(bytes, size, SEALS), 0);
	assert_int_equal(try_image(bytes, size, 0), -EBADMSG);
	assert_int_equal(try_image(bytes, size, SEALS & ~F_SEAL_SHRINK), -EBADMSG);
	assert_int_equal(try_image("", 0, SEALS), -EBADMSG);
}

static void test_cut_short(void **state)
{
	char bytes[8192];
	size_t size = good_image(bytes, sizeof(bytes));

	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(try_image(bytes, cut, SEALS), -EBADMSG);
}

static void test_garbled(void **state)
{
	char good[8192], bytes[8192];
	size_t size = good_image(good, sizeof(good));
	unsigned n_refused = 0, seed = 1;

	for (int round = 0; round < 20000; round++) {
		memcpy(bytes, good, size);
		for (int i = 0; i < 1 + round % 3; i++)
			bytes[(unsigned)rand_r(&seed) % size] = (char)rand_r(&seed);
		n_refused += try_image(bytes, size, SEALS) != 0;
	}
	assert_true(n_refused > 1000);
}

static void test_steps_have_names_and_statuses(void **state)
{
	for (enum child_step step = 0; step < N_STEPS; step++) {
		assert_non_null(child_step_name(step));
		assert_in_range(child_step_exit_status(step), 0, 255);
	}
	assert_string_equal(child_step_name(STEP_EXEC), "exec");
	assert_int_equal(child_step_exit_status(STEP_EXEC), 203);
	assert_string_equal(child_step_name(N_STEPS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_absent_fields_stay_absent),
		cmocka_unit_test(test_cgroup_alone),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_unsealed_is_refused),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_garbled),
		cmocka_unit_test(test_steps_have_names_and_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
