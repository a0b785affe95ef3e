/*
 * explain_read.c - what an explanation is made of: the account by a walk, the library's own sums, and the kernel's.
 */
#include "call_stack.h"
#include "explain.h"

#include <string.h>

/* The part of a mapping that is the library's: bytes of it, and those in memory. */
static void cover(struct fh_image *image, const struct fh_image_vma *vma, const struct fh_region *regions, size_t count,
                  uint64_t *covered, uint64_t *resident)
{
    uint64_t page = fh_image_about(image)->page_bytes;
    *covered = *resident = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t start = regions[i].start & ~(page - 1);
        uint64_t end = (regions[i].start + regions[i].bytes + page - 1) & ~(page - 1);
        if (start < vma->start) start = vma->start;
        if (end > vma->end) end = vma->end;
        if (start >= end) continue;
        *covered += end - start;
        *resident += fh_image_resident(image, start, end - start, NULL);
    }
}

/* What smaps says of the heap: of mappings that are the library's alone, their RSS; of mappings that the kernel has
 * merged with somebody else's, the library's pages. */
static void reconcile(struct fh_image *image, struct fh_explanation *explanation)
{
    size_t region_count, vma_count;
    const struct fh_region *regions = fh_image_regions(image, &region_count);
    const struct fh_image_vma *vmas = fh_image_vmas(image, &vma_count);
    size_t first = 0;
    for (size_t i = 0; i < vma_count; i++) {
        uint64_t covered = 0, resident = 0;
        explanation->rss_bytes += vmas[i].rss_bytes;
        explanation->swap_bytes += vmas[i].swap_bytes;
        while (first < region_count && regions[first].start + regions[first].bytes <= vmas[i].start) first++;
        size_t last = first;
        while (last < region_count && regions[last].start < vmas[i].end) last++;
        if (last > first) cover(image, &vmas[i], regions + first, last - first, &covered, &resident);
        bool is_ours = covered == vmas[i].end - vmas[i].start;
        explanation->heap_rss_bytes += is_ours ? vmas[i].rss_bytes : resident;
        uint64_t rest = is_ours || vmas[i].rss_bytes < resident ? 0 : vmas[i].rss_bytes - resident;
        struct fh_other *kind = fh_other_of(explanation->others, &vmas[i]);
        kind->mappings += rest != 0;
        kind->rss_bytes += rest;
    }
}

static void find_most_caching(struct fh_image *image, struct fh_explanation *explanation)
{
    struct fh_thread_names names;
    const struct fh_image_thread *most = NULL;
    fh_thread_names_open(image, &names);
    for (size_t i = 0; i < names.count; i++) {
        if (names.threads[i].cached_bytes > (most ? most->cached_bytes : 0))
            most = &names.threads[i];
    }
    if (most) {
        fh_thread_name(&names, most->id, explanation->most_caching);
        explanation->most_cached_bytes = most->cached_bytes;
    }
    fh_thread_names_close(&names);
}

static bool find_site(struct fh_image *image, struct fh_sites *sites, struct fh_explanation *explanation)
{
    size_t count;
    explanation->stacks_mode = fh_sites_mode(sites);
    if (!fh_holding_find(image, sites, &explanation->holding, 1, &count)) return false;
    if (count == 0) return true;
    struct fh_symbols *symbols = fh_symbols_open(image);
    fh_call_stack_place(sites, symbols, explanation->holding.stack, explanation->holding_place, FH_PLACE_BYTES);
    fh_symbols_close(symbols);
    return true;
}

bool fh_explain_read(struct fh_image *image, const char *verb, struct fh_explanation *explanation)
{
    memset(explanation, 0, sizeof(*explanation));
    explanation->about = fh_image_about(image);
    if (!fh_image_account(image, verb, &explanation->account) || !fh_image_refresh(image)) return false;
    fh_image_counters(image, &explanation->counters);
    reconcile(image, explanation);
    find_most_caching(image, explanation);
    struct fh_sites *sites = fh_sites_open(image);
    bool good = !sites || find_site(image, sites, explanation);
    fh_sites_close(sites);
    return good;
}
