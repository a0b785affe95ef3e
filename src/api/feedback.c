/*
 * feedback.c - what malloc(3) cannot say: how large a block really is, how large it might be at no cost, and whether it
 * had better stand elsewhere.
 *
 * Layer: api.
 */
#include <errno.h>

#include "api.h"
#include "core.h"
#include "freehold.h"
#include "large.h"
#include "os.h"
#include "state.h"

FH_EXPORT struct fh_sized_block fh_malloc_at_least(size_t size)
{
    void *pointer = FH_API(malloc)(size);
    return (struct fh_sized_block){pointer, pointer ? fh_core_usable(pointer) : 0};
}

FH_EXPORT size_t fh_good_size(size_t size)
{
    size_t whole;
    if (size > PTRDIFF_MAX) return 0;
    if (size <= FH_SMALL_MOST) return fh_class_size(fh_max(size, 1));
    if (size < fh_large_threshold()) /* above the largest chunk stands a mapping, which costs more */
        return fh_min(fh_chunk_size_for(size) - FH_CHUNK_TAG_BYTES, fh_large_threshold() - 1);
    if (!fh_checked_align_up(size + FH_LARGE_HEAD_BYTES, fh_os_page_size(), &whole)) return 0;
    return fh_min(whole - FH_LARGE_HEAD_BYTES, PTRDIFF_MAX);
}

FH_EXPORT int fh_should_move(void *pointer)
{
    struct fh_state *state = pointer ? fh_state_self() : NULL;
    return state ? fh_moves_should_move(state, pointer) : 0;
}

FH_EXPORT size_t fh_should_move_batch(void *const *pointers, size_t count, unsigned char *answers)
{
    size_t hinted = 0;
    for (size_t i = 0; i < count; i++) hinted += answers[i] = (unsigned char)fh_should_move(pointers[i]);
    return hinted;
}

FH_EXPORT void *fh_move(void *pointer)
{
    struct fh_state *state = pointer ? fh_state_self() : NULL;
    return state ? fh_moves_move(state, pointer) : NULL;
}
