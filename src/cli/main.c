/*
 * `hob`: a client, unless init started it as its supervisor. This file alone of this folder knows
 * the supervisor; it is linked apart (src/meson.build).
 */
#include <string.h>

#include "cli/cli.h"
#include "supervisor/supervisor.h"

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "supervisor") == 0)
		return supervisor_main(argv[2], argv[3]);
	return cli_main(argc, argv);
}
