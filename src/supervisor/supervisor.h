/*
 * The supervisor: the driver around the pure engine. os callbacks become events, engine_step()
 * turns them into effects, effects become system calls. Started by init, and by init only, with the
 * channel on descriptor CHANNEL_SUPERVISOR_FD and the kept descriptors that the table names.
 */
#pragma once

/* Runs until the instance ends. Returns the process's exit status. */
int supervisor_main(const char *runtime_dir, const char *log_dir);
