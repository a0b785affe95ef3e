/*
 * verbs.c - the table of verbs, and finding one by name.
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
