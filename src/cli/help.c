/* `hob help`, --help and the completion script, all from the verbs' table. */
#include <stdio.h>
#include <string.h>

#include "cli/print.h"
#include "cli/verb.h"

#define HELP_COLUMN 28

const struct option_info help_options[] = {
	{"completion", 0, "SHELL", "print the completion script for bash"},
	{0},
};

void print_overview(FILE *file)
{
	fputs("hob runs any program as a daemon and keeps it running.\n\n"
	      "  hob [--home DIR] VERB [options] ...\n\n",
		file);
	for (const struct verb_info *verb = verbs; verb->name; verb++) {
		if (verb->flags & VERB_HIDDEN)
			continue;
		int n = fprintf(file, "  %s %s", verb->name, verb->operands);
		fprintf(file, "%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", verb->summary);
	}
	fputs("\nhob VERB --help says more; man hob says all.\n", file);
}

static void print_options(const struct option_info *options)
{
	for (const struct option_info *o = options; o && o->name; o++) {
		char letter[8] = "    ";
		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		int n = printf("  %s--%s%s%s", letter, o->name, o->argument ? " " : "",
			o->argument ? o->argument : "");
		printf("%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", o->help);
	}
}

void print_verb_help(const struct verb_info *verb)
{
	printf("hob %s%s%s%s\n%s\n", verb->name, verb->options ? " [options]" : "",
		*verb->operands ? " " : "", verb->operands, verb->summary);
	if (verb->text)
		printf("\n%s\n", verb->text);
	printf("\nOptions:\n");
	print_options(verb->options);
	print_options(common_options);
}

/* --- completion --- */

static void print_option_words(const struct option_info *options)
{
	for (const struct option_info *o = options; o && o->name; o++)
		printf(" --%s", o->name);
}

void print_completion(void)
{
	printf("# bash completion for hob; made by: hob help --completion bash\n"
	       "_hob()\n{\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]} verb= options= i\n"
	       "\tlocal verbs='");
	for (const struct verb_info *verb = verbs; verb->name; verb++) {
		if (!(verb->flags & VERB_HIDDEN))
			printf("%s%s", verb == verbs ? "" : " ", verb->name);
	}
	printf("'\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n"
	       "\t\t--home) ((i++)) ;;\n"
	       "\t\t-*) ;;\n"
	       "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
	       "\t\tesac\n"
	       "\tdone\n"
	       "\tif [[ -z $verb ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n\t\treturn\n\tfi\n"
	       "\tcase $verb in\n");
	for (const struct verb_info *verb = verbs; verb->name; verb++) {
		printf("\t%s) options='", verb->name);
		print_option_words(verb->options);
		print_option_words(common_options);
		printf("' ;;\n");
	}
	printf("\tesac\n"
	       "\tif [[ $word == -* ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
	       "\telif [[ $verb == run ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -c -f -- \"$word\"))\n"
	       "\telif [[ $verb == help ]]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
	       "\telse\n"
	       "\t\tCOMPREPLY=($(compgen -W \"$(hob list --names 2>/dev/null)\" -- \"$word\"))\n"
	       "\tfi\n"
	       "}\n"
	       "complete -o default -F _hob hob\n");
}

int verb_help(struct cli *cli, int argc, char **argv)
{
	const char *shell = cli_option(cli, "completion");

	if (shell && strcmp(shell, "bash") != 0)
		return cli_fail_text(
			EXIT_USAGE, "there is completion for bash only, not for %s", shell);
	if (shell) {
		print_completion();
		return EXIT_DONE;
	}
	if (argc == 0) {
		print_overview(stdout);
		return EXIT_DONE;
	}
	const struct verb_info *verb = verb_find(argv[0]);
	if (!verb)
		return cli_fail_text(EXIT_USAGE, "there is no verb %s; see: hob help", argv[0]);
	print_verb_help(verb);
	return EXIT_DONE;
}
