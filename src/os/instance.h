/*
 * Starting an instance: the lock, the sockets and pipes that outlive every process of it, and
 * hob-init as a daemon. Of many that try at once exactly one wins; the others just connect.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "os/place.h"

/*
 * Connects to the control socket. Returns the descriptor (CLOEXEC, blocking), or a negative errno:
 * -ENOENT no instance runs (also a socket that nobody listens on; no error is set), -EACCES,
 * -ETIMEDOUT nobody accepts, and others with an error. Works for paths longer than sun_path
 * (connects through /proc/self/fd/N/control).
 */
int instance_connect(const struct place *place, struct error *error);
/*
 * As instance_connect(), but starts an instance where none runs and then connects. program: the
 * hob binary's own path, which init runs as supervisor; hob-init is found beside it, else in
 * ../libexec/hob/. Descriptors 3-5 of the caller are closed where it is the one who starts.
 */
int instance_connect_or_start(const struct place *place, const char *program, struct error *error);
/* Waits until no process of the instance is left (its lock is free). 0, -ETIMEDOUT, or another
 * negative errno. */
int instance_wait_end(const struct place *place, uint64_t timeout_us);
