/* The channel: one message a packet, with its descriptors; anything else is dropped, nothing leaks.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/channel.h"

struct fixture {
	int ends[2];
	unsigned n_open;
};

static struct fixture fixture;

static unsigned count_open(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int setup(void **state)
{
	*state = &fixture;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fixture.ends) < 0)
		return -1;
	fixture.n_open = count_open();
	return 0;
}

static int teardown(void **state)
{
	close(fixture.ends[0]);
	close(fixture.ends[1]);
	return 0;
}

static struct channel_message message_of(uint32_t op, uint64_t token)
{
	return (struct channel_message){.version = CHANNEL_VERSION, .op = op, .token = token};
}

static void test_round_trip(void **state)
{
	struct channel_message out = message_of(CHANNEL_SPAWN, 12), in;
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds = 9;
	struct stat sent, got;

	strcpy(out.unit_name, "web.service");
	out.id.bytes[15] = 9;
	int null = open("/dev/null", O_RDONLY), zero = open("/dev/zero", O_RDONLY);
	assert_int_equal(channel_send(fixture.ends[0], &out, (int[]){null, zero}, 2), 0);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), 1);
	assert_memory_equal(&in, &out, sizeof(in));
	assert_int_equal(n_fds, 2);
	fstat(zero, &sent);
	fstat(fds[1], &got);
	assert_int_equal(sent.st_rdev, got.st_rdev);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
	close(null);
	close(zero);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), 0);
}

static void test_full_socket_does_not_block(void **state)
{
	struct channel_message out = message_of(CHANNEL_BELL, 0), in;
	int fds[CHANNEL_FDS_MAX], r;
	unsigned n_fds, n_sent = 0;

	while ((r = channel_send(fixture.ends[0], &out, NULL, 0)) == 0)
		out.token = ++n_sent;
	assert_int_equal(r, -EAGAIN);
	assert_true(n_sent > 50);
	for (unsigned i = 0; i < n_sent; i++) {
		assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), 1);
		assert_int_equal(in.token, i);
		assert_int_equal(n_fds, 0);
	}
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), 0);
}

static void test_other_shapes_are_dropped(void **state)
{
	struct channel_message good = message_of(CHANNEL_ACK, 1), bad = good, in;
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds;
	char longer[sizeof(good) + 1] = {0};

	bad.version = CHANNEL_VERSION + 1;
	memcpy(longer, &good, sizeof(good));
	send(fixture.ends[0], &good, sizeof(good) - 1, 0);
	send(fixture.ends[0], longer, sizeof(longer), 0);
	assert_int_equal(channel_send(fixture.ends[0], &bad, (int[]){0, 0, 0, 0}, 4), 0);
	assert_int_equal(channel_send(fixture.ends[0], &good, NULL, 0), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), -EBADMSG);
	assert_int_equal(count_open(), fixture.n_open);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), 1);
}

static void test_too_many_descriptors_are_closed(void **state)
{
	struct channel_message message = message_of(CHANNEL_SPAWN, 1), in;
	enum { N = CHANNEL_FDS_MAX + 3 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * N)];
	} control = {0};
	struct iovec data = {&message, sizeof(message)};
	struct msghdr packet = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * N); /* all are descriptor 0 */
	assert_true(sendmsg(fixture.ends[0], &packet, 0) > 0);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), -EBADMSG);
	assert_int_equal(count_open(), fixture.n_open);
}

/* Who dies with unread messages resets the connection; what it had sent is still worth reading. */
static void test_last_words_of_the_dead(void **state)
{
	struct channel_message message = message_of(CHANNEL_SPAWN, 5), in;
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds;

	assert_int_equal(channel_send(fixture.ends[1], &message, NULL, 0), 0);
	assert_int_equal(channel_send(fixture.ends[0], &message, NULL, 0), 0);
	close(fixture.ends[0]);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), 1);
	assert_int_equal(in.token, 5);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), -ECONNRESET);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), -ECONNRESET);
	assert_int_equal(channel_send(fixture.ends[1], &message, NULL, 0), -EPIPE);
	fixture.ends[0] = -1;
}

static void test_unterminated_name_is_cut(void **state)
{
	struct channel_message message = message_of(CHANNEL_SPAWN, 5), in;
	int fds[CHANNEL_FDS_MAX];
	unsigned n_fds;

	memset(message.unit_name, 'x', sizeof(message.unit_name));
	assert_int_equal(channel_send(fixture.ends[0], &message, NULL, 0), 0);
	assert_int_equal(channel_receive(fixture.ends[1], &in, fds, &n_fds), 1);
	assert_int_equal(strlen(in.unit_name), sizeof(in.unit_name) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_socket_does_not_block, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_shapes_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_too_many_descriptors_are_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_words_of_the_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unterminated_name_is_cut, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
