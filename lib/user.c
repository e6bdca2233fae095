/*
 * Users: the look-up, which may allocate, lock and talk to a name service, and the change, which is
 * plain system calls and may run in the child of a fork. They are apart for that reason.
 *
 * The order of the change is the whole point (setuid(2)): groups first, while we may, the uid last.
 * It is then read back, since the mistake of programs that came before was not to look.
 */
#include "hob.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOOKUP_BUFFER_MAX (1024 * 1024)
#define GROUPS_MAX 65536 /* NGROUPS_MAX, Linux 2.6.4 */

static int fail(int error, int stage, int *failed_stage)
{
	if (failed_stage)
		*failed_stage = stage;
	return error;
}

/* A decimal id; the highest value means "unchanged" to the system calls and is none. */
static bool parse_id(const char *text, unsigned *ret_id)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || *end || value >= UINT32_MAX)
		return false;
	*ret_id = (unsigned)value;
	return true;
}

/* getpwnam_r(3) and its three kin, with a buffer that grows. name NULL: by id. */
static int look_up(bool group, const char *name, unsigned id, void *entry, char **ret_buffer)
{
	for (size_t size = 1024; size <= LOOKUP_BUFFER_MAX; size *= 4) {
		void *found = NULL;
		int error;
		char *buffer = malloc(size);
		if (!buffer)
			return -ENOMEM;
		if (group)
			error = name ? getgrnam_r(
					       name, entry, buffer, size, (struct group **)&found)
				     : getgrgid_r(id, entry, buffer, size, (struct group **)&found);
		else
			error = name ? getpwnam_r(
					       name, entry, buffer, size, (struct passwd **)&found)
				     : getpwuid_r(
					       id, entry, buffer, size, (struct passwd **)&found);
		if (!error && found) {
			*ret_buffer = buffer;
			return 0;
		}
		free(buffer);
		/* "Not found" has many names: getpwnam(3), ERRORS. */
		if (!error || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
			return -ESRCH;
		if (error != ERANGE && error != EINTR)
			return -error;
	}
	return -ERANGE;
}

static int add_group(struct hob_user *user, gid_t gid)
{
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return 0;
	if (user->n_groups >= GROUPS_MAX)
		return -E2BIG;
	gid_t *groups = realloc(user->groups, (user->n_groups + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	user->groups = groups;
	user->groups[user->n_groups++] = gid;
	return 0;
}

/* The user's memberships as the group database has them, and gid. */
static int add_memberships(struct hob_user *user)
{
	int n = 64;

	for (;;) {
		int capacity = n;
		gid_t *groups = malloc((size_t)capacity * sizeof(*groups));
		if (!groups)
			return -ENOMEM;
		if (getgrouplist(user->name, user->gid, groups, &n) >= 0) {
			user->groups = groups;
			user->n_groups = (size_t)n;
			return 0;
		}
		free(groups);
		if (n <= capacity) /* older C libraries do not tell how many there are */
			n = capacity * 2;
		if (n > GROUPS_MAX)
			return -E2BIG;
	}
}

static int find_group(const char *text, gid_t *ret_gid)
{
	struct group entry;
	unsigned id;
	char *buffer;

	if (parse_id(text, &id)) {
		*ret_gid = id;
		return 0;
	}
	int r = look_up(true, text, 0, &entry, &buffer);
	if (r < 0)
		return r;
	*ret_gid = entry.gr_gid;
	free(buffer);
	return 0;
}

static int find_user(const char *text, struct hob_user *user)
{
	struct passwd entry;
	unsigned id = 0;
	char *buffer;

	bool is_number = parse_id(text, &id);
	int r = look_up(false, is_number ? NULL : text, id, &entry, &buffer);
	if (r == -ESRCH && is_number) {
		user->uid = user->gid = id;
		return 0;
	}
	if (r < 0)
		return r;
	user->uid = entry.pw_uid;
	user->gid = entry.pw_gid;
	user->name = strdup(entry.pw_name);
	user->home = strdup(entry.pw_dir);
	user->shell = strdup(entry.pw_shell);
	free(buffer);
	return user->name && user->home && user->shell ? 0 : -ENOMEM;
}

static int fill_in(struct hob_user *user, const char *user_text, const char *group_text,
	const char *const *more_groups, int *stage)
{
	int r;
	gid_t gid;

	*stage = HOB_STAGE_USER;
	if (user_text && (r = find_user(user_text, user)) < 0)
		return r;
	*stage = HOB_STAGE_GROUP;
	if (group_text && (r = find_group(group_text, &user->gid)) < 0)
		return r;
	if (user->name)
		r = add_memberships(user);
	else
		r = user->gid == (gid_t)-1 ? 0 : add_group(user, user->gid);
	for (; r == 0 && more_groups && *more_groups; more_groups++) {
		r = find_group(*more_groups, &gid);
		if (r == 0)
			r = add_group(user, gid);
	}
	return r;
}

int hob_user_get(const char *user_text, const char *group_text, const char *const *more_groups,
	struct hob_user **ret, int *failed_stage)
{
	int stage;

	if (!user_text && !group_text && !(more_groups && *more_groups))
		return fail(-EINVAL, HOB_STAGE_OPTIONS, failed_stage);
	struct hob_user *user = calloc(1, sizeof(*user));
	if (!user)
		return fail(-ENOMEM, HOB_STAGE_USER, failed_stage);
	user->size = sizeof(*user);
	user->uid = (uid_t)-1;
	user->gid = (gid_t)-1;
	int r = fill_in(user, user_text, group_text, more_groups, &stage);
	if (r < 0) {
		hob_user_free(user);
		return fail(r, stage, failed_stage);
	}
	*ret = user;
	return 0;
}

void hob_user_free(struct hob_user *user)
{
	if (!user)
		return;
	free(user->groups);
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user);
}

/* Is there nothing to change? Then an unprivileged caller is refused nothing it needs. */
static bool is_already(const struct hob_user *user)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0 || euid == 0)
		return false;
	return (user->uid == (uid_t)-1 ||
		       (ruid == user->uid && euid == user->uid && suid == user->uid)) &&
	       (user->gid == (gid_t)-1 ||
		       (rgid == user->gid && egid == user->gid && sgid == user->gid));
}

static bool has_group(const gid_t *groups, size_t n, gid_t gid)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/*
 * The kernel's list against ours, as sets (the kernel sorts its own). The list on the stack bounds
 * what can be compared; longer ones are only counted, as nothing may be allocated here.
 */
static bool groups_are(const struct hob_user *user)
{
	gid_t groups[1024];

	int n = getgroups(0, NULL);
	if (n < 0 || (size_t)n != user->n_groups)
		return false;
	if ((size_t)n > sizeof(groups) / sizeof(groups[0]))
		return true;
	n = getgroups(n, groups);
	for (int i = 0; i < n; i++)
		if (!has_group(user->groups, user->n_groups, groups[i]))
			return false;
	return n >= 0;
}

/* 0, or -ENOTRECOVERABLE and the stage whose result is not what it should be. */
static int verify(const struct hob_user *user, bool check_groups, int *failed_stage)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (check_groups && !groups_are(user))
		return fail(-ENOTRECOVERABLE, HOB_STAGE_SETGROUPS, failed_stage);
	if (user->gid != (gid_t)-1 && (getresgid(&rgid, &egid, &sgid) < 0 || rgid != user->gid ||
					      egid != user->gid || sgid != user->gid))
		return fail(-ENOTRECOVERABLE, HOB_STAGE_SETGID, failed_stage);
	if (user->uid == (uid_t)-1)
		return 0;
	if (getresuid(&ruid, &euid, &suid) < 0 || ruid != user->uid || euid != user->uid ||
		suid != user->uid)
		return fail(-ENOTRECOVERABLE, HOB_STAGE_SETUID, failed_stage);
	if (user->uid != 0 && setuid(0) == 0)
		return fail(-ENOTRECOVERABLE, HOB_STAGE_SETUID, failed_stage);
	return 0;
}

int hob_user_become(const struct hob_user *user, int *failed_stage)
{
	bool keep_groups = false;

	if (setgroups(user->n_groups, user->groups) < 0) {
		if (errno != EPERM || !is_already(user))
			return fail(-errno, HOB_STAGE_SETGROUPS, failed_stage);
		keep_groups = true;
	}
	if (user->gid != (gid_t)-1 && setresgid(user->gid, user->gid, user->gid) < 0)
		return fail(-errno, HOB_STAGE_SETGID, failed_stage);
	if (user->uid != (uid_t)-1) {
		/* Else a caller's capabilities would survive the change (capabilities(7)). */
		if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
			return fail(-errno, HOB_STAGE_SETUID, failed_stage);
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
			return fail(-errno, HOB_STAGE_SETUID, failed_stage);
		if (setresuid(user->uid, user->uid, user->uid) < 0)
			return fail(-errno, HOB_STAGE_SETUID, failed_stage);
	}
	return verify(user, !keep_groups, failed_stage);
}

int hob_drop_privileges(const char *user_text, const char *group_text, int *failed_stage)
{
	struct hob_user *user;

	int r = hob_user_get(user_text, group_text, NULL, &user, failed_stage);
	if (r < 0)
		return r;
	r = hob_user_become(user, failed_stage);
	hob_user_free(user);
	return r;
}
