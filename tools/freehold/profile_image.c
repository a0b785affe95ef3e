/*
 * profile_image.c - the profile of a process, or of a snapshot or core of one, from the library's tables
 * (freehold_samples.h). What is read may be changing or damaged: numbers are checked against the sizes of the tables.
 */
#include "cli.h"
#include "profile.h"
#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct reader {
    struct fh_image *image;
    struct fh_sites *sites;
    struct fh_profile *profile;
    size_t room;
};

static uint64_t objects_of(uint64_t counted) { return (counted + 32768) / 65536; }
static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

static bool add_stack(const struct fh_stack *stack, void *arg)
{
    struct reader *reader = arg;
    struct fh_profile *profile = reader->profile;
    if (stack->allocated_objects == 0)
        return true; /* of a site: nothing from there was chosen */
    if (profile->stack_count == reader->room) {
        size_t room = reader->room ? 2 * reader->room : 256;
        struct fh_profile_stack *larger = realloc(profile->stacks, room * sizeof(*larger));
        if (!larger)
            return false;
        profile->stacks = larger;
        reader->room = room;
    }
    uint64_t *frames = calloc((size_t)stack->depth + 1, sizeof(*frames));
    if (!frames)
        return false;
    memcpy(frames, stack->frames, stack->depth * sizeof(*frames));
    profile->truncated += stack->flags & FH_STACK_TRUNCATED ? 1 : 0;
    profile->stacks[profile->stack_count++] =
        (struct fh_profile_stack){.values = {objects_of(stack->allocated_objects), stack->allocated_bytes,
                                             objects_of(less(stack->allocated_objects, stack->freed_objects)),
                                             less(stack->allocated_bytes, stack->freed_bytes)},
                                  .frames = frames,
                                  .depth = stack->depth};
    return true;
}

static bool read_mappings(struct reader *reader)
{
    struct fh_profile *profile = reader->profile;
    size_t count;
    const struct fh_image_vma *vmas = fh_image_vmas(reader->image, &count);
    profile->mappings = calloc(count + 1, sizeof(*profile->mappings));
    for (size_t i = 0; profile->mappings && i < count; i++) {
        if (!vmas[i].executable || !vmas[i].path[0])
            continue;
        struct fh_profile_mapping *mapping = &profile->mappings[profile->mapping_count];
        *mapping = (struct fh_profile_mapping){
            .start = vmas[i].start, .limit = vmas[i].end, .offset = vmas[i].file_offset, .path = strdup(vmas[i].path)};
        if (!mapping->path)
            return false;
        profile->mapping_count++;
        fh_image_build_id(reader->image, &vmas[i], mapping->build_id);
    }
    return profile->mappings != NULL;
}

static uint64_t now_unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int read_all(const char *verb, const char *word, struct reader *reader)
{
    struct fh_profile *profile = reader->profile;
    const struct fh_image_about *about = fh_image_about(reader->image);
    reader->sites = fh_sites_open(reader->image);
    if (!reader->sites || !(fh_sites_mode(reader->sites) & FH_SAMPLES_PROFILE)) {
        const char *help = reader->sites && (fh_sites_mode(reader->sites) & FH_SAMPLES_SITES)
                               ? "it keeps all call sites, which 'freehold pins' and 'freehold top' show"
                               : "start it with: freehold run --profile -- COMMAND";
        char name[FH_IMAGE_NAME_BYTES];
        fh_say(verb, "%s is not being profiled; %s", fh_image_name(about, name), help);
        return FH_EXIT_FAILED;
    }
    const struct fh_samples *root = fh_sites_root(reader->sites);
    uint64_t now = about->taken_ns ? about->taken_ns : now_unix_ns();
    profile->interval_bytes = root->interval_bytes;
    profile->started_unix_ns = root->started_unix_ns;
    profile->duration_ns = less(now, profile->started_unix_ns);
    profile->lost = root->lost_samples + root->lost_stacks;
    profile->pid = about->pid;
    profile->is_running = about->kind == FH_IMAGE_PROCESS;
    snprintf(profile->name, sizeof(profile->name), "%s", about->name);
    if (fh_sites_each_stack(reader->sites, add_stack, reader) && read_mappings(reader))
        return 0;
    fh_say(verb, "process %s ended while it was read, or there is too little memory here", word);
    return FH_EXIT_FAILED;
}

int fh_profile_read_image(const char *verb, const char *word, struct fh_profile *profile)
{
    struct reader reader = {.profile = profile};
    memset(profile, 0, sizeof(*profile));
    int status = fh_image_open(verb, word, 0, &reader.image);
    if (status == 0) {
        status = read_all(verb, word, &reader);
        fh_sites_close(reader.sites);
        fh_image_close(reader.image);
    }
    return status;
}
