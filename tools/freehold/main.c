/*
 * main.c - the program `freehold`: options that stand before a verb, and the way to the verb.
 *
 * It uses the public header and published formats only, never the library's own sources, and it is not linked with the
 * library: it must run where the library does not, to say why.
 */
#include "cli.h"
#include "verbs.h"

#include <freehold.h>
#include <stdio.h>

#define TEXT_OF(number)                   #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    if (argc < 1)
        return FH_EXIT_USAGE;

    switch (fh_next_option(NULL, argc, argv, "+:hV", options)) {
    case 'h':
        fh_help_overview();
        return fh_finish_output(NULL);
    case 'V':
        puts("freehold " VERSION_TEXT(FH_VERSION_MAJOR, FH_VERSION_MINOR, FH_VERSION_PATCH));
        return fh_finish_output(NULL);
    case -1:
        break;
    default:
        return FH_EXIT_USAGE;
    }
    if (optind == argc)
        return fh_say_usage(NULL, "a verb is missing, such as run, which or help");

    const struct fh_verb *verb = fh_verb_find(argv[optind]);
    if (!verb)
        return FH_EXIT_USAGE;
    int verb_argc = argc - optind;
    char **verb_argv = argv + optind;
    optind = 1; /* the verb parses its own words from the start */
    return verb->run(verb_argc, verb_argv);
}
