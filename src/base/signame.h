/* Signals as text (signal(7)): "SIGTERM", "TERM", "15", "RTMIN+3", "RTMAX-1". Upper case only. */
#pragma once

#define SIGNAME_TEXT_SIZE 16

/* The number, or -EINVAL. */
int signame_parse(const char *text);
/* "SIGTERM" or "SIGRTMIN+3"; for a number that is no signal "signal N". Returns text. */
const char *signame_render(int signo, char text[static SIGNAME_TEXT_SIZE]);
