/*
 * Finding the program that `hob run` is to start, as execvp(3) does, before anything is detached.
 */
#pragma once

#include "base/error.h"

/*
 * typed: as the command line has it. With a '/' it is that file, else each directory of path (an
 * empty one is the working directory) is tried, going on after what may not be executed. Scripts
 * are looked into: their interpreter must be there. 0 with *ret_path absolute and malloc'd, or:
 * -ENOENT (EXIT_NOT_FOUND), -EACCES, -EISDIR (EXIT_CANNOT_EXECUTE), with an error that says which
 * file and why.
 */
int program_find(const char *typed, const char *path, char **ret_path, struct error *error);
