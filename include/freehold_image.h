/*
 * freehold_image.h - the root from which a heap can be read from outside: by another process, in a core file, in a
 * snapshot.
 *
 * The library exports one constant object, fh_root. It holds addresses in the process, sizes, and where the fields
 * that a reader needs lie in the library's structures. It costs nothing at run time, and nothing is ever written to it
 * after the loader has relocated it.
 *
 * Finding it: by the ELF symbol fh_root; or, in stripped programs and in cores, by its first 16 bytes, which stand on a
 * multiple of 16 in a writable or relocated part of the file, followed by its own address. Numbers are little-endian,
 * as on every machine that Freehold runs on.
 *
 * Compatibility. The list of items below only ever grows at its end; `root_bytes` tells how many there are, so a reader
 * takes those that it knows, and an item that the library does not have reads as 0 (a field of 0 bytes is not there).
 * FH_IMAGE_LAYOUT changes when the meaning of an item does, or one of the rules below: a reader that does not know a
 * number says so and goes no further.
 *
 * Rules of layout 1, beyond what the items say:
 *
 *   page map    root[address >> 32] is the address of a leaf of 2^20 32-bit entries, one for each 4 KiB, or 0.
 *               0: not ours; bit 31 clear: a slab, bits 12-29 its owner's number, bits 0-11 its object size;
 *               bits 31,30 = 1,0: a heap, bits 12-29 its number; bits 31,30 = 1,1: the page with a large block's
 *               pointer, at its very start if bit 0 is set.
 *   tag         content in bits 0-47; bits 48-63 are those of (content ^ secret ^ place << 1) * 0x9e3779b97f4a7c15.
 *   chunk       a tag, its content size | flags: 1 in use, 2 previous in use, 4 top (free) or slab (in use),
 *               8 purged (free) or fence (in use); the block starts 8 bytes further on. A free chunk that is not top
 *               ends in a tag with its size, and has the next and previous chunk of its bin as links behind its tag
 *               (bins.c; address ^ mark of the place where the link stands, 0 and `list_end` for none).
 *   segment     its record at the start (segment_*); chunks from segment_head_bytes on to segment_tail_bytes before
 *               the end. Its last chunk is top, or is followed by a fence.
 *   slab        its record at the start, on a multiple of its size (1 << slab_shift). The chunk that it is has its tag
 *               within 16 bytes of that. Object i of slab_carved is at slab_first + i * slab_class_bytes.
 *   mark        a freed block that is on any list has secret + address as its second word, and
 *               (secret + address) ^ next as its first.
 *   large       two tags in front of the pointer: its offset from the start of the mapping, and the mapping's size.
 *   states      number 1 is state_table_first, numbers from 2 on lie state_table_per_block to a block.
 */
#ifndef FREEHOLD_IMAGE_H
#define FREEHOLD_IMAGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FH_IMAGE_MAGIC "\211freehold-image\n" /* without the 0 at its end */
enum { FH_IMAGE_MAGIC_BYTES = 16, FH_IMAGE_LAYOUT = 1 };

/* Where a field lies in its structure; 0 bytes: the library has no such field. Of an array: one element. */
struct fh_image_field {
    uint32_t offset, bytes;
};

/* The items: NUMBER for addresses, sizes and counts, FIELD for fields. New ones go to the end. */
#define FH_IMAGE_ITEMS(NUMBER, FIELD)                                                                                  \
    NUMBER(pagemap_root)             /* address of 65,536 addresses of leaves */                                       \
    NUMBER(heaps)                    /* address of the array of heaps */                                               \
    NUMBER(heap_bytes)               /* of one of them */                                                              \
    NUMBER(heap_count)               /* address of a 32-bit number: heaps in use */                                    \
    NUMBER(state_table)              /* address of the record that state_table_* describe */                           \
    NUMBER(state_bytes)              /* of a thread's state */                                                         \
    NUMBER(wholesale)                /* address of the ledger of what the kernel gave */                               \
    NUMBER(large_counts)             /* address of the counters of large blocks */                                     \
    NUMBER(transit_bytes)            /* address: bytes of small blocks on the way to their owners */                   \
    NUMBER(transit_objects)          /* address: how many these are */                                                 \
    NUMBER(secret)                   /* address of the guard's secret */                                               \
    NUMBER(list_end)                 /* address that ends lists, besides 0 */                                          \
    NUMBER(options)                  /* address of the options' values */                                              \
    NUMBER(fork_has_torn)            /* address of a 32-bit number: not 0 in the child of a threaded process */        \
    NUMBER(small_most)               /* the largest class of slabs, in bytes */                                        \
    NUMBER(cached_most)              /* the largest size that a thread's cache has lists for, in bytes */              \
    NUMBER(segment_head_bytes)                                                                                         \
    NUMBER(segment_tail_bytes)                                                                                         \
    NUMBER(slab_extra_bytes)         /* of each slab: metadata */                                                   \
    NUMBER(slab_shift_reserve)       /* an empty slab larger than 1 << this is not kept */                             \
    NUMBER(class_bytes)              /* of the record of an owner's slabs of one class */                              \
    NUMBER(bin_count)                /* free lists of a heap */                                                        \
    NUMBER(bin_exact_limit)          /* below this size, a bin for every 16 bytes */                                   \
    NUMBER(bin_steps_shift)          /* above, 1 << this many bins to a doubling */                                    \
    FIELD(state_table_first)         /* address of state number 1 */                                                   \
    FIELD(state_table_blocks)        /* address of the array of addresses of blocks */                                 \
    FIELD(state_table_id_end)        /* address of a 32-bit number: states have lower ones */                          \
    FIELD(state_table_per_block)                                                                                       \
    FIELD(heap_id)                                                                                                     \
    FIELD(heap_lock)                 /* 0 in its lowest byte: nobody holds it */                                       \
    FIELD(heap_segments)             /* address of the first */                                                        \
    FIELD(heap_growing)              /* address of the segment that ends in top */                                     \
    FIELD(heap_top)                  /* address of top's tag, or 0 */                                                  \
    FIELD(heap_fresh)                /* address from which on top was never touched */                                 \
    FIELD(heap_mapped)               /* address up to which the page map names the growing segment */                  \
    FIELD(heap_trim_at_bytes)        /* touched bytes of top above which it is trimmed; 0: the option's */             \
    FIELD(heap_handed_over)          /* blocks that wait for the lock */                                               \
    FIELD(heap_handed_over_bytes)                                                                                      \
    FIELD(heap_total_bytes)          /* of all segments */                                                             \
    FIELD(heap_free_bytes)           /* in bins */                                                                     \
    FIELD(heap_purged_bytes)         /* of those: whole pages that went back to the kernel */                          \
    FIELD(heap_used_bytes)                                                                                             \
    FIELD(heap_used_chunks)                                                                                            \
    FIELD(heap_slab_bytes)                                                                                             \
    FIELD(heap_slab_chunks)                                                                                            \
    FIELD(heap_bin_summary)                                                                                            \
    FIELD(heap_bin_words)            /* the first of (bin_count + 63) / 64 */                                          \
    FIELD(heap_bin_heads)            /* the first of bin_count */                                                      \
    FIELD(segment_next)                                                                                                \
    FIELD(segment_size)                                                                                                \
    FIELD(segment_is_break)                                                                                            \
    FIELD(slab_seal)                 /* a tag over slab_entry, sealed for the slab's address */                        \
    FIELD(slab_entry)                /* its pages' entry in the page map */                                            \
    FIELD(slab_heap)                                                                                                   \
    FIELD(slab_shift)                                                                                                  \
    FIELD(slab_tail)                 /* bytes at its end that are the chunk's above: a piece of a cut slab */          \
    FIELD(slab_is_mapping)                                                                                             \
    FIELD(slab_free)                 /* the slab's own list */                                                         \
    FIELD(slab_free_count)                                                                                             \
    FIELD(slab_carved)                                                                                                 \
    FIELD(slab_capacity)                                                                                               \
    FIELD(slab_first)                                                                                                  \
    FIELD(slab_class_bytes)                                                                                            \
    FIELD(state_id)                                                                                                    \
    FIELD(state_status)              /* 0 unused, 1 running, 2 abandoned, 3 and 4 being drained, 5 torn by a fork */   \
    FIELD(state_thread)              /* thread pointer of the thread that runs it */                                   \
    FIELD(state_heap)                /* address of the heap that it allocates from */                                  \
    FIELD(state_inbox)                                                                                                 \
    FIELD(state_slab_bytes)          /* of its slabs */                                                                \
    FIELD(state_mapped_bytes)        /* of these: mappings of their own */                                             \
    FIELD(state_classes)             /* the first of small_most / 16 + 1 records of class_bytes */                     \
    FIELD(state_cached)              /* the first of cached_most / 16 + 1 counts */                                    \
    FIELD(state_medium_bytes)                                                                                          \
    FIELD(state_medium_blocks)                                                                                         \
    FIELD(state_outgoing_bytes)                                                                                        \
    FIELD(state_outgoing_objects)                                                                                      \
    FIELD(class_slabs)                                                                                                 \
    FIELD(class_capacity)                                                                                              \
    FIELD(class_carved)                                                                                                \
    FIELD(class_listed)                                                                                                \
    FIELD(wholesale_obtained_bytes)                                                                                    \
    FIELD(wholesale_returned_bytes)                                                                                    \
    FIELD(wholesale_pagemap_bytes)                                                                                     \
    FIELD(wholesale_state_bytes)                                                                                       \
    FIELD(wholesale_stranded_bytes)                                                                                    \
    FIELD(wholesale_mappings)                                                                                          \
    FIELD(large_blocks)                                                                                                \
    FIELD(large_mapping_bytes)                                                                                         \
    FIELD(large_head_bytes)                                                                                            \
    FIELD(large_warm_blocks)                                                                                           \
    FIELD(large_warm_bytes)                                                                                            \
    FIELD(option_mmap_threshold)                                                                                       \
    FIELD(option_trim_threshold)                                                                                       \
    FIELD(option_top_pad)                                                                                              \
    FIELD(option_arena_max)                                                                                            \
    FIELD(option_cache_bytes)                                                                                          \
    FIELD(option_medium_cache_bytes)                                                                                   \
    NUMBER(samples)                  /* address of the record of freehold_samples.h */                                 \
    NUMBER(sample_mappings)          /* address of an array of { address, bytes }: mappings with its tables */         \
    NUMBER(sample_mapping_count)     /* address of a 32-bit number: how many there are */                              \
    NUMBER(cache_bins)               /* lists of freed blocks that a thread keeps */                                   \
    NUMBER(cache_bin_bytes)          /* of the record of one; list i has blocks of 16 * i bytes, ... */                \
    NUMBER(cache_aside_bytes)        /* ... or of this much less, where 16 * i is more than this */                    \
    NUMBER(run_bytes)                /* of the record of a run of frees into one slab, one for each list */            \
    FIELD(state_cache_bins)          /* the first of cache_bins */                                                     \
    FIELD(cache_bin_head)                                                                                              \
    FIELD(state_runs)                /* the first of cache_bins */                                                     \
    FIELD(run_slab)                                                                                                    \
    FIELD(run_length)                /* 0: there is none; what the two others say is old then */                       \
    NUMBER(sampling_bytes)           /* of a thread's counts for a profile, a mapping of whole pages */                \
    FIELD(state_sampling)            /* its address, or 0 */                                                           \
    FIELD(run_counted)               /* how many of the slab's slab_free_count class_listed knows */                   \
    FIELD(heap_given_back_bytes)     /* pages of free chunks that ever went back */                                    \
    FIELD(heap_taken_again_bytes)    /* of these: allocated again */                                                   \
    FIELD(wholesale_table_bytes)     /* tables of a profile */                                                         \
    FIELD(wholesale_obtain_calls)    /* system calls that brought memory */                                            \
    FIELD(wholesale_return_calls)    /* system calls that gave addresses back */                                       \
    FIELD(option_give_back)                                                                                            \
    FIELD(heap_withheld_bytes)       /* of a chunk in use that is being trimmed; 0: none */

#define FH_IMAGE_NUMBER_MEMBER(name) uint64_t name;
#define FH_IMAGE_FIELD_MEMBER(name) struct fh_image_field name;

struct fh_image_root {
    char magic[FH_IMAGE_MAGIC_BYTES];
    uint64_t self;         /* its own address */
    uint32_t layout;       /* FH_IMAGE_LAYOUT */
    uint32_t root_bytes;   /* of this structure */
    uint32_t version;      /* of the library: major << 16 | minor << 8 | patch */
    uint32_t unused;
    FH_IMAGE_ITEMS(FH_IMAGE_NUMBER_MEMBER, FH_IMAGE_FIELD_MEMBER)
};

extern const struct fh_image_root fh_root;

#ifdef __cplusplus
}
#endif

#endif /* FREEHOLD_IMAGE_H */
