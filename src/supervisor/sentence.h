/* What an entry of the events log says to a person, in one sentence without a full stop. */
#pragma once

#include "base/buf.h"
#include "supervisor/driver.h"

/* Appends the sentence of an EFFECT_LOG: the engine's own text where it gave one. 0 or -ENOMEM. */
int sentence_append(struct buf *buf, const struct effect *effect);
