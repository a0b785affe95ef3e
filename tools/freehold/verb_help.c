/*
 * verb_help.c - `freehold help [VERB]`, and the texts of --help.
 */
#include "cli.h"
#include "verbs.h"

#include <stdio.h>

void fh_help_overview(void)
{
    printf("Usage: freehold VERB [ARGUMENT...]\n"
           "\n"
           "Freehold is a malloc for Linux whose heap can be read. This program runs other\n"
           "programs on it, and shows what they use.\n"
           "\n"
           "Verbs:\n");
    for (size_t i = 0; fh_verbs[i]; i++)
        printf("  %-8s %s\n", fh_verbs[i]->name, fh_verbs[i]->summary);
    printf("\n"
           "Options:\n"
           "  -h, --help     show this text\n"
           "  -V, --version  show the version\n"
           "\n"
           "Example:\n"
           "  freehold run --report -- python3 script.py\n"
           "\n"
           "'freehold help VERB' explains a verb.\n");
}

void fh_help_verb(const struct fh_verb *verb)
{
    printf("Usage: freehold %s %s\n\n%s", verb->name, verb->synopsis, verb->help);
}

static int help_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = fh_next_option("help", argc, argv, "+:h", options)) != -1) {
        if (option != 'h')
            return FH_EXIT_USAGE;
        fh_help_verb(&fh_verb_help);
        return fh_finish_output("help");
    }
    if (argc - optind > 1)
        return fh_say_usage("help", "one verb at a time, not '%s' as well", argv[optind + 1]);
    if (optind == argc) {
        fh_help_overview();
        return fh_finish_output("help");
    }
    const struct fh_verb *verb = fh_verb_find(argv[optind]);
    if (!verb)
        return FH_EXIT_USAGE;
    fh_help_verb(verb);
    return fh_finish_output("help");
}

const struct fh_verb fh_verb_help = {
    .name = "help",
    .synopsis = "[VERB]",
    .summary = "explain a verb, or list all",
    .help = "Explains VERB: what it does, its options, its exit status. Without VERB it lists\n"
            "all verbs.\n",
    .run = help_run,
};
