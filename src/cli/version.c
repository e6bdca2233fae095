/* hob version */
#include <stdio.h>

#include "cli/verb.h"

int verb_version(struct cli *cli, int argc, char **argv)
{
	printf("hob %s\n", HOB_VERSION);
	return EXIT_DONE;
}
