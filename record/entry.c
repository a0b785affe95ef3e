/*
 * entry.c - the C, POSIX and GNU entry points of the recording library: the library's own, noted.
 *
 * Layer: record. The library's entry points are in here too, renamed to fhbase_* (cmake/record.cmake).
 */
#include <errno.h>
#include <stdlib.h>

#include "events.h"
#include "os.h"

void *fhbase_malloc(size_t size) FH_HIDDEN;
void fhbase_free(void *pointer) FH_HIDDEN;
void *fhbase_calloc(size_t count, size_t size) FH_HIDDEN;
void *fhbase_realloc(void *pointer, size_t size) FH_HIDDEN;
void *fhbase_aligned_alloc(size_t alignment, size_t size) FH_HIDDEN;
void *fhbase_memalign(size_t alignment, size_t size) FH_HIDDEN;
int fhbase_posix_memalign(void **out, size_t alignment, size_t size) FH_HIDDEN;
void *fhbase_valloc(size_t size) FH_HIDDEN;
void *fhbase_pvalloc(size_t size) FH_HIDDEN;
size_t fhbase_malloc_usable_size(void *pointer) FH_HIDDEN;
int fhbase_malloc_trim(size_t pad) FH_HIDDEN;

/* Declared here and in no header: <stdlib.h> may or may not have them. */
void *memalign(size_t alignment, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *pointer);
void free_sized(void *pointer, size_t size);
void free_aligned_sized(void *pointer, size_t alignment, size_t size);
void cfree(void *pointer);
int malloc_trim(size_t pad);

static unsigned char *put_reference(const struct fh_stream *stream, unsigned char *at, uint64_t id)
{
    if (id >> FH_SHADOW_THREAD_SHIFT == stream->thread)
        return fh_event_leb(fh_event_leb(at, 0), stream->now.births - (id & FH_SHADOW_NUMBERS));
    return fh_event_leb(fh_event_leb(at, 1 + (id >> FH_SHADOW_THREAD_SHIFT)), id & FH_SHADOW_NUMBERS);
}

/* What the kernel says of a large block before it goes. */
static unsigned char *put_touched(struct fh_stream *stream, unsigned char *at, void *pointer, uint64_t id)
{
    size_t pages = fh_touched_remove(pointer);
    if (pages == SIZE_MAX) return at;
    at = fh_event_head(at, FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_TOUCHED);
    at = put_reference(stream, at, id);
    stream->now.events++;
    return fh_event_leb(at, pages);
}

unsigned char *fh_event_free_other(struct fh_stream *stream, unsigned char *at, void *pointer, uint64_t id)
{
    if (!id) return fh_event_head(at, FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_FOREIGN);
    if (id & FH_SHADOW_LARGE) at = put_touched(stream, at, pointer, id);
    if (id >> FH_SHADOW_THREAD_SHIFT == stream->thread) return fh_event_free_own(stream, at, id & ~FH_SHADOW_LARGE);
    at = fh_event_head(at, FH_TRACE_CODE_FREE_OTHER, id >> FH_SHADOW_THREAD_SHIFT);
    return fh_event_leb(at, id & FH_SHADOW_NUMBERS);
}

FH_EXPORT void *malloc(size_t size)
{
    void *pointer = fhbase_malloc(size);
    fh_event_birth(FH_TRACE_CODE_MALLOC, pointer, size);
    return pointer;
}

FH_EXPORT void free(void *pointer)
{
    if (FH_LIKELY(pointer != NULL)) fh_event_death(pointer);
    fhbase_free(pointer);
}

FH_EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    void *pointer = fhbase_calloc(count, size);
    if (__builtin_mul_overflow(count, size, &bytes)) return pointer;
    fh_event_birth(FH_TRACE_CODE_CALLOC, pointer, bytes);
    return pointer;
}

/* The old block loses its name before realloc may give its address to somebody else, and has it back if that fails. */
static uint64_t take_name(const void *pointer)
{
    uint64_t *word = fh_shadow_at(pointer), id = 0;
    if (word) {
        id = *word;
        *word = 0;
    }
    return id;
}

static void note_realloc(void *resized, size_t size, uint64_t id, size_t pages)
{
    struct fh_stream *stream = fh_event_begin();
    if (!stream) return;
    unsigned char *at = fh_event_at(stream);
    if (id && pages != SIZE_MAX) {
        at = fh_event_head(at, FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_TOUCHED);
        at = fh_event_leb(put_reference(stream, at, id), pages);
        stream->now.events++;
    }
    unsigned char reference[32], *end = put_reference(stream, reference, id); /* relative to the births before */
    if (!id) {
        at = fh_event_head(at, FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_FOREIGN);
        stream->now.events++;
    }
    if (fh_event_name(stream, resized, size)) {
        at = fh_event_head(at, id ? FH_TRACE_CODE_REALLOC : FH_TRACE_CODE_MALLOC, size);
        if (id)
            for (const unsigned char *byte = reference; byte < end; byte++) *at++ = *byte;
    } else {
        stream->now.events--;
    }
    fh_event_end(stream, at);
}

FH_EXPORT void *realloc(void *pointer, size_t size)
{
    if (!pointer) return malloc(size);
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    uint64_t id = take_name(pointer);
    size_t pages = id & FH_SHADOW_LARGE ? fh_touched_remove(pointer) : SIZE_MAX;
    void *resized = fhbase_realloc(pointer, size);
    if (FH_UNLIKELY(!resized)) {
        uint64_t *word = fh_shadow_at(pointer);
        if (word) *word = id;
        fh_event_birth(FH_TRACE_CODE_MALLOC, NULL, size);
        errno = ENOMEM;
        return NULL;
    }
    note_realloc(resized, size, id, pages);
    return resized;
}

FH_EXPORT void *reallocarray(void *pointer, size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes)) return realloc(pointer, bytes);
    errno = ENOMEM;
    return NULL;
}

void fh_event_aligned(void *pointer, size_t alignment, size_t size);
void fh_event_aligned(void *pointer, size_t alignment, size_t size)
{
    if (!pointer || alignment <= FH_ALIGNMENT) {
        fh_event_birth(FH_TRACE_CODE_MALLOC, pointer, size);
        return;
    }
    struct fh_stream *stream = fh_event_begin();
    if (!stream) return;
    unsigned char *at = fh_event_at(stream);
    if (fh_event_name(stream, pointer, size)) {
        at = fh_event_head(at, FH_TRACE_CODE_ALIGNED, size);
        unsigned log2 = fh_log2_floor(alignment);
        *at++ = (unsigned char)(log2 + !fh_is_power_of_two(alignment));
    } else {
        stream->now.events--;
    }
    fh_event_end(stream, at);
}

FH_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    void *pointer = fhbase_aligned_alloc(alignment, size);
    fh_event_aligned(pointer, alignment, size);
    return pointer;
}

FH_EXPORT void *memalign(size_t alignment, size_t size)
{
    void *pointer = fhbase_memalign(alignment, size);
    fh_event_aligned(pointer, alignment, size);
    return pointer;
}

FH_EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
    int error = fhbase_posix_memalign(out, alignment, size);
    if (error != EINVAL) fh_event_aligned(error ? NULL : *out, alignment, size);
    return error;
}

FH_EXPORT void *valloc(size_t size)
{
    void *pointer = fhbase_valloc(size);
    fh_event_aligned(pointer, fh_os_page_size(), size);
    return pointer;
}

FH_EXPORT void *pvalloc(size_t size)
{
    void *pointer = fhbase_pvalloc(size);
    fh_event_aligned(pointer, fh_os_page_size(), fh_align_up(size, fh_os_page_size()));
    return pointer;
}

FH_EXPORT size_t malloc_usable_size(void *pointer)
{
    const uint64_t *word = pointer ? fh_shadow_at(pointer) : NULL;
    struct fh_stream *stream = word && *word ? fh_event_begin() : NULL;
    if (stream) {
        unsigned char *at = fh_event_head(fh_event_at(stream), FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_USABLE);
        fh_event_end(stream, put_reference(stream, at, *word));
    }
    return fhbase_malloc_usable_size(pointer);
}

FH_EXPORT int malloc_trim(size_t pad)
{
    struct fh_stream *stream = fh_event_begin();
    if (stream) fh_event_end(stream, fh_event_head(fh_event_at(stream), FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_TRIM));
    return fhbase_malloc_trim(pad);
}

FH_EXPORT void free_sized(void *pointer, size_t size)
{
    (void)size;
    free(pointer);
}

FH_EXPORT void free_aligned_sized(void *pointer, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    free(pointer);
}

FH_EXPORT void cfree(void *pointer) { free(pointer); }
