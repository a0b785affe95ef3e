/*
 * options.c - see options.h: parsing, complaints, and the nearest name for a wrong one.
 *
 * Layer: config.
 */
#include "options.h"

#include "atomics.h"
#include "format.h"
#include "os.h"

struct fh_options fh_options = {
#define FH_OPTION(field, name, kind, value, least, most, env, tunable, text) .field = value,
#include "options.def"
#undef FH_OPTION
};

enum option_kind { KIND_SIZE, KIND_COUNT, KIND_TEXT };

static const struct option {
    const char *name;    /* after FREEHOLD_ */
    const char *env;     /* glibc's environment variable, or NULL */
    const char *tunable; /* after glibc.malloc., or NULL */
    enum option_kind kind;
    size_t offset;
    size_t least, most;
} options_table[] = {
#define FH_OPTION(field, name, kind, value, least, most, env, tunable, text) \
    {name, env, tunable, KIND_##kind, offsetof(struct fh_options, field), least, most},
#include "options.def"
#undef FH_OPTION
};
enum { OPTION_COUNT = sizeof options_table / sizeof options_table[0] };

/* glibc's keys for mechanisms that Freehold does not have, so that they are neither unknown nor honoured in silence. */
static const char *const without_effect[] = {"check",      "hugetlb", "mxfast", "arena_test", "tcache_unsorted_limit",
                                             "tcache_max", NULL};

static size_t length_of(const char *s)
{
    size_t n = 0;
    while (s[n]) n++;
    return n;
}

static bool same(const char *a, size_t length, const char *b)
{
    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i]) return false; /* also stops at b's end */
    return b[length] == 0;
}

static bool starts_with(const char *s, const char *prefix)
{
    while (*prefix)
        if (*s++ != *prefix++) return false;
    return true;
}

static void complain(const char *a, size_t a_length, const char *b, const char *c, size_t c_length, const char *d)
{
    char line[256];
    struct fh_text text;
    fh_text_init(&text, line, sizeof line);
    fh_text_add(&text, "freehold: ");
    fh_text_add_span(&text, a, a_length);
    fh_text_add(&text, b);
    fh_text_add_span(&text, c, c_length);
    fh_text_add(&text, d);
    fh_text_end_line(&text);
    fh_os_complain(line, text.length);
}

/* Levenshtein distance, for names of at most 31 characters; more is far away. */
static unsigned distance(const char *a, size_t a_length, const char *b)
{
    enum { LONGEST = 31 };
    size_t b_length = length_of(b);
    if (a_length > LONGEST || b_length > LONGEST) return LONGEST;
    unsigned char row[LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++) row[j] = (unsigned char)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            unsigned best = change < row[j] + 1u ? change : row[j] + 1u;
            if (row[j - 1] + 1u < best) best = row[j - 1] + 1u;
            diagonal = row[j];
            row[j] = (unsigned char)best;
        }
    }
    return row[b_length];
}

static void complain_of_unknown(const char *whole, size_t whole_length, const char *name, size_t length)
{
    const char *nearest = NULL;
    unsigned nearest_distance = 4; /* further away is no help */
    for (int i = 0; i < OPTION_COUNT; i++) {
        unsigned d = distance(name, length, options_table[i].name);
        if (d < nearest_distance) {
            nearest_distance = d;
            nearest = options_table[i].name;
        }
    }
    char question[64];
    struct fh_text text;
    fh_text_init(&text, question, sizeof question);
    if (nearest) {
        fh_text_add(&text, " (did you mean FREEHOLD_");
        fh_text_add(&text, nearest);
        fh_text_add(&text, "?)");
    }
    complain("unknown option ", 15, "", whole, whole_length, question);
}

/* A number with an optional unit, up to `length`; false when it is anything else or too large for size_t. */
static bool parse_number(const char *s, size_t length, bool with_unit, size_t *out)
{
    size_t n = 0, i = 0;
    bool hexadecimal = length > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    if (hexadecimal) i = 2;
    size_t first_digit = i;
    for (; i < length; i++) {
        unsigned digit;
        char lower = (char)(s[i] | 0x20);
        if (s[i] >= '0' && s[i] <= '9') digit = (unsigned)(s[i] - '0');
        else if (hexadecimal && lower >= 'a' && lower <= 'f') digit = (unsigned)(lower - 'a') + 10;
        else break;
        if (__builtin_mul_overflow(n, hexadecimal ? 16u : 10u, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    }
    if (i == first_digit) return false;
    if (i < length && with_unit) {
        static const char units[] = "kmg";
        for (unsigned u = 0; u < 3; u++)
            if ((s[i] | 0x20) == units[u]) {
                if (__builtin_mul_overflow(n, (size_t)1 << (10 * (u + 1)), &n)) return false;
                i++;
                break;
            }
    }
    if (i != length) return false;
    *out = n;
    return true;
}

static bool in_range(const struct option *option, size_t n) { return n >= option->least && n <= option->most; }

/* `whole` is what the user wrote as the name, for the complaint. */
static void set(const struct option *option, const char *whole, size_t whole_length, const char *value, size_t length)
{
    char *field = (char *)&fh_options + option->offset;
    if (option->kind == KIND_TEXT) {
        fh_store_relaxed((const char **)(void *)field, value);
        return;
    }
    size_t n;
    if (option->most == SIZE_MAX && same(value, length, "-1")) { /* glibc's way to say "never" */
        fh_store_relaxed((size_t *)(void *)field, SIZE_MAX);
        return;
    }
    if (!parse_number(value, length, option->kind == KIND_SIZE, &n)) {
        complain(whole, whole_length, ": '", value, length,
                 option->kind == KIND_SIZE ? "' is not a number of bytes (such as 65536, 64k or 1m); ignored"
                                           : "' is not a number; ignored");
    } else if (!in_range(option, n)) {
        complain(whole, whole_length, ": ", value, length, " is out of range; ignored");
    } else {
        fh_store_relaxed((size_t *)(void *)field, n);
    }
}

static bool is_without_effect(const char *name, size_t length)
{
    for (int i = 0; without_effect[i]; i++)
        if (same(name, length, without_effect[i])) return true;
    return false;
}

/* One "glibc.malloc.NAME=VALUE"; keys of other parts of libc are libc's business. */
static void read_tunable(const char *key, size_t key_length, const char *value, size_t value_length)
{
    static const char prefix[] = "glibc.malloc.";
    size_t skip = sizeof prefix - 1;
    if (key_length <= skip || !starts_with(key, prefix)) return;
    const char *name = key + skip;
    size_t length = key_length - skip;
    if (same(name, length, "tcache_count")) { /* glibc counts blocks of a class; 0 turns the cache off here as there */
        size_t count;
        if (!parse_number(value, value_length, false, &count)) {
            complain(key, key_length, ": '", value, value_length, "' is not a number; ignored");
        } else {
            fh_options.cache_bytes = fh_min(count, FH_MIB / 64) * 64;
            if (count == 0) fh_options.medium_cache_bytes = 0;
        }
        return;
    }
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options_table[i].tunable && same(name, length, options_table[i].tunable)) {
            set(&options_table[i], key, key_length, value, value_length);
            return;
        }
    complain("GLIBC_TUNABLES: ", 16, "", key, key_length,
             is_without_effect(name, length) ? " has no effect in Freehold" : " is unknown; ignored");
}

static void read_tunables(const char *list)
{
    while (*list) {
        size_t key = 0, value = 0;
        while (list[key] && list[key] != '=' && list[key] != ':') key++;
        const char *at = list + key;
        if (*at == '=') {
            at++;
            while (at[value] && at[value] != ':') value++;
        }
        read_tunable(list, key, at, value);
        list = at + value;
        if (*list == ':') list++;
    }
}

static void read_own(const char *whole, size_t name_length, const char *value)
{
    static const char prefix[] = "FREEHOLD_";
    if (!starts_with(whole, prefix)) return;
    const char *name = whole + sizeof prefix - 1;
    size_t length = name_length - (sizeof prefix - 1);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (same(name, length, options_table[i].name)) {
            set(&options_table[i], whole, name_length, value, length_of(value));
            return;
        }
    complain_of_unknown(whole, name_length, name, length);
}

static void read_glibc(const char *whole, size_t name_length, const char *value)
{
    if (!starts_with(whole, "MALLOC_")) return;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options_table[i].env && same(whole, name_length, options_table[i].env)) {
            set(&options_table[i], whole, name_length, value, length_of(value));
            return;
        }
    if (same(whole, name_length, "MALLOC_CHECK_")) { /* checks are always on here; a bad value is still worth a word */
        size_t n;
        if (!parse_number(value, length_of(value), false, &n))
            complain(whole, name_length, ": '", value, length_of(value), "' is not a number; ignored");
    } else if (same(whole, name_length, "MALLOC_ARENA_TEST")) {
        complain(whole, name_length, " has no effect in Freehold", "", 0, "");
    }
}

/* One pass over the environment: glibc's names, or ours. */
static void read_names(char *const *environment, bool ours)
{
    for (; *environment; environment++) {
        const char *whole = *environment;
        size_t name_length = 0;
        while (whole[name_length] && whole[name_length] != '=') name_length++;
        if (whole[name_length] != '=' || name_length < 8) continue;
        const char *value = whole + name_length + 1;
        if (ours) read_own(whole, name_length, value);
        else if (same(whole, name_length, "GLIBC_TUNABLES")) read_tunables(value);
        else read_glibc(whole, name_length, value);
    }
}

void fh_options_read(char *const *environment)
{
    if (!environment) return;
    read_names(environment, false);
    read_names(environment, true); /* the last word is ours, whatever the order of the environment */
}

bool fh_options_set_size(size_t *option, size_t value)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if ((char *)option == (char *)&fh_options + options_table[i].offset) {
            if (!in_range(&options_table[i], value)) return false;
            fh_store_relaxed(option, value);
            return true;
        }
    return false;
}
