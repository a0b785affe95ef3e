/*
 * pins.h - which live blocks keep how many free bytes from going back to the kernel: the model, without any printing.
 *
 * Counted is free memory that takes room: bytes of freed blocks (and of what was never given out) on pages that are in
 * memory. Each such byte is charged once:
 *
 *   page    its page holds live blocks too: to these, in equal parts
 *   slab    its page does not, but the slab it is part of holds live objects and cannot be dissolved: to these, in
 *           equal parts
 *   chunk   it is part of a free chunk, and its page of nothing else: to the live block next above. As long as that
 *           lives the break of the heap cannot move down over this memory, however much is freed below
 *   top     the same, of the highest such gap of a heap: when the blocks above are freed, the break moves down
 *   caches  no live block, but freed ones that threads keep for their next malloc stand in the way
 *   kept    nothing stands in the way; the library keeps it for the next requests: touched top, empty slabs, freed
 *           mappings, and the free ends of segments
 *
 * So the six add up to what is free in memory: in `freehold explain`, "free" and "cached" of the column "in memory".
 */
#ifndef FREEHOLD_TOOL_PINS_H
#define FREEHOLD_TOOL_PINS_H

#include "image.h"
#include "sites.h"

enum fh_pin_how { FH_PIN_PAGE, FH_PIN_SLAB, FH_PIN_CHUNK, FH_PIN_TOP, FH_PIN_HOWS };
extern const char *const fh_pin_names[FH_PIN_HOWS]; /* "page" ... */

struct fh_pin_sum {
    uint64_t live_blocks, live_bytes;
    uint64_t holders;           /* blocks of these that hold something */
    uint64_t held[FH_PIN_HOWS]; /* bytes */
};
uint64_t fh_pin_total(const struct fh_pin_sum *sum);

#define FH_PIN_NO_SITE UINT32_MAX
struct fh_pin_block {
    uint64_t address, bytes;
    uint64_t held[FH_PIN_HOWS], total;
    uint64_t above;   /* live blocks above it in its segment */
    uint64_t born_ms; /* with a site: when, as times of samples are counted */
    uint32_t site;    /* number in sites[]; FH_PIN_NO_SITE */
    uint32_t thread;  /* number of the state that owns its slab; 0: a chunk */
    uint32_t heap;    /* number; UINT32_MAX for none */
    uint32_t region;  /* inside the model: which one it lies in */
};

struct fh_pin_site {
    uint32_t stack; /* 0: the blocks whose stack is not known */
    struct fh_pin_sum sum;
    uint64_t oldest_ms, youngest_ms; /* of blocks that hold something, or, if there are none, 0 */
};

struct fh_pins {
    struct fh_pin_sum all;
    uint64_t caches_bytes;
    uint64_t kept_top_bytes, kept_slab_bytes, kept_mapping_bytes, kept_end_bytes;
    uint64_t resident_bytes; /* of segments, slabs and large blocks */
    uint64_t gap_bytes;      /* could not be read, or did not hold */

    struct fh_pin_sum classes[FH_CLASSES_MOST]; /* slab objects, by their size / 16 */
    struct fh_pin_sum sizes[64];                /* other blocks, by floor(log2 of the usable size) */
    struct fh_pin_sum *threads;                 /* slab objects, by the number of their owner */
    size_t thread_count;
    struct fh_pin_sum heaps[FH_HEAPS_SHOWN]; /* other blocks, by heap */
    struct fh_pin_site *sites;               /* in no order; none without --sites */
    size_t site_count;
    struct fh_pin_block *blocks; /* those that hold most, the most first */
    size_t block_count;

    /* inside the model */
    size_t block_room, site_room, site_hash_room;
    uint32_t *site_hash;
    bool out_of_memory;
};

/*
 * Walks over the heap. `sites` may be NULL; `verb` is for the progress, or NULL; `blocks_most` bounds blocks[]. Time
 * grows with the heap; memory with the number of call stacks and threads only. False when the process ended meanwhile
 * or memory ran out; fh_pins_free is due in any case.
 */
bool fh_pins_find(struct fh_image *image, struct fh_sites *sites, const char *verb, size_t blocks_most,
                  struct fh_pins *pins);
void fh_pins_free(struct fh_pins *pins);

/* Everything that is free and in memory, and the part that nothing stands in the way of. */
uint64_t fh_pins_free_bytes(const struct fh_pins *pins);
uint64_t fh_pins_kept_bytes(const struct fh_pins *pins);

/* Numbers of sites[], those that hold most (or, `by_live`, have most live bytes) first; at most `most`. How many. */
size_t fh_pins_top_sites(const struct fh_pins *pins, bool by_live, uint32_t *order, size_t most);

#endif
