/*
 * advice.c - what dominates a heap, in plain words, and what to do about it: which option, which call, which verb.
 */
#include "explain.h"
#include "json.h"
#include "sites.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SIZES_BYTES = 192 };

const char *const fh_other_names[FH_OTHERS] = {"files", "stacks", "shared", "other anonymous"};
const char *const fh_other_meanings[FH_OTHERS] = {"programs, libraries, mapped files", "of the first thread",
                                                  "shared memory", "mmap by others, thread stacks"};

struct fh_other *fh_other_of(struct fh_other others[FH_OTHERS], const struct fh_image_vma *vma)
{
    if (strncmp(vma->path, "[stack", 6) == 0)
        return &others[FH_OTHER_STACKS];
    if (!vma->is_private)
        return &others[FH_OTHER_SHARED];
    return &others[vma->path[0] == '/' ? FH_OTHER_FILES : FH_OTHER_ANONYMOUS];
}

uint64_t fh_explained_resident(const struct fh_explanation *explanation)
{
    uint64_t sum = 0;
    for (int i = 0; i < FH_ITEMS; i++)
        sum += explanation->account.resident[i];
    return sum;
}

/* The size class, or range of sizes, that has most of the live bytes. */
static void largest_sizes(const struct fh_image_account *account, char text[SIZES_BYTES])
{
    uint64_t most = 0, blocks = 0, from = 0, to = 0;
    char bytes[FH_UNIT_BYTES], count[FH_UNIT_BYTES];
    for (size_t i = 1; i < FH_CLASSES_MOST; i++) {
        if (account->classes[i].live * i * 16 > most) {
            most = account->classes[i].live * i * 16;
            blocks = account->classes[i].live;
            from = i * 16 - 15;
            to = i * 16;
        }
    }
    for (size_t i = 0; i < 63; i++) {
        if (account->sizes[i].live_bytes > most) {
            most = account->sizes[i].live_bytes;
            blocks = account->sizes[i].live_blocks;
            from = (uint64_t)1 << i;
            to = ((uint64_t)1 << (i + 1)) - 1;
        }
    }
    char least[FH_UNIT_BYTES], largest[FH_UNIT_BYTES];
    snprintf(text, SIZES_BYTES, "Most of it, %s, is %s block%s of %s to %s bytes.", fh_human(most, bytes),
             fh_grouped(blocks, count), blocks == 1 ? "" : "s", fh_grouped(from, least), fh_grouped(to, largest));
}

/* `advice->bytes` is all that is live, or, where that can be known, what of it is in memory. */
static void add_live(const struct fh_explanation *explanation, struct fh_advice *advice)
{
    const struct fh_image_account *account = &explanation->account;
    const struct fh_holding *holding = &explanation->holding;
    char bytes[FH_UNIT_BYTES], count[FH_UNIT_BYTES], resident[FH_UNIT_BYTES], most[SIZES_BYTES];
    uint64_t live = account->bytes[FH_LIVE], blocks = account->live_blocks;
    largest_sizes(account, most);
    int used = snprintf(advice->text, sizeof(advice->text), "The program holds %s block%s, ",
                        fh_grouped(blocks, count), blocks == 1 ? "" : "s");
    fh_human(live, bytes), fh_human(advice->bytes, resident);
    if (!explanation->about->knows_pages)
        used += snprintf(advice->text + used, sizeof(advice->text) - (size_t)used, "%s in all", bytes);
    else if (live - advice->bytes <= live / 100)
        used += snprintf(advice->text + used, sizeof(advice->text) - (size_t)used, "%s of them in memory", resident);
    else
        used += snprintf(advice->text + used, sizeof(advice->text) - (size_t)used, "%s in all, %s of it in memory",
                         bytes, resident);
    snprintf(advice->text + used, sizeof(advice->text) - (size_t)used, ". %s", most);

    used = snprintf(advice->todo, sizeof(advice->todo),
                    "That is what the program has asked for and not freed: no option makes it less. ");
    bool has_all = explanation->stacks_mode & FH_SAMPLES_SITES;
    if (holding->live_blocks == 0)
        snprintf(advice->todo + used, sizeof(advice->todo) - (size_t)used,
                 "Which code it was, 'freehold run --profile=FILE -- COMMAND' and 'freehold pins' say.");
    else
        snprintf(advice->todo + used, sizeof(advice->todo) - (size_t)used,
                 "Of all call sites %s has most: %s%s in %s block%s. '%s' lists the others.",
                 explanation->holding_place, has_all ? "" : "about ", fh_human(holding->live_bytes, bytes),
                 fh_grouped(holding->live_blocks, count), holding->live_blocks == 1 ? "" : "s",
                 has_all ? "freehold top --once" : "freehold profile");
}

static void add_chunks(const struct fh_image_account *account, struct fh_advice *advice)
{
    char bytes[FH_UNIT_BYTES], pages[FH_UNIT_BYTES], chunks[FH_UNIT_BYTES];
    uint64_t resident = account->free_in_chunks.resident;
    snprintf(advice->text, sizeof(advice->text),
             "%s lie free between blocks, in %s chunks; %s of that are whole pages.", fh_human(resident, bytes),
             fh_grouped(account->free_chunks, chunks), fh_human(account->whole_pages, pages));
    if (account->whole_pages * 2 > resident)
        snprintf(advice->todo, sizeof(advice->todo),
                 "The program gets them back to the kernel by malloc_trim(0), best after it has freed much. "
                 "'freehold pins' names the blocks that keep the break from moving down.");
    else
        snprintf(advice->todo, sizeof(advice->todo),
                 "Live blocks share their pages with it: 'freehold pins' names these blocks, and, of a program "
                 "started with 'freehold run --sites', the code that made them.");
}

static void add_slabs(const struct fh_image_account *account, struct fh_advice *advice)
{
    char bytes[FH_UNIT_BYTES], worst_bytes[FH_UNIT_BYTES], live[FH_UNIT_BYTES], all[FH_UNIT_BYTES];
    size_t worst = 1;
    for (size_t i = 1; i < FH_CLASSES_MOST; i++) {
        if (account->classes[i].free_resident > account->classes[worst].free_resident)
            worst = i;
    }
    const struct fh_image_class_use *use = &account->classes[worst];
    snprintf(advice->text, sizeof(advice->text),
             "%s are free objects in slabs that hold live ones too; %s of them of the class of %zu bytes, where %s of "
             "%s objects are live.",
             fh_human(account->free_in_slabs.resident, bytes), fh_human(use->free_resident, worst_bytes), worst * 16,
             fh_grouped(use->live, live), fh_grouped(use->live + use->cached + use->free, all));
    snprintf(advice->todo, sizeof(advice->todo),
             "New blocks of these sizes will use them. If none are to come, 'freehold pins' names the live blocks "
             "that keep them.");
}

static void add_cached(const struct fh_explanation *explanation, struct fh_advice *advice)
{
    char bytes[FH_UNIT_BYTES], blocks[FH_UNIT_BYTES], threads[FH_UNIT_BYTES];
    int used = snprintf(advice->text, sizeof(advice->text), "%s in %s freed blocks are kept by %s thread%s for %s next "
                        "malloc.", fh_human(explanation->account.resident[FH_CACHED], bytes),
                        fh_grouped(explanation->account.cached_blocks, blocks),
                        fh_grouped(explanation->counters.threads, threads),
                        explanation->counters.threads == 1 ? "" : "s",
                        explanation->counters.threads == 1 ? "its" : "their");
    if (explanation->counters.threads > 1 && explanation->most_caching[0])
        snprintf(advice->text + used, sizeof(advice->text) - (size_t)used, " Thread %s keeps most, %s.",
                 explanation->most_caching, fh_human(explanation->most_cached_bytes, bytes));
    snprintf(advice->todo, sizeof(advice->todo),
             "FREEHOLD_CACHE_BYTES (sizes up to 1 KiB) and FREEHOLD_MEDIUM_CACHE_BYTES (above) bound it for each "
             "thread; less of it is less speed. malloc_trim(0) asks all threads to give theirs back.");
}

/* `advice->bytes` is what the library would have without call stacks. */
static void add_metadata(struct fh_advice *advice)
{
    char bytes[FH_UNIT_BYTES];
    snprintf(advice->text, sizeof(advice->text),
             "%s are the library's own: tags, slab heads, page map, states of threads.",
             fh_human(advice->bytes, bytes));
    snprintf(advice->todo, sizeof(advice->todo),
             "It is in proportion to blocks above 1 KiB and to threads at the peak.");
}

static void add_stack_tables(const struct fh_explanation *explanation, struct fh_advice *advice)
{
    char bytes[FH_UNIT_BYTES];
    bool has_all = explanation->stacks_mode & FH_SAMPLES_SITES;
    snprintf(advice->text, sizeof(advice->text),
             "%s are tables of call stacks, which the library keeps because the program was started with %s: %s, and "
             "each call stack once.",
             fh_human(advice->bytes, bytes), has_all ? "--sites" : "--profile",
             has_all ? "4 bytes for every 16 of memory in which blocks have begun"
                     : "a record for each chosen block that lives");
    snprintf(advice->todo, sizeof(advice->todo), "%s",
             has_all ? "Started without --sites, the program does without them; --profile notes the call stacks of "
                       "some blocks only, in far less memory."
                     : "Started without --profile, the program does without them; FREEHOLD_PROFILE_INTERVAL sets how "
                       "many blocks are chosen.");
}

static void add_rest(const struct fh_explanation *explanation, struct fh_advice *advice)
{
    char bytes[FH_UNIT_BYTES];
    snprintf(advice->text, sizeof(advice->text),
             "%s of the process's resident memory are not the heap's: files, stacks and mappings of others.",
             fh_human(advice->bytes, bytes));
    snprintf(advice->todo, sizeof(advice->todo), "No malloc has a say in it. /proc/%ld/smaps lists the mappings.",
             (long)explanation->about->pid);
}

/* Worth saying: a twentieth of what is in memory, and the first in any case. */
static bool is_worth_it(const struct fh_explanation *explanation, const struct fh_advice *list, size_t i)
{
    uint64_t all = explanation->rss_bytes ? explanation->rss_bytes : fh_explained_resident(explanation);
    return i == 0 || (list[i].bytes >= all / 20 && list[i].bytes >= 65536);
}

size_t fh_explain_collect(const struct fh_explanation *explanation, struct fh_advice list[FH_ADVICE_MOST])
{
    const struct fh_image_account *account = &explanation->account;
    bool knows = explanation->about->knows_pages;
    char bytes[FH_UNIT_BYTES];
    size_t count = 0;
    uint64_t heap = knows ? explanation->heap_rss_bytes : 0;

    list[count] = (struct fh_advice){.about = "live", .bytes = knows ? account->resident[FH_LIVE]
                                                                     : account->bytes[FH_LIVE]};
    add_live(explanation, &list[count++]);
    list[count] = (struct fh_advice){.about = "free chunks", .bytes = account->free_in_chunks.resident};
    add_chunks(account, &list[count++]);
    list[count] = (struct fh_advice){.about = "free objects in slabs", .bytes = account->free_in_slabs.resident};
    add_slabs(account, &list[count++]);
    list[count] = (struct fh_advice){.about = "thread caches", .bytes = account->resident[FH_CACHED]};
    add_cached(explanation, &list[count++]);
    list[count] = (struct fh_advice){.about = "top", .bytes = account->free_in_top.resident};
    snprintf(list[count].text, FH_ADVICE_BYTES,
             "%s are free at the top of heaps, kept for growth that has come before.",
             fh_human(account->free_in_top.resident, bytes));
    snprintf(list[count++].todo, FH_ADVICE_BYTES,
             "It goes by itself when it was not wanted for a while; FREEHOLD_TRIM_THRESHOLD sets from which size on, "
             "malloc_trim(0) gives it back now.");
    list[count] = (struct fh_advice){.about = "kept mappings", .bytes = account->free_in_mappings.resident};
    snprintf(list[count].text, FH_ADVICE_BYTES,
             "%s are freed large blocks, kept because such sizes are asked for again.",
             fh_human(account->free_in_mappings.resident, bytes));
    snprintf(list[count++].todo, FH_ADVICE_BYTES,
             "They go after a few frees of other sizes; malloc_trim(0) gives them back.");
    list[count] = (struct fh_advice){.about = "metadata",
                                     .bytes = account->resident[FH_METADATA] - account->stack_tables.resident};
    add_metadata(&list[count++]);
    list[count] = (struct fh_advice){.about = "call stacks", .bytes = account->stack_tables.resident};
    add_stack_tables(explanation, &list[count++]);
    list[count] = (struct fh_advice){
        .about = "not the heap", .bytes = knows && explanation->rss_bytes > heap ? explanation->rss_bytes - heap : 0};
    if (list[count].bytes)
        add_rest(explanation, &list[count++]);
    for (size_t i = 1; i < count; i++) { /* the largest first */
        struct fh_advice moved = list[i];
        size_t at = i;
        for (; at > 0 && list[at - 1].bytes < moved.bytes; at--)
            list[at] = list[at - 1];
        list[at] = moved;
    }
    size_t worth = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_worth_it(explanation, list, i))
            list[worth++] = list[i];
    }
    return worth;
}

void fh_explain_advise(const struct fh_explanation *explanation)
{
    struct fh_advice list[FH_ADVICE_MOST];
    size_t count = fh_explain_collect(explanation, list);
    printf("what dominates\n");
    for (size_t i = 0; i < count; i++) {
        printf("  ");
        fh_print_wrapped(list[i].text, 2);
        printf("    ");
        fh_print_wrapped(list[i].todo, 4);
    }
}

void fh_explain_advise_json(const struct fh_explanation *explanation)
{
    struct fh_advice list[FH_ADVICE_MOST];
    size_t count = fh_explain_collect(explanation, list);
    printf("\"advice\": [");
    for (size_t i = 0; i < count; i++) {
        printf("%s{\"about\": ", i ? ", " : "");
        fh_json_string(list[i].about);
        printf(", \"bytes\": %" PRIu64 ", \"text\": ", list[i].bytes);
        fh_json_string(list[i].text);
        printf(", \"do\": ");
        fh_json_string(list[i].todo);
        putchar('}');
    }
    putchar(']');
}
