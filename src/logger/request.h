/* What the supervisor asks for (os/logchannel.h). Every request may come twice. */
#pragma once

struct mover;

/* Reads what waits on the channel, as far as there is room for its answers. 0, or -ECONNRESET: it is gone for good. */
int request_receive(struct mover *mover);
/* Whether there is room to read more. */
_Bool request_has_room(const struct mover *mover);
