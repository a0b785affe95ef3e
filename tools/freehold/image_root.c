/*
 * image_root.c - whether a root can be believed: it was read from a process or a file, and every reader relies on the
 * places and sizes in it.
 */
#include "image_source.h"

#include <string.h>

enum { RECORD_MOST = 1 << 16, ITEMS_MOST = 1 << 12, SLAB_VIEW = 4096, SEGMENT_VIEW = 32, SMALL_RECORD_MOST = 1 << 10 };

/* How large the record is that the field is in, by the beginning of its name; for records that are not copied: any. */
static uint64_t record_bytes(const struct fh_image_root *root, const char *name)
{
    const struct {
        const char *prefix;
        uint64_t bytes;
    } records[] = {
        {"state_table_", RECORD_MOST},
        {"heap_", root->heap_bytes},
        {"segment_", SEGMENT_VIEW},
        {"slab_", SLAB_VIEW},
        {"state_", root->state_bytes},
        {"class_", root->class_bytes},
        {"cache_bin_", root->cache_bin_bytes},
        {"run_", root->run_bytes},
    };
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        if (strncmp(name, records[i].prefix, strlen(records[i].prefix)) == 0)
            return records[i].bytes;
    }
    return RECORD_MOST;
}

static bool field_fits(const struct fh_image_root *root, const char *name, struct fh_image_field field)
{
    return field.bytes == 0 || (field.bytes <= RECORD_MOST && field.offset + (uint64_t)field.bytes <=
                                                                  record_bytes(root, name));
}

/* An array's offset is where reading begins, whatever size is said of its first element: one that the library has not
 * is at 0. */
static bool array_fits(struct fh_image_field first, uint64_t count, uint64_t each, uint64_t record)
{
    return count <= ITEMS_MOST && each <= RECORD_MOST && first.offset + count * each <= record;
}

bool fh_image_root_holds(const struct fh_image_root *root)
{
    bool good = root->heap_bytes <= RECORD_MOST && root->state_bytes <= RECORD_MOST &&
                root->class_bytes <= SMALL_RECORD_MOST && root->cache_bin_bytes <= SMALL_RECORD_MOST &&
                root->run_bytes <= SMALL_RECORD_MOST && root->small_most / 16 < FH_CLASSES_MOST &&
                root->cached_most / 16 < ITEMS_MOST && root->bin_count <= ITEMS_MOST &&
                root->bin_exact_limit >= 16 && root->bin_steps_shift <= 8 && root->cache_bins <= ITEMS_MOST &&
                root->segment_head_bytes <= SLAB_VIEW && root->segment_tail_bytes <= SLAB_VIEW &&
                root->slab_extra_bytes <= SLAB_VIEW && root->slab_shift_reserve <= 16 &&
                root->sampling_bytes <= RECORD_MOST;
#define NUMBER(name)
#define FIELD(name) good = good && field_fits(root, #name, root->name);
    FH_IMAGE_ITEMS(NUMBER, FIELD)
#undef NUMBER
#undef FIELD
    return good && array_fits(root->state_classes, root->small_most / 16 + 1, root->class_bytes, root->state_bytes) &&
           array_fits(root->state_cached, root->cached_most / 16 + 1, root->state_cached.bytes, root->state_bytes) &&
           array_fits(root->state_cache_bins, root->cache_bins, root->cache_bin_bytes, root->state_bytes) &&
           array_fits(root->state_runs, root->cache_bins, root->run_bytes, root->state_bytes) &&
           array_fits(root->heap_bin_words, (root->bin_count + 63) / 64, 8, root->heap_bytes) &&
           array_fits(root->heap_bin_heads, root->bin_count, 8, root->heap_bytes);
}
