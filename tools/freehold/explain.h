/*
 * explain.h - what `freehold explain` finds out and says; shared by verb_explain.c, advice.c and foreign.c.
 */
#ifndef FREEHOLD_TOOL_EXPLAIN_H
#define FREEHOLD_TOOL_EXPLAIN_H

#include "holding.h"
#include "threads.h"

/* Resident memory that is not the heap's, by kind of mapping. */
enum fh_other_kind { FH_OTHER_FILES, FH_OTHER_STACKS, FH_OTHER_SHARED, FH_OTHER_ANONYMOUS, FH_OTHERS };
extern const char *const fh_other_names[FH_OTHERS], *const fh_other_meanings[FH_OTHERS];
struct fh_other {
    uint64_t mappings, rss_bytes;
};
struct fh_other *fh_other_of(struct fh_other others[FH_OTHERS], const struct fh_image_vma *vma);

enum { FH_PLACE_BYTES = 160 };
struct fh_explanation {
    const struct fh_image_about *about;
    struct fh_image_account account;
    struct fh_image_counters counters;
    uint64_t rss_bytes, swap_bytes; /* of the process */
    uint64_t heap_rss_bytes;        /* of the heap, by smaps */
    char most_caching[FH_THREAD_NAME_BYTES]; /* the thread that keeps most freed memory; empty for none */
    uint64_t most_cached_bytes;
    uint32_t stacks_mode;           /* bits of enum fh_samples_mode: which call stacks the program notes */
    struct fh_holding holding;      /* the call site that holds most; no blocks: none is known */
    char holding_place[FH_PLACE_BYTES];
    struct fh_other others[FH_OTHERS];
};
uint64_t fh_explained_resident(const struct fh_explanation *explanation);

/* Walks over the heap; `verb` is for the progress. False when the process ended meanwhile or memory ran out. */
bool fh_explain_read(struct fh_image *image, const char *verb, struct fh_explanation *explanation);

/* In plain words: what dominates, and what to do. */
enum { FH_ADVICE_BYTES = 640, FH_ADVICE_MOST = 10 };
struct fh_advice {
    const char *about;
    uint64_t bytes; /* in memory, that this is about */
    char text[FH_ADVICE_BYTES], todo[FH_ADVICE_BYTES];
};
/* What is worth saying, the most bytes first; how many. */
size_t fh_explain_collect(const struct fh_explanation *explanation, struct fh_advice list[FH_ADVICE_MOST]);
/* The same as text. */
void fh_explain_advise(const struct fh_explanation *explanation);
/* The same as a member "advice": [{"about": …, "bytes": …, "text": …, "do": …}, …] */
void fh_explain_advise_json(const struct fh_explanation *explanation);

/* A process on another malloc, as far as it can be seen. */
struct fh_foreign {
    uint64_t rss_bytes, swap_bytes;
    struct fh_other others[FH_OTHERS];
    uint64_t break_bytes, break_rss;     /* [heap] */
    bool break_is_walked;                /* its chunks look like glibc's, to the end */
    uint64_t used_chunks, used_bytes;    /* in use or in a cache: these look alike */
    uint64_t free_chunks, free_bytes, free_whole_pages, top_bytes;
    uint64_t arenas, arena_rss;          /* glibc's further arenas, by their look */
    uint64_t mapped_chunks, mapped_rss;  /* its blocks with a mapping of their own */
};
void fh_foreign_read(struct fh_image *image, struct fh_foreign *foreign);
void fh_foreign_print(struct fh_image *image, const struct fh_foreign *foreign);
void fh_foreign_print_json(struct fh_image *image, const struct fh_foreign *foreign);

#endif
