/*
 * pins_sums.h - the sums of the model of pins: shared by pins.c and pins_sums.c only.
 */
#ifndef FREEHOLD_TOOL_PINS_SUMS_H
#define FREEHOLD_TOOL_PINS_SUMS_H

#include "pins.h"

/* Where a block is summed up besides its site: an object of a slab by class and thread, another by size and heap. */
struct fh_pin_owners {
    bool is_object;
    uint32_t size, owner; /* indices of the arrays in struct fh_pins */
};
struct fh_pin_owners fh_pins_owners_of_object(struct fh_pins *pins, uint32_t class_bytes, uint32_t thread);
struct fh_pin_owners fh_pins_owners_of_chunk(uint64_t bytes, uint32_t heap);

/* Counts live blocks, but not at their sites. */
void fh_pins_count(struct fh_pins *pins, struct fh_pin_owners owners, uint64_t blocks, uint64_t bytes);
/* Fills in site and age of a block, if there are sites; and counts it there. */
void fh_pins_locate(struct fh_pins *pins, struct fh_sites *sites, struct fh_pin_block *block);
void fh_pins_count_at_site(struct fh_pins *pins, const struct fh_pin_block *block);

/* Charges what the block holds, all at once. */
void fh_pins_charge(struct fh_pins *pins, struct fh_pin_owners owners, const struct fh_pin_block *block);
/* Of what has been charged: `bytes` are held by the top, and not as a chunk. */
void fh_pins_move_to_top(struct fh_pins *pins, struct fh_pin_owners owners, const struct fh_pin_block *block,
                         uint64_t bytes);
/* A region has been walked over, with so many live blocks: `above` of its blocks counted them from below until now. */
void fh_pins_end_region(struct fh_pins *pins, uint32_t region, uint64_t live_blocks);

#endif
