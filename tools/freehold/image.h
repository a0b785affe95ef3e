/*
 * image.h - a heap seen from outside: of a running process, in a snapshot, in a core file. One reader for all verbs.
 *
 * Everything is found from the root structure that the library exports (freehold_image.h). What is read was written by
 * a program that may be damaged and may be running: every address and size is checked before it is used, nothing is
 * followed without a bound, and what does not hold is counted as a gap, never believed.
 *
 * A running process is neither stopped nor asked: its memory is copied a few MiB at a time, and only pages that are in
 * memory are touched, so that looking at a heap does not make it grow. What changes meanwhile is seen in its old or in
 * its new state; a tag that is caught half-way is read again. Who needs a standstill (check) holds the process for that
 * time with fh_image_hold; should this program be killed, the kernel lets the process go on.
 *
 *     struct fh_image *image;
 *     int status = fh_image_open("top", "1234", 0, &image);   // a PID, or the name of a snapshot or core file
 *     if (status != 0) return status;                         // the reason has been printed
 *     struct fh_image_counters counters;
 *     fh_image_counters(image, &counters);                    // cheap: the library's own sums; again and again
 *     fh_image_account(image, NULL, &account);                // walks over everything
 *     fh_image_close(image);
 */
#ifndef FREEHOLD_TOOL_IMAGE_H
#define FREEHOLD_TOOL_IMAGE_H

#include "build_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <freehold_image.h>

struct fh_image;

enum fh_image_kind { FH_IMAGE_PROCESS, FH_IMAGE_SNAPSHOT, FH_IMAGE_CORE };

struct fh_image_about {
    enum fh_image_kind kind;
    pid_t pid;
    char name[64];      /* of the process */
    uint64_t taken_ns;  /* CLOCK_REALTIME when it was opened, or when the snapshot was taken; 0: not known (core) */
    size_t page_bytes;
    bool knows_pages;   /* whether it can be said which pages are in memory; not of a core file */
    bool was_held;      /* of a snapshot: the process stood still while it was taken */
    bool has_root;      /* false: the process does not run on freehold (only with FH_IMAGE_FOREIGN_TOO) */
    uint32_t version;   /* of the library: major << 16 | minor << 8 | patch */
};

enum fh_image_flags {
    FH_IMAGE_FOREIGN_TOO = 1 /* a process that does not run on freehold is opened too: only its mappings can be read */
};

/* `word` is a process id or a file name. 0, or FH_EXIT_FAILED or FH_EXIT_USAGE when the reason has been printed. */
int fh_image_open(const char *verb, const char *word, unsigned flags, struct fh_image **image);
/* Whether it is a file that fh_image_open reads. */
bool fh_image_is_file(const char *path);
void fh_image_close(struct fh_image *image);
const struct fh_image_about *fh_image_about(const struct fh_image *image);
enum { FH_IMAGE_NAME_BYTES = 128 };
/* "process 1234 (name)", "snapshot of process …", "core of process …" */
const char *fh_image_name(const struct fh_image_about *about, char text[FH_IMAGE_NAME_BYTES]);
/* "0.1.0", of the library */
const char *fh_image_version(const struct fh_image_about *about, char text[FH_IMAGE_NAME_BYTES]);
const struct fh_image_root *fh_image_root(const struct fh_image *image);

/* Copies memory; false when not all of it could be read (what could not is 0). */
bool fh_image_read(struct fh_image *image, uint64_t address, void *buffer, size_t bytes);
uint64_t fh_image_read_number(struct fh_image *image, uint64_t address, size_t bytes); /* 1 to 8 bytes; 0 if not */
/* The field of a record that has been copied: a number of 1, 2, 4 or 8 bytes; 0 when the library has no such field. */
uint64_t fh_image_field(const void *record, struct fh_image_field field);
/* Where in the process that field is, of the record at `address`. */
#define FH_IMAGE_AT(address, field) ((address) + (field).offset)

/*
 * A view of `bytes` (at most FH_IMAGE_VIEW_MOST) at `address`: through a window of some MiB that slides upwards, so
 * walks in address order cost one copy. Valid until the next view or walk step. Bytes that cannot be read are 0; NULL
 * when none can.
 */
enum { FH_IMAGE_VIEW_MOST = 1 << 20 };
const unsigned char *fh_image_view(struct fh_image *image, uint64_t address, size_t bytes);
/* The same, of what the process has there now, and not when the window was filled. */
const unsigned char *fh_image_view_again(struct fh_image *image, uint64_t address, size_t bytes);
/* Of [start, start + bytes): how many bytes lie on pages that are in memory, and (may be NULL) that are swapped out. */
uint64_t fh_image_resident(struct fh_image *image, uint64_t start, uint64_t bytes, uint64_t *swapped);

/* The mappings of the process, in address order. */
struct fh_image_vma {
    uint64_t start, end;
    uint64_t rss_bytes, swap_bytes; /* as smaps says; 0 in a core */
    uint64_t file_offset;
    bool writable, executable, is_private;
    char *path;     /* "" for none */
    char *build_id; /* of a snapshot, where it was noted; else NULL */
};
const struct fh_image_vma *fh_image_vmas(struct fh_image *image, size_t *count);
/* The mapping that the address lies in; NULL for none. */
const struct fh_image_vma *fh_image_vma_at(struct fh_image *image, uint64_t address);
/* The file that is mapped there, as it was: a process's own, whatever its path has become; else the file of that path
 * if it has the build id that was noted, or, where none was, is no newer than the image. -1 for none. */
int fh_image_open_file(struct fh_image *image, const struct fh_image_vma *vma);
/* The build id of that file; false, and an empty text, when it is not known. */
bool fh_image_build_id(struct fh_image *image, const struct fh_image_vma *vma, char text[FH_BUILD_ID_TEXT]);
/* Reads them and what follows from them anew, for a process that is looked at for long; false when it has ended. */
bool fh_image_refresh(struct fh_image *image);

/* Stops a process, all of its threads, until fh_image_release; nothing for files. 0 or an errno. No thread is inside
 * the allocator then, as far as can be known. */
int fh_image_hold(struct fh_image *image);
void fh_image_release(struct fh_image *image);

/* The resident set of the whole process: of one that runs as the kernel says now (statm, which is cheap; 0 when it has
 * ended, or is a zombie), of a file as its mappings say. */
uint64_t fh_image_rss(const struct fh_image *image);

/* --- What the library's own counters say. Costs some reads for each heap and thread. --- */

enum fh_item { FH_LIVE, FH_ROUNDING, FH_CACHED, FH_FREE, FH_UNTOUCHED, FH_METADATA, FH_ITEMS };
extern const char *const fh_item_names[FH_ITEMS];    /* "live" ... */
extern const char *const fh_item_meanings[FH_ITEMS]; /* "held by the program" ... */

/* The members are those of counters.def, which explains them. The items are what fh_account_read() of freehold.h says,
 * but that page map and tables of a profile count as untouched. */
enum { FH_CLASSES_MOST = 80, FH_HEAPS_SHOWN = 64 };
struct fh_image_counters {
    union {
        uint64_t bytes[FH_ITEMS];
        struct {
#define FH_ITEM(item, remark, help) uint64_t item##_bytes;
#include "counters.def"
        };
    };
#define FH_ITEM(item, remark, help)
#define FH_COUNTER(name, kind, unit, label, remark, help) uint64_t name;
#include "counters.def"
    uint32_t heap_count, class_count; /* of the following: how many mean something */
    struct fh_image_heap {
#define FH_HEAP_COUNTER(name, kind, unit, help) uint64_t name;
#include "counters.def"
    } heap[FH_HEAPS_SHOWN];
    struct fh_image_class { /* index: object size / 16 */
#define FH_CLASS_COUNTER(name, kind, unit, help) uint64_t name;
#include "counters.def"
    } classes[FH_CLASSES_MOST];
};
/* False when the process has ended. Another one's counters that it writes meanwhile are read until they hold still, or
 * a few times. */
bool fh_image_counters(struct fh_image *image, struct fh_image_counters *counters);

struct fh_image_thread {
    uint32_t id, status, heap;   /* number of the state; freehold_image.h: state_status */
    uint64_t pointer;            /* thread pointer of the thread that runs it */
    uint64_t slab_bytes, cached_bytes, outgoing_bytes;
};
/* The states of threads, from number 1; returns how many, at most `most`. */
size_t fh_image_threads(struct fh_image *image, struct fh_image_thread *threads, size_t most);
/* All of them, to be freed; NULL, and 0 of them, without memory. */
struct fh_image_thread *fh_image_threads_all(struct fh_image *image, size_t *count);

enum { FH_THREAD_COMM_BYTES = 16 }; /* as the kernel has it */
struct fh_image_thread_name {
    uint32_t state;
    int32_t id;                      /* the kernel's */
    char name[FH_THREAD_COMM_BYTES]; /* empty: not known, as of most threads of a core */
};
/* Of the thread that runs the state; false when that is not known, or no thread does. */
bool fh_image_thread_name(struct fh_image *image, const struct fh_image_thread *thread,
                          struct fh_image_thread_name *name);

/* --- The walk over all blocks, in address order --- */

enum fh_region_kind {
    FH_REGION_SEGMENT,
    FH_REGION_SLAB,
    FH_REGION_LARGE,
    FH_REGION_PAGEMAP,
    FH_REGION_STATES,
    FH_REGION_SAMPLES /* tables of freehold_samples.h, mostly untouched as the page map is */
};
struct fh_region {
    uint64_t start, bytes;
    uint64_t pointer;  /* of a large block */
    uint32_t heap;     /* number; UINT32_MAX for none */
    uint8_t kind;      /* enum fh_region_kind */
    bool is_break;     /* a segment from the break */
    bool is_growing;   /* the segment that ends in top */
    bool is_free;      /* a large block that is kept for the next request */
};
/* Everything that the library has from the kernel, in address order; NULL without memory. Lives until the next call. */
const struct fh_region *fh_image_regions(struct fh_image *image, size_t *count);

enum fh_block_is { FH_IS_LIVE, FH_IS_CACHED, FH_IS_FREE, FH_IS_TOP };
struct fh_image_chunk {
    uint64_t start; /* of its tag; the block starts 8 bytes further on */
    uint64_t bytes; /* to the next tag */
    uint64_t untouched_from; /* of top: from here on it was never used; else its end */
    enum fh_block_is is;
    bool purged;
    uint64_t purged_from, purged_to; /* of a purged one: the pages that were given back */
};
enum { FH_SLAB_WORDS = 65536 / 16 / 64 };
struct fh_image_slab {
    uint64_t start, bytes;
    uint32_t class_bytes, first, capacity, carved; /* object i < carved at start + first + i * class_bytes */
    uint32_t owner;                                /* number of the state */
    uint32_t live_count, cached_count, free_count; /* of carved */
    bool list_is_sound;
    uint64_t live[FH_SLAB_WORDS];  /* a bit for each object */
    uint64_t listed[FH_SLAB_WORDS]; /* on the slab's list, or its page has been given back; the rest is cached */
};
static inline bool fh_bit_of(const uint64_t *bits, uint32_t i) { return bits[i / 64] >> (i % 64) & 1; }

/* Any of the functions may be NULL. `chunk` gets no slabs. A large block is a region. */
struct fh_image_walker {
    void *arg;
    void (*region)(struct fh_image *image, const struct fh_region *region, void *arg);
    void (*chunk)(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                  void *arg);
    void (*slab)(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab, void *arg);
    void (*gap)(struct fh_image *image, const struct fh_region *region, uint64_t start, uint64_t bytes, void *arg);
    const char *progress; /* the verb: shows how far it is on a terminal's stderr when it takes long; NULL: no */
};
/* False when the process ended meanwhile, or memory ran out. */
bool fh_image_walk(struct fh_image *image, const struct fh_image_walker *walker);

/* floor(log2(n)), and 0 for 0 */
static inline unsigned fh_log2(uint64_t n) { return n ? 63u - (unsigned)__builtin_clzll(n) : 0; }

/* --- The account by a walk: of every byte what it is, and whether it is in memory --- */

struct fh_image_account {
    uint64_t bytes[FH_ITEMS], resident[FH_ITEMS], swapped_bytes;
    uint64_t obtained_bytes, returned_bytes, stranded_bytes; /* of the ledger; stranded is part of untouched */
    uint64_t gap_bytes; /* could not be read, or did not hold; in none of the items */
    uint64_t live_blocks, cached_blocks, free_chunks, large_blocks, large_bytes, warm_bytes, slabs;
    struct fh_image_place { /* the item `free`, by where it is */
        uint64_t bytes, resident;
    } free_in_slabs, free_uncarved, free_in_chunks, free_in_top, free_in_mappings;
    struct fh_image_place stack_tables; /* of the item `metadata`: the tables of freehold_samples.h */
    uint64_t whole_pages; /* of free_in_chunks: resident on pages without anything else */
    uint64_t slab_whole_pages; /* of free_in_slabs: the same */
    uint64_t purged_bytes; /* of untouched: pages of free chunks that were given back */
    struct fh_image_class_use { /* index: object size / 16 */
        uint64_t slabs, slab_bytes, live, cached, free, uncarved, free_resident; /* objects; bytes where it says so */
    } classes[FH_CLASSES_MOST];
    struct fh_image_size_use { /* chunks and large blocks; index: floor(log2 of the usable size) */
        uint64_t live_blocks, live_bytes, cached_bytes, free_blocks, free_bytes;
    } sizes[64];
};
/* `verb`: for the progress; may be NULL. */
bool fh_image_account(struct fh_image *image, const char *verb, struct fh_image_account *account);

/* --- Every invariant of ARCHITECTURE.md (H1 to H5, S1 to S3, P1, A1), of an image that stands still --- */

/* `address` is 0 where it is about all of them. */
typedef void fh_image_violation_fn(const char *invariant, uint64_t address, const char *text, void *arg);
/* *count: how many were reported. False when the process ended meanwhile, or memory ran out. */
bool fh_image_check(struct fh_image *image, const char *verb, fh_image_violation_fn *report, void *arg,
                    uint64_t *count);

/* --- Snapshots --- */

/* Writes what is needed to do all of this later, and nothing of what the program's blocks hold. 0, or FH_EXIT_FAILED
 * when the reason has been printed. *saved may be NULL. */
struct fh_image_saved {
    uint64_t heap_bytes, file_bytes;
};
int fh_image_save(struct fh_image *image, const char *verb, const char *path, struct fh_image_saved *saved);

#endif
