/*
 * cli.h - what every verb shares: exit codes, one-line messages, option parsing that names what it did not understand.
 */
#ifndef FREEHOLD_TOOL_CLI_H
#define FREEHOLD_TOOL_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

/* The last three are those of sh, env and nohup, so that `freehold run` can be told apart from what it runs. */
enum fh_exit {
    FH_EXIT_OK = 0,
    FH_EXIT_FAILED = 1,
    FH_EXIT_USAGE = 2,
    FH_EXIT_REFUSED = 125,
    FH_EXIT_NOT_EXECUTABLE = 126,
    FH_EXIT_NOT_FOUND = 127
};

/*
 * Writes "freehold VERB: TEXT\n" to stderr; `verb` may be NULL. Always one line that is safe for a terminal: control
 * characters, which names of files and processes may contain, come out as '?'.
 */
void fh_say(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether messages are left out, from now on: for what is tried and may fail. */
void fh_be_quiet(bool quiet);

/* The same, for a mistake in the command line: adds where help is. Returns FH_EXIT_USAGE. */
int fh_say_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * getopt_long, with the messages of this program: returns an option's `val`, -1 at the end of the options, or '?' when
 * the reason has been printed and FH_EXIT_USAGE is due. `short_options` must begin with "+:"; parsing stops at the
 * first word that is not an option. Options may not be abbreviated: an abbreviation in a script breaks when an option
 * is added.
 */
int fh_next_option(const char *verb, int argc, char **argv, const char *short_options, const struct option *options);

/* The name that `word` was probably meant to be, or NULL when none is near. `name_at` returns NULL at the end. */
typedef const char *fh_name_at_fn(const void *names, size_t index);
const char *fh_nearest_name(const char *word, fh_name_at_fn *name_at, const void *names);

/* FH_EXIT_OK, or FH_EXIT_FAILED and a message when stdout did not take everything (a full disk, a closed pipe). */
int fh_finish_output(const char *verb);

#endif
