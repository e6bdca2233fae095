/* hob_user_get(), hob_user_become(), hob_drop_privileges() (C18). */
#include "hob.h"

#include <grp.h>
#include <pwd.h>

#include "probe.h"

static bool has_group(const struct hob_user *user, gid_t gid)
{
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return true;
	return false;
}

static void test_by_name(void **state)
{
	const struct passwd *entry = getpwnam("nobody");
	struct hob_user *user;

	assert_non_null(entry);
	assert_int_equal(hob_user_get("nobody", NULL, NULL, &user, NULL), 0);
	assert_int_equal(user->size, sizeof(*user));
	assert_int_equal(user->uid, entry->pw_uid);
	assert_int_equal(user->gid, entry->pw_gid);
	assert_string_equal(user->name, "nobody");
	assert_string_equal(user->home, entry->pw_dir);
	assert_true(has_group(user, entry->pw_gid));
	hob_user_free(user);
	hob_user_free(NULL);
}

static void test_by_number(void **state)
{
	const char *const more[] = {"4", "daemon", "4", NULL};
	struct hob_user *user;

	/* With an entry: as by name. */
	assert_int_equal(hob_user_get("0", NULL, NULL, &user, NULL), 0);
	assert_string_equal(user->name, "root");
	hob_user_free(user);

	/* Without: the same number as its group, never group 0. */
	assert_int_equal(hob_user_get("54321", NULL, NULL, &user, NULL), 0);
	assert_int_equal(user->uid, 54321);
	assert_int_equal(user->gid, 54321);
	assert_int_equal(user->n_groups, 1);
	assert_null(user->name);
	assert_null(user->home);
	hob_user_free(user);

	assert_int_equal(hob_user_get("54321", "54322", more, &user, NULL), 0);
	assert_int_equal(user->gid, 54322);
	assert_int_equal(user->n_groups, 3);
	assert_true(has_group(user, 4));
	assert_true(has_group(user, getgrnam("daemon")->gr_gid));
	hob_user_free(user);

	assert_int_equal(hob_user_get(NULL, "daemon", NULL, &user, NULL), 0);
	assert_int_equal(user->uid, (uid_t)-1);
	assert_int_equal(user->n_groups, 1);
	hob_user_free(user);
}

static void test_unknown(void **state)
{
	static const struct {
		const char *user, *group;
		int r, stage;
	} cases[] = {
		{"no such user", NULL, -ESRCH, HOB_STAGE_USER},
		{"", NULL, -ESRCH, HOB_STAGE_USER},
		{"-1", NULL, -ESRCH, HOB_STAGE_USER},
		{"4294967295", NULL, -ESRCH,
			HOB_STAGE_USER}, /* means "unchanged" to the system calls */
		{"4294967296", NULL, -ESRCH, HOB_STAGE_USER},
		{"12x", NULL, -ESRCH, HOB_STAGE_USER},
		{"nobody", "no such group", -ESRCH, HOB_STAGE_GROUP},
		{NULL, "no such group", -ESRCH, HOB_STAGE_GROUP},
		{NULL, NULL, -EINVAL, HOB_STAGE_OPTIONS},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hob_user *user = (void *)&cases;
		int stage = -1;
		assert_int_equal(hob_user_get(cases[i].user, cases[i].group, NULL, &user, &stage),
			cases[i].r);
		assert_int_equal(stage, cases[i].stage);
		assert_ptr_equal(user, &cases);
	}
}

static _Noreturn void drop(int fd, const char *user, const char *group)
{
	static const gid_t groups[] = {0, 4, 27};
	int stage;

	if (setgroups(3, groups) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		_exit(90);
	if (hob_drop_privileges(user, group, &stage) < 0)
		_exit(91);
	probe_stay(fd);
}

/* Started with groups 0, 4, 27, which may not stay, and with PR_SET_KEEPCAPS. */
static void test_drop(void **state)
{
	int fds[2];

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		drop(fds[1], "54321", "54322");
	assert_int_equal(probe_read_pid(fds[0]), pid);
	assert_status(pid, "Uid", "54321\t54321\t54321\t54321");
	assert_status(pid, "Gid", "54322\t54322\t54322\t54322");
	assert_status(pid, "Groups", "54322 ");
	assert_status(pid, "CapPrm", "0000000000000000");
	assert_status(pid, "CapEff", "0000000000000000");
	assert_status(pid, "CapAmb", "0000000000000000");
	probe_end(pid);
	close(fds[0]);
	close(fds[1]);
}

/* Who has no privilege: its own user is fine, another's and more groups are not. */
static _Noreturn void try_unprivileged(void)
{
	int stage = 0;

	if (hob_drop_privileges("54321", NULL, NULL) != 0)
		_exit(90);
	if (hob_drop_privileges("54321", NULL, NULL) != 0)
		_exit(91);
	if (hob_drop_privileges("54322", NULL, &stage) != -EPERM || stage != HOB_STAGE_SETGROUPS)
		_exit(92);
	if (hob_drop_privileges("root", NULL, NULL) != -EPERM)
		_exit(93);
	_exit(0);
}

static void test_unprivileged(void **state)
{
	if (geteuid() != 0)
		skip();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		try_unprivileged();
	assert_int_equal(probe_wait(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_by_number),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_unprivileged),
	};

	return cmocka_run_group_tests(tests, probe_set_up, NULL);
}
