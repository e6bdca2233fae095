/*
 * The channel: sendmsg(2) and recvmsg(2) of one struct a packet.
 *
 * A packet of any other shape is dropped whole, with the descriptors that came with it: init must
 * not be confused, nor filled with descriptors, by what it reads here.
 */
#include "os/channel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* One more than is allowed, so that too many is seen, and closed, rather than cut off. */
#define RECEIVE_FDS_MAX (CHANNEL_FDS_MAX + 1)

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * RECEIVE_FDS_MAX)];
};

int channel_send(int fd, const struct channel_message *message, const int *fds, unsigned n_fds)
{
	struct iovec data = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	struct msghdr packet = {.msg_iov = &data, .msg_iovlen = 1};
	union control control = {0};
	ssize_t n;

	assert(n_fds <= CHANNEL_FDS_MAX);
	if (n_fds > 0) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Collects the descriptors of a packet; returns how many there are, up to RECEIVE_FDS_MAX. */
static unsigned take_fds(struct msghdr *packet, int fds[RECEIVE_FDS_MAX])
{
	unsigned n_fds = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header;
		header = CMSG_NXTHDR(packet, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n && n_fds < RECEIVE_FDS_MAX; i++)
			memcpy(&fds[n_fds++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
	}
	return n_fds;
}

int channel_receive(int fd, struct channel_message *ret_message, int ret_fds[CHANNEL_FDS_MAX],
	unsigned *ret_n_fds)
{
	struct channel_message message;
	struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
	union control control;
	struct msghdr packet = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		/* Not CMSG_SPACE(): its padding would let one more in than there is room for. */
		.msg_controllen = CMSG_LEN(sizeof(int) * RECEIVE_FDS_MAX)};
	int fds[RECEIVE_FDS_MAX];
	ssize_t n;

	/*
	 * ECONNRESET says, once, that the other end went without having read all of ours. What it
	 * had sent before is still there and comes after.
	 */
	do
		n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	unsigned n_fds = take_fds(&packet, fds);
	/* No packet of ours is empty: an empty one without descriptors is the end of the stream. */
	if (n == 0 && n_fds == 0)
		return -ECONNRESET;
	if (n != sizeof(message) || (packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
		n_fds > CHANNEL_FDS_MAX || message.version != CHANNEL_VERSION) {
		for (unsigned i = 0; i < n_fds; i++)
			close(fds[i]);
		return -EBADMSG;
	}
	/* What is a name further on must be one here. */
	message.unit_name[sizeof(message.unit_name) - 1] = '\0';
	*ret_message = message;
	memcpy(ret_fds, fds, sizeof(int) * n_fds);
	*ret_n_fds = n_fds;
	return 1;
}
