/* The read side of an index, whatever there is in the file. */
#include "logfixture.h"

static struct logindex open_index(struct fixture *fixture, int expected)
{
	char path[256];
	struct logindex index;

	fixture_path(fixture, "current.idx", path);
	assert_int_equal(logindex_open(&index, AT_FDCWD, path), expected);
	return index;
}

static void test_finds(void **state)
{
	struct logindex_record record;
	uint64_t i;

	for (uint64_t k = 0; k < 1000; k++)
		fixture_record(*state, "current.idx", k * 100, 1000000 + k * 10, 0);
	struct logindex index = open_index(*state, 0);
	assert_int_equal(index.n, 1000);
	for (uint64_t offset = 0; offset < 100000; offset += 37) {
		assert_int_equal(logindex_find_offset(&index, offset, &i, &record), 1);
		assert_int_equal(i, offset / 100);
		assert_int_equal(record.offset, offset / 100 * 100);
	}
	assert_int_equal(logindex_find_offset(&index, UINT64_MAX, &i, &record), 1);
	assert_int_equal(i, 999);
	assert_int_equal(logindex_find_wall(&index, 0), 0);
	assert_int_equal(logindex_find_wall(&index, 1000000), 0);
	assert_int_equal(logindex_find_wall(&index, 1000001), 1);
	assert_int_equal(logindex_find_wall(&index, 1009990), 999);
	assert_int_equal(logindex_find_wall(&index, 1009991), 1000);
	assert_int_equal(logindex_get(&index, 1000, &record), 0);
	logindex_close(&index);
}

static void test_nothing_before_the_first(void **state)
{
	struct logindex_record record;
	uint64_t i;

	fixture_record(*state, "current.idx", 50, 1, 0);
	struct logindex index = open_index(*state, 0);
	assert_int_equal(logindex_find_offset(&index, 49, &i, &record), 0);
	assert_int_equal(logindex_find_offset(&index, 50, &i, &record), 1);
	logindex_close(&index);
}

static void test_a_cut_record_does_not_count(void **state)
{
	fixture_record(*state, "current.idx", 0, 1, 0);
	fixture_append(*state, "current.idx", "half a record", 13);
	struct logindex index = open_index(*state, 0);
	assert_int_equal(index.n, 1);
	/* Its other half comes. */
	fixture_append(*state, "current.idx", "and the rest of it.", 19);
	logindex_refresh(&index);
	assert_int_equal(index.n, 2);
	logindex_close(&index);
}

static void test_what_is_no_index(void **state)
{
	struct logindex_record record;
	uint64_t i;

	struct logindex index = open_index(*state, -ENOENT);
	assert_int_equal(logindex_find_offset(&index, 5, &i, &record), 0);
	assert_int_equal(logindex_find_wall(&index, 5), 0);
	logindex_refresh(&index);
	logindex_close(&index);
	fixture_text(*state, "current.idx", "short");
	index = open_index(*state, -EBADMSG);
	fixture_text(*state, "current.idx", "and then it is long enough for a header, but it is still none at all");
	index = open_index(*state, -EBADMSG);
	assert_int_equal(index.n, 0);
}

static void test_another_version(void **state)
{
	struct logindex_header header;

	logindex_header_init(&header, 5, 6);
	assert_int_equal(logindex_header_check(&header), 0);
	header.version++;
	assert_int_equal(logindex_header_check(&header), -EBADMSG);
	fixture_append(*state, "current.idx", &header, sizeof(header));
	open_index(*state, -EBADMSG);
}

/* Random records: searches end and stay within. */
static void test_garbage(void **state)
{
	struct logindex_record record;
	uint64_t i, random = 1;

	for (int k = 0; k < 500; k++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		fixture_record(*state, "current.idx", random, random >> 7, random >> 60);
	}
	struct logindex index = open_index(*state, 0);
	for (int k = 0; k < 1000; k++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		if (logindex_find_offset(&index, random, &i, &record))
			assert_true(i < index.n);
		assert_true(logindex_find_wall(&index, random) <= index.n);
	}
	logindex_close(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_finds, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_before_the_first, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_cut_record_does_not_count, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_index, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_another_version, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_garbage, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
