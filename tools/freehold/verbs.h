/*
 * verbs.h - the one table of verbs. A new verb is one file verb_NAME.c that defines a `struct fh_verb`, and one line in
 * verbs.c; help, dispatch and suggestions follow from the table.
 */
#ifndef FREEHOLD_TOOL_VERBS_H
#define FREEHOLD_TOOL_VERBS_H

#include <stdbool.h>

struct fh_verb {
    const char *name;
    const char *synopsis;              /* what follows "freehold NAME " */
    const char *summary;               /* one line, for the list of verbs */
    const char *help;                  /* the rest of `freehold help NAME`: whole lines of at most 80 columns */
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
};

/* In the order in which help shows them; NULL at the end. */
extern const struct fh_verb *const fh_verbs[];

extern const struct fh_verb fh_verb_run;
extern const struct fh_verb fh_verb_record;
extern const struct fh_verb fh_verb_replay;
extern const struct fh_verb fh_verb_which;
extern const struct fh_verb fh_verb_explain;
extern const struct fh_verb fh_verb_pins;
extern const struct fh_verb fh_verb_top;
extern const struct fh_verb fh_verb_check;
extern const struct fh_verb fh_verb_snapshot;
extern const struct fh_verb fh_verb_diff;
extern const struct fh_verb fh_verb_who;
extern const struct fh_verb fh_verb_map;
extern const struct fh_verb fh_verb_report;
extern const struct fh_verb fh_verb_metrics;
extern const struct fh_verb fh_verb_stats;
extern const struct fh_verb fh_verb_profile;
extern const struct fh_verb fh_verb_help;

/* The verb of that name; NULL after the message with the nearest one has been printed. */
const struct fh_verb *fh_verb_find(const char *name);

/*
 * Reads the command line of a verb whose only option is --json: its words, at most `most`, before, between or behind
 * the option. True: to go on. False: *status is due, after help was printed or a mistake was named; `at_a_time` says
 * what one word more is against: "one process or file at a time".
 */
struct fh_verb_words {
    const char *each[2]; /* NULL where there is none */
    bool json;
};
bool fh_verb_read_words(const struct fh_verb *verb, int argc, char **argv, int most, const char *at_a_time,
                        struct fh_verb_words *words, int *status);

/* `freehold --help`, and `freehold VERB --help`. */
void fh_help_overview(void);
void fh_help_verb(const struct fh_verb *verb);

#endif
