/*
 * verbs.c - the table of verbs, finding one by name, and the command line that most of them have.
 */
#include "verbs.h"

#include "cli.h"

#include <string.h>

const struct fh_verb *const fh_verbs[] = {
    &fh_verb_run,
    &fh_verb_record,
    &fh_verb_replay,
    &fh_verb_which,
    &fh_verb_explain,
    &fh_verb_pins,
    &fh_verb_top,
    &fh_verb_map,
    &fh_verb_report,
    &fh_verb_snapshot,
    &fh_verb_diff,
    &fh_verb_who,
    &fh_verb_check,
    &fh_verb_metrics,
    &fh_verb_stats,
    &fh_verb_profile,
    &fh_verb_help,
    NULL,
};

static const char *verb_name_at(const void *names, size_t index)
{
    const struct fh_verb *const *verbs = names;
    return verbs[index] ? verbs[index]->name : NULL;
}

const struct fh_verb *fh_verb_find(const char *name)
{
    for (size_t i = 0; fh_verbs[i]; i++) {
        if (strcmp(fh_verbs[i]->name, name) == 0)
            return fh_verbs[i];
    }
    const char *nearest = fh_nearest_name(name, verb_name_at, fh_verbs);
    if (nearest)
        fh_say_usage(NULL, "unknown verb '%s' (did you mean '%s'?)", name, nearest);
    else
        fh_say_usage(NULL, "unknown verb '%s'", name);
    return NULL;
}

bool fh_verb_read_words(const struct fh_verb *verb, int argc, char **argv, int most, const char *at_a_time,
                        struct fh_verb_words *words, int *status)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, count = 0;
    *words = (struct fh_verb_words){0};
    do { /* options may also follow */
        while ((option = fh_next_option(verb->name, argc, argv, "+:h", options)) != -1) {
            if (option == 'j') {
                words->json = true;
                continue;
            }
            if (option == 'h')
                fh_help_verb(verb);
            *status = option == 'h' ? fh_finish_output(verb->name) : FH_EXIT_USAGE;
            return false;
        }
        if (optind < argc && count == most) {
            *status = fh_say_usage(verb->name, "%s, not '%s' as well", at_a_time, argv[optind]);
            return false;
        }
        if (optind < argc)
            words->each[count++] = argv[optind++];
    } while (optind < argc);
    return true;
}
