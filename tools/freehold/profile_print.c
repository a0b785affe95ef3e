/*
 * profile_print.c - a profile for people, for flame graphs and as JSON.
 */
#include "json.h"
#include "profile.h"
#include "units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 512, COLUMNS = 80, FRAMES_SHOWN = 12 };

/* What a line of a stack says: never wider than a terminal. */
static void print_frame(const struct fh_source *source)
{
    char text[TEXT_BYTES];
    fh_source_text(source, false, text, sizeof(text));
    printf("       %.*s\n", COLUMNS - 7, text);
}

static void print_stack(const struct fh_profile_stack *stack, struct fh_profile_names *names)
{
    struct fh_source sources[FH_INLINED_MOST];
    size_t shown = 0;
    for (size_t i = 0; i < stack->depth; i++) {
        if (shown >= FRAMES_SHOWN) {
            printf("       ... %zu more\n", stack->depth - i);
            break;
        }
        size_t count = fh_profile_names_find(names, stack->frames[i], sources);
        for (size_t n = 0; n < count; n++, shown++)
            print_frame(&sources[n]);
    }
}

static void print_head(const struct fh_profile *profile, bool not_freed)
{
    char bytes[FH_UNIT_BYTES], blocks[FH_UNIT_BYTES], interval[FH_UNIT_BYTES];
    if (profile->pid)
        printf("process %ld (%s)", (long)profile->pid, profile->name);
    else
        printf("%s", profile->name);
    printf(": %.1f s, a block in %s bytes chosen\n", (double)profile->duration_ns / 1e9,
           fh_grouped(profile->interval_bytes, interval));
    printf("  %-20s %18s bytes in %s blocks\n", profile->pid ? "live" : "not freed at exit",
           fh_grouped(fh_profile_total(profile, FH_INUSE_SPACE), bytes),
           fh_grouped(fh_profile_total(profile, FH_INUSE_OBJECTS), blocks));
    if (!not_freed)
        printf("  %-20s %18s bytes in %s blocks\n", "allocated in all",
               fh_grouped(fh_profile_total(profile, FH_ALLOC_SPACE), bytes),
               fh_grouped(fh_profile_total(profile, FH_ALLOC_OBJECTS), blocks));
    if (profile->lost)
        printf("  There was no room for %" PRIu64 " samples: these numbers are too low.\n", profile->lost);
}

void fh_profile_print_text(const struct fh_profile *profile, struct fh_profile_names *names, size_t most,
                           bool not_freed)
{
    char bytes[FH_UNIT_BYTES], blocks[FH_UNIT_BYTES];
    uint64_t all = fh_profile_total(profile, FH_INUSE_SPACE), all_allocated = fh_profile_total(profile, FH_ALLOC_SPACE);
    size_t shown = 0, left = 0;
    print_head(profile, not_freed);
    for (size_t i = 0; i < profile->stack_count; i++) {
        const struct fh_profile_stack *stack = &profile->stacks[i];
        const uint64_t *values = stack->values;
        if (not_freed && values[FH_INUSE_SPACE] == 0)
            continue;
        if (shown == most) {
            left++;
            continue;
        }
        printf("\n%4zu.  %s in %s block%s %s, %.1f %%\n", ++shown, fh_human(values[FH_INUSE_SPACE], bytes),
               fh_grouped(values[FH_INUSE_OBJECTS], blocks), values[FH_INUSE_OBJECTS] == 1 ? "" : "s",
               profile->pid ? "live" : "not freed",
               fh_percent(values[FH_INUSE_SPACE], all));
        if (!not_freed)
            printf("       %s in %s block%s allocated, %.1f %%\n", fh_human(values[FH_ALLOC_SPACE], bytes),
                   fh_grouped(values[FH_ALLOC_OBJECTS], blocks), values[FH_ALLOC_OBJECTS] == 1 ? "" : "s",
                   fh_percent(values[FH_ALLOC_SPACE], all_allocated));
        print_stack(stack, names);
    }
    if (left)
        printf("\n%zu more call stacks; --top=%zu shows them all\n", left, shown + left);
    if (not_freed && shown && !profile->pid)
        printf("\nNot freed at exit is not lost yet: programs leave to the kernel what they need\n"
               "up to their end. What grows with the length of the run is worth a look.\n");
}

/* --- collapsed stacks --- */

static void print_collapsed_name(const struct fh_source *source)
{
    char text[TEXT_BYTES];
    if (source->function[0])
        snprintf(text, sizeof(text), "%s", source->function);
    else
        fh_source_text(source, false, text, sizeof(text));
    for (char *at = text; *at; at++) {
        if (*at == ';' || (unsigned char)*at <= ' ' || *at == 0x7f)
            *at = *at == ' ' ? '_' : ':';
    }
    fputs(text, stdout);
}

void fh_profile_print_collapsed(const struct fh_profile *profile, struct fh_profile_names *names,
                                enum fh_profile_value value)
{
    struct fh_source sources[FH_INLINED_MOST];
    for (size_t i = 0; i < profile->stack_count; i++) {
        const struct fh_profile_stack *stack = &profile->stacks[i];
        if (stack->values[value] == 0)
            continue;
        for (size_t frame = stack->depth; frame-- > 0;) {
            size_t count = fh_profile_names_find(names, stack->frames[frame], sources);
            for (size_t n = count; n-- > 0;) {
                print_collapsed_name(&sources[n]);
                if (frame || n)
                    putchar(';');
            }
        }
        printf("%s %" PRIu64 "\n", stack->depth ? "" : "[unknown]", stack->values[value]);
    }
}

/* --- JSON --- */

static void print_json_frames(const struct fh_profile_stack *stack, struct fh_profile_names *names)
{
    struct fh_source sources[FH_INLINED_MOST];
    bool first = true;
    for (size_t i = 0; i < stack->depth; i++) {
        size_t count = fh_profile_names_find(names, stack->frames[i], sources);
        for (size_t n = 0; n < count; n++, first = false) {
            printf("%s{\"address\": \"0x%" PRIx64 "\", ", first ? "" : ", ", stack->frames[i]);
            fh_source_json(&sources[n]);
            putchar('}');
        }
    }
}

static void print_json_values(const uint64_t values[FH_PROFILE_VALUES])
{
    for (int i = 0; i < FH_PROFILE_VALUES; i++)
        printf("%s\"%s\": %" PRIu64, i ? ", " : "", fh_profile_value_names[i], values[i]);
}

void fh_profile_print_json(const struct fh_profile *profile, struct fh_profile_names *names)
{
    uint64_t totals[FH_PROFILE_VALUES];
    for (int i = 0; i < FH_PROFILE_VALUES; i++)
        totals[i] = fh_profile_total(profile, (enum fh_profile_value)i);
    printf("{\"of\": ");
    fh_json_string(profile->name);
    printf(", \"pid\": ");
    if (profile->pid)
        printf("%ld", (long)profile->pid);
    else
        printf("null");
    printf(", \"interval_bytes\": %" PRIu64 ", \"started_unix_ns\": %" PRIu64 ", \"duration_ns\": %" PRIu64
           ", \"lost_samples\": %" PRIu64 ", ",
           profile->interval_bytes, profile->started_unix_ns, profile->duration_ns, profile->lost);
    print_json_values(totals);
    printf(", \"stacks\": [");
    for (size_t i = 0; i < profile->stack_count; i++) {
        printf("%s{", i ? ", " : "");
        print_json_values(profile->stacks[i].values);
        printf(", \"frames\": [");
        print_json_frames(&profile->stacks[i], names);
        printf("]}");
    }
    printf("]}\n");
}
