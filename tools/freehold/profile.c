/*
 * profile.c - a profile in memory: sorting, sums, and the files of its code.
 */
#include "profile.h"

#include "process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

const char *const fh_profile_value_names[FH_PROFILE_VALUES] = {"alloc_objects", "alloc_space", "inuse_objects",
                                                               "inuse_space"};

void fh_profile_free(struct fh_profile *profile)
{
    for (size_t i = 0; i < profile->stack_count; i++)
        free(profile->stacks[i].frames);
    for (size_t i = 0; i < profile->mapping_count; i++)
        free(profile->mappings[i].path);
    free(profile->stacks);
    free(profile->mappings);
    memset(profile, 0, sizeof(*profile));
}

static enum fh_profile_value sorted_by;

static int by_value(const void *a, const void *b)
{
    const struct fh_profile_stack *x = a, *y = b;
    uint64_t left = x->values[sorted_by], right = y->values[sorted_by];
    if (left == right) { /* so that the order is the same each time */
        left = x->values[FH_ALLOC_SPACE];
        right = y->values[FH_ALLOC_SPACE];
    }
    if (left == right && x->depth && y->depth) {
        left = y->frames[0];
        right = x->frames[0];
    }
    return (left < right) - (left > right);
}

void fh_profile_sort(struct fh_profile *profile, enum fh_profile_value by)
{
    sorted_by = by;
    if (profile->stack_count)
        qsort(profile->stacks, profile->stack_count, sizeof(*profile->stacks), by_value);
}

uint64_t fh_profile_total(const struct fh_profile *profile, enum fh_profile_value value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < profile->stack_count; i++)
        sum += profile->stacks[i].values[value];
    return sum;
}

int fh_profile_open_mapping(const struct fh_profile *profile, const struct fh_profile_mapping *mapping)
{
    struct fh_mapped_file file = {
        .path = mapping->path, .start = mapping->start, .code_start = mapping->start, .code_end = mapping->limit};
    if (mapping->path[0] != '/') /* [vdso] */
        return -1;
    if (profile->is_running)
        return fh_process_open_file(profile->pid, &file);
    return open(mapping->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}
