/*
 * foreign.c - a process that does not run on freehold, as far as it can be seen from outside: its mappings, and the
 * chunks of glibc's main heap, whose headers say size and state.
 */
#include "explain.h"
#include "json.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_LEAST = 32, PREVIOUS_IN_USE = 1, IS_MAPPED = 2, ARENA_ALIGNMENT = 64 << 20 };

/*
 * glibc's main heap: chunks from its start on, each with its size in the second word, and the flag in the size of the
 * next one that says whether it is in use. Blocks in tcache and fastbins count as in use there. The last one is top.
 */
static void walk_break(struct fh_image *image, const struct fh_image_vma *vma, struct fh_foreign *foreign)
{
    uint64_t page = fh_image_about(image)->page_bytes, at = vma->start;
    struct fh_foreign sums = {0};
    while (at + CHUNK_LEAST <= vma->end) {
        const unsigned char *bytes = fh_image_view(image, at, 16);
        uint64_t word = 0, next_word = 0;
        if (bytes)
            memcpy(&word, bytes + 8, 8);
        uint64_t size = word & ~(uint64_t)15;
        if (size < CHUNK_LEAST || size > vma->end - at || (word & 14))
            return; /* not glibc's, or somebody else's break in between */
        if (at + size + 16 > vma->end) {
            sums.top_bytes = size;
            at += size;
            break;
        }
        bytes = fh_image_view(image, at + size, 16);
        if (bytes)
            memcpy(&next_word, bytes + 8, 8);
        if (next_word & PREVIOUS_IN_USE) {
            sums.used_chunks++;
            sums.used_bytes += size;
        } else {
            uint64_t from = (at + 32 + page - 1) & ~(page - 1), to = (at + size) & ~(page - 1);
            sums.free_chunks++;
            sums.free_bytes += size;
            sums.free_whole_pages += to > from ? fh_image_resident(image, from, to - from, NULL) : 0;
        }
        at += size;
    }
    if (at != vma->end)
        return;
    foreign->break_is_walked = true;
    foreign->used_chunks = sums.used_chunks;
    foreign->used_bytes = sums.used_bytes;
    foreign->free_chunks = sums.free_chunks;
    foreign->free_bytes = sums.free_bytes;
    foreign->free_whole_pages = sums.free_whole_pages;
    foreign->top_bytes = sums.top_bytes;
}

/* An anonymous mapping: one of glibc's arenas, one of its large blocks, or neither. */
static bool is_glibcs(struct fh_image *image, const struct fh_image_vma *vma, const struct fh_image_vma *next,
                      struct fh_foreign *foreign)
{
    uint64_t words[2] = {0};
    uint64_t end = next && !next->writable && next->start == vma->end ? next->end : vma->end;
    if (vma->start % ARENA_ALIGNMENT == 0 && end - vma->start == ARENA_ALIGNMENT) {
        foreign->arenas++;
        foreign->arena_rss += vma->rss_bytes;
        return true;
    }
    uint64_t at = vma->start, size; /* the kernel merges neighbours: block follows block */
    for (; at < vma->end && fh_image_read(image, at, words, sizeof(words)); at += size) {
        size = words[1] & ~(uint64_t)7;
        if (words[0] != 0 || (words[1] & 7) != IS_MAPPED || size > vma->end - at || size % 4096 || size == 0)
            break;
        foreign->mapped_chunks++;
    }
    if (at != vma->start)
        foreign->mapped_rss += vma->rss_bytes;
    return at != vma->start;
}

void fh_foreign_read(struct fh_image *image, struct fh_foreign *foreign)
{
    size_t count;
    const struct fh_image_vma *vmas = fh_image_vmas(image, &count);
    memset(foreign, 0, sizeof(*foreign));
    for (size_t i = 0; i < count; i++) {
        const struct fh_image_vma *vma = &vmas[i];
        foreign->rss_bytes += vma->rss_bytes;
        foreign->swap_bytes += vma->swap_bytes;
        if (strcmp(vma->path, "[heap]") == 0) {
            foreign->break_bytes += vma->end - vma->start;
            foreign->break_rss += vma->rss_bytes;
            walk_break(image, vma, foreign);
            continue;
        }
        bool anonymous = vma->path[0] == '\0' && vma->writable && vma->is_private && !vma->executable;
        if (anonymous && is_glibcs(image, vma, i + 1 < count ? vma + 1 : NULL, foreign))
            continue;
        struct fh_other *other = fh_other_of(foreign->others, vma);
        other->mappings++;
        other->rss_bytes += vma->rss_bytes;
    }
}

static void print_line(const char *label, uint64_t bytes, const char *meaning)
{
    char text[FH_UNIT_BYTES];
    printf("  %-17s %15s%s%s\n", label, fh_grouped(bytes, text), *meaning ? "  " : "", meaning);
}

void fh_foreign_print(struct fh_image *image, const struct fh_foreign *foreign)
{
    const struct fh_image_about *about = fh_image_about(image);
    char text[96], number[FH_UNIT_BYTES];
    printf("process %ld (%s) does not run on freehold; from outside can be seen:\n\n", (long)about->pid, about->name);
    printf("resident (smaps), in bytes\n");
    print_line("whole process", foreign->rss_bytes, "");
    if (foreign->swap_bytes)
        print_line("swapped out", foreign->swap_bytes, "");
    snprintf(text, sizeof(text), "of %s of address space", fh_human(foreign->break_bytes, number));
    print_line("the break's heap", foreign->break_rss, text);
    snprintf(text, sizeof(text), "%" PRIu64 " further arenas, by their look glibc's", foreign->arenas);
    if (foreign->arenas)
        print_line("arenas", foreign->arena_rss, text);
    snprintf(text, sizeof(text), "%" PRIu64 " large blocks, by their look glibc's", foreign->mapped_chunks);
    if (foreign->mapped_chunks)
        print_line("mapped blocks", foreign->mapped_rss, text);
    for (int i = 0; i < FH_OTHERS; i++)
        print_line(fh_other_names[i], foreign->others[i].rss_bytes, fh_other_meanings[i]);

    if (foreign->break_is_walked) {
        printf("\nthe break's heap, by glibc's chunk headers\n");
        snprintf(text, sizeof(text), "%s chunks, live or in a cache: no telling",
                 fh_grouped(foreign->used_chunks, number));
        print_line("in use", foreign->used_bytes, text);
        snprintf(text, sizeof(text), "%s chunks", fh_grouped(foreign->free_chunks, number));
        print_line("free", foreign->free_bytes, text);
        print_line("  whole pages", foreign->free_whole_pages, "of it; malloc_trim(0) gives them back");
        print_line("top", foreign->top_bytes, "free at the end; M_TRIM_THRESHOLD bounds it");
    }
    printf("\nNot to be known: which blocks are live, what threads keep, what is rounding, and\n"
           "who allocated. On freehold it is: freehold run -- COMMAND, and explain again.\n");
}

void fh_foreign_print_json(struct fh_image *image, const struct fh_foreign *foreign)
{
    const struct fh_image_about *about = fh_image_about(image);
    printf("{\"pid\": %ld, \"process\": ", (long)about->pid);
    fh_json_string(about->name);
    printf(", \"malloc\": \"not freehold\", \"resident\": {\"process_bytes\": %" PRIu64 ", \"swapped_bytes\": %" PRIu64
           ", \"break_bytes\": %" PRIu64 ", \"arena_bytes\": %" PRIu64 ", \"mapped_block_bytes\": %" PRIu64,
           foreign->rss_bytes, foreign->swap_bytes, foreign->break_rss, foreign->arena_rss, foreign->mapped_rss);
    static const char *const names[FH_OTHERS] = {"file", "stack", "shared", "other_anonymous"};
    for (int i = 0; i < FH_OTHERS; i++)
        printf(", \"%s_bytes\": %" PRIu64, names[i], foreign->others[i].rss_bytes);
    printf("}, \"arenas\": %" PRIu64 ", \"mapped_blocks\": %" PRIu64 ", \"break\": ", foreign->arenas,
           foreign->mapped_chunks);
    if (foreign->break_is_walked)
        printf("{\"used_chunks\": %" PRIu64 ", \"used_bytes\": %" PRIu64 ", \"free_chunks\": %" PRIu64
               ", \"free_bytes\": %" PRIu64 ", \"trimmable_bytes\": %" PRIu64 ", \"top_bytes\": %" PRIu64 "}",
               foreign->used_chunks, foreign->used_bytes, foreign->free_chunks, foreign->free_bytes,
               foreign->free_whole_pages, foreign->top_bytes);
    else
        printf("null");
    printf("}\n");
}
