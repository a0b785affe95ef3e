/*
 * profile_image.c - the profile of a process, or of a snapshot or core of one, from the library's tables
 * (freehold_samples.h). What is read may be changing or damaged: numbers are checked against the sizes of the tables.
 */
#include "cli.h"
#include "profile.h"

#include <freehold_samples.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = FH_SAMPLES_BLOCK_WORDS * sizeof(uint64_t),
    STACK_WORDS = sizeof(struct fh_stack) / sizeof(uint64_t),
    FIRST_NUMBER = 8,
    BUCKETS_MOST = 1 << 20,
    STACKS_MOST = 1 << 24 /* more is a list that runs in circles */
};

struct reader {
    struct fh_image *image;
    struct fh_samples root;
    uint64_t *blocks[FH_SAMPLES_BLOCKS]; /* of the arena, copied when they are needed */
    struct fh_profile *profile;
    size_t room;
};

static bool read_root(struct reader *reader)
{
    uint64_t at = fh_image_root(reader->image)->samples;
    struct fh_samples *root = &reader->root;
    size_t head = offsetof(struct fh_samples, mode);
    memset(root, 0, sizeof(*root));
    if (at == 0 || !fh_image_read(reader->image, at, root, head) || root->magic != FH_SAMPLES_MAGIC ||
        root->version != FH_SAMPLES_VERSION || root->root_bytes < head)
        return false;
    size_t bytes = root->root_bytes < sizeof(*root) ? root->root_bytes : sizeof(*root);
    return fh_image_read(reader->image, at, root, bytes);
}

/* `count` words of the arena, all in one block; NULL when they are not there. */
static const uint64_t *words_at(struct reader *reader, uint32_t first, size_t count)
{
    uint32_t block = first / FH_SAMPLES_BLOCK_WORDS, in_block = first % FH_SAMPLES_BLOCK_WORDS;
    if (first < FIRST_NUMBER || block >= FH_SAMPLES_BLOCKS || count > FH_SAMPLES_BLOCK_WORDS - in_block)
        return NULL;
    if (!reader->blocks[block]) {
        uint64_t place = reader->root.block_addresses + block * sizeof(uint64_t);
        uint64_t at = fh_image_read_number(reader->image, place, sizeof(uint64_t));
        uint64_t *copy = at ? malloc(BLOCK_BYTES) : NULL;
        if (!copy)
            return NULL;
        fh_image_read(reader->image, at, copy, BLOCK_BYTES);
        reader->blocks[block] = copy;
    }
    return reader->blocks[block] + in_block;
}

static uint64_t objects_of(uint64_t counted) { return (counted + 32768) / 65536; }
static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

static bool add_stack(struct reader *reader, const struct fh_stack *stack)
{
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

static bool read_stacks(struct reader *reader)
{
    uint64_t buckets = reader->root.bucket_count, seen = 0;
    if (buckets == 0 || buckets > BUCKETS_MOST)
        return buckets == 0;
    uint32_t *first = calloc(buckets, sizeof(*first));
    bool good = first && fh_image_read(reader->image, reader->root.bucket_addresses, first, buckets * sizeof(*first));
    for (uint64_t i = 0; good && i < buckets; i++) {
        for (uint32_t number = first[i]; good && number && seen < STACKS_MOST; seen++) {
            const struct fh_stack *stack = (const void *)words_at(reader, number, STACK_WORDS);
            if (!stack || stack->depth > FH_SAMPLES_STACK_MOST ||
                !words_at(reader, number, (size_t)STACK_WORDS + stack->depth))
                break;
            good = add_stack(reader, stack);
            number = stack->next;
        }
    }
    free(first);
    return good;
}

/* Not a file that was built anew since a snapshot was taken: its build id would be taken for that of the mapping. */
static bool is_of_then(struct fh_image *image, int fd)
{
    const struct fh_image_about *about = fh_image_about(image);
    struct stat info;
    return about->kind == FH_IMAGE_PROCESS || about->taken_ns == 0 ||
           (fstat(fd, &info) == 0 && (uint64_t)info.st_mtim.tv_sec * 1000000000 <= about->taken_ns);
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
        int fd = fh_profile_open_mapping(profile, mapping);
        if (fd < 0)
            continue;
        if (is_of_then(reader->image, fd))
            fh_build_id_read(fd, mapping->build_id);
        close(fd);
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
    if (!read_root(reader) || !(reader->root.mode & FH_SAMPLES_PROFILE)) {
        fh_say(verb, "process %s (%s) is not being profiled; start it with: freehold run --profile=FILE -- COMMAND",
               word, about->name);
        return FH_EXIT_FAILED;
    }
    uint64_t now = about->taken_ns ? about->taken_ns : now_unix_ns();
    profile->interval_bytes = reader->root.interval_bytes;
    profile->started_unix_ns = reader->root.started_unix_ns;
    profile->duration_ns = less(now, profile->started_unix_ns);
    profile->lost = reader->root.lost_samples + reader->root.lost_stacks;
    profile->pid = about->pid;
    profile->is_running = about->kind == FH_IMAGE_PROCESS;
    snprintf(profile->name, sizeof(profile->name), "%s", about->name);
    if (read_stacks(reader) && read_mappings(reader))
        return 0;
    fh_say(verb, "process %s ended while it was read, or there is too little memory here", word);
    return FH_EXIT_FAILED;
}

int fh_profile_read_image(const char *verb, const char *word, struct fh_profile *profile)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    memset(profile, 0, sizeof(*profile));
    if (!reader) {
        fh_say(verb, "out of memory");
        return FH_EXIT_FAILED;
    }
    reader->profile = profile;
    int status = fh_image_open(verb, word, 0, &reader->image);
    if (status == 0) {
        status = read_all(verb, word, reader);
        fh_image_close(reader->image);
    }
    for (int i = 0; i < FH_SAMPLES_BLOCKS; i++)
        free(reader->blocks[i]);
    free(reader);
    return status;
}
