/*
 * cli.c - messages, options, and the nearest name to a misspelt one.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 64, LINE_MAX_LENGTH = 16384 };

static bool is_quiet;

void fh_be_quiet(bool quiet) { is_quiet = quiet; }

static void say(const char *verb, const char *format, va_list args, const char *tail)
{
    if (is_quiet)
        return;
    static char line[LINE_MAX_LENGTH];
    size_t room = sizeof(line) - 1;
    int head = snprintf(line, room, "freehold%s%s: ", verb ? " " : "", verb ? verb : "");
    size_t used = head > 0 ? (size_t)head : 0;

    int body = vsnprintf(line + used, room - used, format, args);
    if (body > 0)
        used += (size_t)body < room - used ? (size_t)body : room - used - 1;
    int end = snprintf(line + used, room - used, "%s", tail);
    if (end > 0)
        used += (size_t)end < room - used ? (size_t)end : room - used - 1;

    for (size_t i = 0; i < used; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 || c == 0x7f)
            line[i] = '?';
    }
    line[used] = '\n';
    fflush(stdout); /* keeps the order where both go to the same place */
    fwrite(line, 1, used + 1, stderr);
}

void fh_say(const char *verb, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(verb, format, args, "");
    va_end(args);
}

int fh_say_usage(const char *verb, const char *format, ...)
{
    char tail[NAME_MAX_LENGTH + 32];
    snprintf(tail, sizeof(tail), "; see freehold %s", verb ? "help " : "--help");
    if (verb)
        strncat(tail, verb, NAME_MAX_LENGTH);

    va_list args;
    va_start(args, format);
    say(verb, format, args, tail);
    va_end(args);
    return FH_EXIT_USAGE;
}

/* Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; large for names longer than ours are. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > NAME_MAX_LENGTH || b_length > NAME_MAX_LENGTH)
        return NAME_MAX_LENGTH;

    size_t row[3][NAME_MAX_LENGTH + 1]; /* of the table: the one before last, the last, this one; used in turn */
    for (size_t j = 0; j <= b_length; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *now = row[i % 3];
        const size_t *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[a_length % 3][b_length];
}

const char *fh_nearest_name(const char *word, fh_name_at_fn *name_at, const void *names)
{
    size_t length = strlen(word);
    const char *best = NULL;
    size_t best_distance = length < 3 ? length : 3; /* further off it would be a guess, not a correction */
    const char *name;

    for (size_t i = 0; (name = name_at(names, i)) != NULL; i++) {
        size_t distance = edit_distance(word, name);
        if (length > 1 && strncmp(word, name, length) == 0)
            distance = 1; /* the beginning of a name counts as one slip */
        if (distance < best_distance && distance < strlen(name)) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}

static const char *option_name_at(const void *names, size_t index)
{
    return ((const struct option *)names)[index].name;
}

/* True when `word` ("--name" or "--name=value") is the beginning of an option's name only. */
static int is_abbreviation(const char *word, const struct option *options)
{
    if (strncmp(word, "--", 2) != 0 || word[2] == '\0')
        return 0;
    size_t length = strcspn(word + 2, "=");
    for (size_t i = 0; options[i].name; i++) {
        if (strlen(options[i].name) == length && strncmp(options[i].name, word + 2, length) == 0)
            return 0;
    }
    return 1;
}

static void say_unknown_long(const char *verb, const char *word, const struct option *options)
{
    char name[NAME_MAX_LENGTH];
    size_t length = strcspn(word + 2, "=");
    snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1), word + 2);

    const char *nearest = fh_nearest_name(name, option_name_at, options);
    if (nearest)
        fh_say_usage(verb, "unknown option --%s (did you mean --%s?)", name, nearest);
    else
        fh_say_usage(verb, "unknown option --%s", name);
}

int fh_next_option(const char *verb, int argc, char **argv, const char *short_options, const struct option *options)
{
    opterr = 0;
    const char *word = optind < argc ? argv[optind] : NULL;
    if (word && is_abbreviation(word, options)) {
        say_unknown_long(verb, word, options);
        return '?';
    }

    int option = getopt_long(argc, argv, short_options, options, NULL);
    if (option == ':') {
        fh_say_usage(verb, "%s needs a value", word);
        return '?';
    }
    if (option == '?') {
        if (word && strncmp(word, "--", 2) == 0)
            fh_say_usage(verb, "%.*s takes no value", (int)strcspn(word, "="), word);
        else
            fh_say_usage(verb, "unknown option -%c", optopt);
    }
    return option;
}

int fh_finish_output(const char *verb)
{
    int failed = ferror(stdout);
    if (fflush(stdout) != 0 || failed) {
        fh_say(verb, "cannot write the output: %s", strerror(errno));
        return FH_EXIT_FAILED;
    }
    return FH_EXIT_OK;
}
