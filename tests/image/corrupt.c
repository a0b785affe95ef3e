/*
 * corrupt.c - `corrupt SNAPSHOT SCRATCH FILES`: the reader on snapshots that somebody made to hurt it. The frames have
 * checksums, so bytes are changed in the unpacked frames, which are then packed anew: so many files, each read by
 * everything that reads.
 */
#include "image.h"
#include "image_source.h"
#include "snapshot_pack.h"
#include "snapshot_write.h"

#include <stdlib.h>
#include <string.h>

enum { CHANGES_MOST = 6, SMALL = 1 << 16 };

static uint64_t seed = 88172645463325252;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(2);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*bytes);
    if (fread(text, 1, *bytes, file) != *bytes)
        exit(2);
    fclose(file);
    return text;
}

static void change(unsigned char *raw, size_t bytes)
{
    static const uint64_t odd[] = {0, 1, 0xff, 0x7fffffff, UINT64_C(0xffffffffffffffff), UINT64_C(0x7fffffffffff)};
    for (uint64_t i = 0, count = 1 + draw() % CHANGES_MOST; i < count && bytes; i++) {
        size_t at = draw() % bytes;
        if (draw() % 2 && at + 8 <= bytes)
            memcpy(raw + at / 8 * 8, &odd[draw() % 6], 8);
        else
            raw[at] = (unsigned char)draw();
    }
}

/* Writes the snapshot anew, with changes in the frames of one kind, or in the index. */
static void rewrite(const char *text, const struct fh_snapshot_entry *entries, size_t count, const char *path)
{
    struct fh_packer *packer = fh_packer_open();
    struct fh_snapshot_header header;
    struct fh_snapshot_out out;
    uint32_t kind = (uint32_t)(draw() % 5);
    memcpy(&header, text, sizeof(header));
    if (fh_snapshot_create("corrupt", path, &header, &out) != 0)
        exit(2);
    for (size_t i = 0; i < count; i++) {
        struct fh_snapshot_entry entry = entries[i];
        unsigned char *raw = malloc(entry.raw_bytes + 1);
        if (!fh_unpack(packer, raw, entry.raw_bytes, text + entry.offset, entry.stored_bytes))
            exit(2);
        if (entry.kind == kind)
            change(raw, entry.raw_bytes);
        fh_snapshot_add(&out, entry.kind, raw, entry.raw_bytes, entry.start, entry.bytes);
        if (kind == 0 && draw() % 16 == 0)
            change((unsigned char *)&out.entries[out.entry_count - 1], sizeof(entry));
        free(raw);
    }
    fh_packer_close(packer);
    if (fh_snapshot_end("corrupt", &out) != 0)
        exit(2);
}

static void ignore(const char *invariant, uint64_t address, const char *text, void *arg)
{
    (void)invariant, (void)address, (void)text, (void)arg;
}

static int read_all(const char *path)
{
    static struct fh_image_account account;
    static struct fh_image_counters counters;
    static struct fh_image_thread threads[64];
    struct fh_image *image;
    uint64_t violations;
    if (fh_image_open("corrupt", path, 0, &image) != 0)
        return 0;
    fh_image_account(image, NULL, &account);
    fh_image_counters(image, &counters);
    fh_image_threads(image, threads, 64);
    fh_image_check(image, NULL, ignore, NULL, &violations);
    fh_image_close(image);
    return 1;
}

/* A root with an array that begins outside its record does not hold, also when the array is said not to be there. */
static bool far_arrays_are_refused(const char *path)
{
    struct fh_image *image;
    if (fh_image_open("corrupt", path, 0, &image) != 0)
        return false;
    struct fh_image_root root = *fh_image_root(image);
    fh_image_close(image);
    struct fh_image_field *const arrays[] = {&root.state_classes, &root.state_cached,   &root.state_cache_bins,
                                             &root.state_runs,    &root.heap_bin_words, &root.heap_bin_heads};
    bool good = fh_image_root_holds(&root);
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        struct fh_image_field kept = *arrays[i];
        *arrays[i] = (struct fh_image_field){.offset = INT32_MAX, .bytes = 0};
        if (fh_image_root_holds(&root)) {
            fprintf(stderr, "a root whose array %zu begins at %d holds\n", i, INT32_MAX);
            good = false;
        }
        *arrays[i] = kept;
    }
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int rounds = atoi(argv[3]);
    size_t bytes;
    char *text = read_file(argv[1], &bytes);
    struct fh_snapshot_trailer trailer;
    memcpy(&trailer, text + bytes - sizeof(trailer), sizeof(trailer));
    struct fh_snapshot_entry *entries = malloc(trailer.index_entries * sizeof(*entries));
    struct fh_packer *packer = fh_packer_open();
    if (!fh_unpack(packer, entries, trailer.index_entries * sizeof(*entries), text + trailer.index_offset,
                   trailer.index_stored_bytes))
        return 2;
    fh_packer_close(packer);
    int opened = 0;
    if (!read_all(argv[1]) || !far_arrays_are_refused(argv[1]))
        return 1;
    for (int i = 0; i < rounds; i++) {
        rewrite(text, entries, trailer.index_entries, argv[2]);
        opened += read_all(argv[2]);
    }
    printf("%d of %d could be opened\n", opened, rounds);
    free(entries);
    free(text);
    return opened == 0 || opened == rounds;
}
