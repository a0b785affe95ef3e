/*
 * image_source.h - where an image's memory comes from: shared by the files image*.c only.
 */
#ifndef FREEHOLD_TOOL_IMAGE_SOURCE_H
#define FREEHOLD_TOOL_IMAGE_SOURCE_H

#include "image.h"

enum { FH_PAGE_PRESENT = 1, FH_PAGE_SWAPPED = 2 };

struct fh_image_source {
    /* Reads what it can of [address, address + bytes), the rest is 0; how many bytes it could. */
    size_t (*read)(struct fh_image *image, uint64_t address, void *buffer, size_t bytes);
    /* Of each of the `count` pages from `address` (a multiple of the page size) on: FH_PAGE_... bits. */
    void (*pages)(struct fh_image *image, uint64_t address, size_t count, unsigned char *flags);
    /* The first address from here on that may be readable; UINT64_MAX: none. */
    uint64_t (*next)(struct fh_image *image, uint64_t address);
    void (*close)(struct fh_image *image);
};

enum { FH_WINDOW_BYTES = 4 << 20 };

struct fh_image {
    struct fh_image_about about;
    struct fh_image_root root;
    uint64_t secret;
    const struct fh_image_source *source;
    void *source_data; /* of the source */
    bool has_ended;    /* the process, while it was read */
    struct fh_image_vma *vmas;
    size_t vma_count;
    struct fh_image_thread_name *thread_names; /* of a snapshot, by state */
    size_t thread_name_count;
    struct fh_image_core_thread { /* of a core, as its notes say */
        uint64_t pointer;         /* the thread pointer */
        int32_t id;
    } *core_threads;
    size_t core_thread_count;
    struct fh_region *regions;
    size_t region_count;

    unsigned char *window; /* FH_WINDOW_BYTES */
    unsigned char *window_pages;
    uint64_t window_start;
    size_t window_bytes; /* 0: nothing in it */
};

/* Sources: each fills about, vmas and source, or prints why not and returns FH_EXIT_FAILED. */
int fh_image_open_process(const char *verb, pid_t pid, struct fh_image *image);
int fh_image_open_snapshot(const char *verb, const char *path, int fd, struct fh_image *image);
int fh_image_open_core(const char *verb, const char *path, int fd, struct fh_image *image);
bool fh_image_is_snapshot(int fd);
bool fh_image_is_core(int fd);

/* Reads the mappings of a process from smaps; NULL and errno. */
struct fh_image_vma *fh_image_read_vmas(pid_t pid, size_t *count);
void fh_image_free_vmas(struct fh_image_vma *vmas, size_t count);

/* Number of the first mapping that ends above the address; their count for none. */
size_t fh_image_vma_above(const struct fh_image *image, uint64_t address);

/* Finds the root; false when there is none. When there is one of a layout that is not known: *layout is that. */
bool fh_image_find_root(struct fh_image *image, uint32_t *layout);

/* Whether the places and sizes in it make sense; false: it is damaged. */
bool fh_image_root_holds(const struct fh_image_root *root);

/* Thread states: numbers are below fh_image_state_end; where one is, 0 for nowhere. */
uint64_t fh_image_state_end(struct fh_image *image);
uint64_t fh_image_state_at(struct fh_image *image, uint64_t id);

/* --- the guard's words (freehold_image.h) --- */

#define FH_TAG_CONTENT (((uint64_t)1 << 48) - 1)
static inline uint64_t fh_seal_with(uint64_t secret, uint64_t content, uint64_t place)
{
    uint64_t mixed = (content ^ secret ^ place << 1) * UINT64_C(0x9e3779b97f4a7c15);
    return content | (mixed & ~FH_TAG_CONTENT);
}
static inline uint64_t fh_seal_of(const struct fh_image *image, uint64_t content, uint64_t place)
{
    return fh_seal_with(image->secret, content, place);
}
static inline bool fh_is_sealed(const struct fh_image *image, uint64_t tag, uint64_t place)
{
    return tag == fh_seal_of(image, tag & FH_TAG_CONTENT, place);
}
static inline uint64_t fh_word_at(const unsigned char *bytes)
{
    uint64_t word;
    __builtin_memcpy(&word, bytes, sizeof(word));
    return word;
}
/* Whether the block at `address`, of which `bytes` are the first 16, is on a list. */
static inline bool fh_is_marked(const struct fh_image *image, const unsigned char *bytes, uint64_t address)
{
    return fh_word_at(bytes + 8) == image->secret + address;
}
/* What follows it there; 0 at the end. */
static inline uint64_t fh_next_of(const struct fh_image *image, const unsigned char *bytes, uint64_t address)
{
    uint64_t next = fh_word_at(bytes) ^ (image->secret + address);
    return next == image->root.list_end ? 0 : next;
}

enum { FH_TAG_IN_USE = 1, FH_TAG_PREVIOUS_IN_USE = 2, FH_TAG_TOP = 4, FH_TAG_SLAB = 4, FH_TAG_PURGED = 8 };
#define FH_TAG_SIZE(content) ((content) & ~(uint64_t)15)

/* Of records in order of their addresses, each of which begins with two words, its start and its bytes: the index of
 * the first that ends above the address; `count` when none does. */
size_t fh_first_above(const void *records, size_t count, size_t record_bytes, uint64_t address);

/* Fills *slab from the record at `start` and its objects; false when there is no sound slab. In a view. */
bool fh_image_read_slab(struct fh_image *image, uint64_t start, struct fh_image_slab *slab);

#endif
