/*
 * moves.h - what a thread knows of blocks that had better stand elsewhere, for programs that can move them.
 *
 * Layer: core. A slab is *leaving* when its live objects fit the free places of its class's denser slabs: it gives no
 * objects any more, and goes when the program has moved what is in it. While a thread's slabs are leaving, or blocks of
 * heaps were hinted, its cache takes no frees, so that what is freed is not what is allocated next.
 */
#ifndef FH_MOVES_H
#define FH_MOVES_H

#include "base.h"
#include "classes.h"
#include "list.h"

struct fh_state;
struct fh_slab;

struct fh_moves {
    bool on;
    uint32_t quiet_steps;               /* slow steps since the last hint */
    size_t cache_bytes;                 /* capacities as they were before: of the cache, */
    size_t medium_bytes;                /* of the store of medium blocks */
    size_t spare_bytes[FH_CLASS_COUNT]; /* free bytes of a class that were known to stay, or would be left */
    struct fh_list leaving[FH_CLASS_COUNT];
};

/* For a state that owns no slabs. */
void fh_moves_init(struct fh_moves *moves);

/* Whether a block that the program holds should be moved; stops at anything else. False for those of other threads'
 * slabs. */
bool fh_moves_should_move(struct fh_state *state, void *pointer);
/* Moves it if it should be: its new place; NULL when it stays. */
void *fh_moves_move(struct fh_state *state, void *pointer);

/* A slab that was leaving stays after all, for its class has no other with something to give; NULL for none. */
struct fh_slab *fh_moves_take_back(struct fh_state *state, size_t class_bytes);
/* All that was leaving stays, and the cache takes frees again. */
void fh_moves_end(struct fh_state *state);
/* A slow step of a thread that moves: nobody has asked for long, and it is over. */
void fh_moves_step(struct fh_state *state);

#endif
