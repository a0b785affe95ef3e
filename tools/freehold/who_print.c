/*
 * who_print.c - what `freehold who` says.
 */
#include "call_stack.h"
#include "json.h"
#include "text.h"
#include "threads.h"
#include "units.h"
#include "who.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FRAMES_SHOWN = 12, PLACE_BYTES = 256 };

static const char *const state_words[] = {"live", "freed, kept by a thread", "free", "the end of the heap"};
static const char *const state_names[] = {"live", "cached", "free", "top"};

/* --- the call stack --- */

/* Of a live block: who made it, and when. */
struct made {
    struct fh_sites *sites;
    struct fh_symbols *symbols;
    uint32_t stack; /* 0: not known */
    uint64_t born_ms, now_ms;
};

static struct made made_of(struct fh_image *image, const struct fh_who *who)
{
    struct made made = {.sites = who->block.is == FH_IS_LIVE && who->block.bytes ? fh_sites_open(image) : NULL};
    if (!made.sites)
        return made;
    made.stack = fh_sites_find(made.sites, who->block.start, &made.born_ms);
    made.now_ms = fh_sites_now_ms(made.sites);
    made.symbols = made.stack ? fh_symbols_open(image) : NULL;
    return made;
}

static void made_close(struct made *made)
{
    fh_symbols_close(made->symbols);
    fh_sites_close(made->sites);
}

static void print_site(struct fh_image *image, const struct fh_who *who)
{
    struct made made = made_of(image, who);
    struct fh_call_stack read;
    char place[PLACE_BYTES];
    fh_call_stack_read(made.sites, made.symbols, made.stack, FRAMES_SHOWN, &read);
    for (size_t i = read.own; i < read.count && i < read.own + FRAMES_SHOWN; i++) {
        fh_source_text(&read.sources[i], false, place, sizeof(place));
        printf("  %-10s %s\n", i == read.own ? "made by" : "", place);
    }
    if (read.count == 0 && who->block.is == FH_IS_LIVE && who->block.bytes)
        puts("  made by    not known; freehold run --sites -- COMMAND notes it");
    if (read.count && made.now_ms >= made.born_ms && made.now_ms)
        printf("  age        %.1f s\n", (double)(made.now_ms - made.born_ms) / 1000);
    made_close(&made);
}

/* --- text --- */

static void print_block(const char *label, const struct fh_who_block *block)
{
    char address[FH_UNIT_BYTES], bytes[FH_UNIT_BYTES];
    if (block->bytes == 0)
        return;
    printf("  %-10s %s  %s bytes, %s%s\n", label, fh_hex(block->start, address), fh_grouped(block->bytes, bytes),
           block->is_slab ? "a slab, " : "", block->is_slab && block->is == FH_IS_CACHED ? "nothing live in it"
                                                                                         : state_words[block->is]);
}

static void print_slab(struct fh_image *image, const struct fh_who *who)
{
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES], thread[FH_THREAD_NAME_BYTES];
    const struct fh_image_slab *slab = &who->slab;
    struct fh_thread_names names;
    printf("  %-10s %s  %s bytes, for objects of %u bytes\n", "slab", fh_hex(slab->start, a),
           fh_grouped(slab->bytes, b), slab->class_bytes);
    printf("  %-10s %u live, %u kept by threads, %u free, %u never used\n", "", slab->live_count, slab->cached_count,
           slab->free_count, slab->capacity - slab->carved);
    fh_thread_names_open(image, &names);
    printf("  %-10s thread %s\n", "owner", fh_thread_name(&names, slab->owner, thread));
    fh_thread_names_close(&names);
}

static void print_pinned(const struct fh_who *who)
{
    char text[320] = "", a[FH_UNIT_BYTES], b[FH_UNIT_BYTES];
    uint64_t free_bytes = who->pages_free + who->pages_cached;
    if (who->pages_bytes == 0)
        return;
    fh_text_append(text, sizeof(text), "%s of the %s bytes of its page%s are freed memory", fh_grouped(free_bytes, a),
                   fh_grouped(who->pages_bytes, b), who->pages_bytes > 4096 ? "s" : "");
    if (who->pages_others)
        fh_text_append(text, sizeof(text), ", which %s other live block%s hold%s too.",
                       fh_grouped(who->pages_others, a), who->pages_others == 1 ? "" : "s",
                       who->pages_others == 1 ? "s" : "");
    else
        fh_text_append(text, sizeof(text), "; it alone holds %s.", who->pages_bytes > 4096 ? "them" : "it");
    if (who->is_growing && who->live_above == 0)
        fh_text_append(text, sizeof(text),
                       " No live block lies above it: it keeps the end of the heap where it is, with %s bytes of freed "
                       "memory right below.",
                       fh_grouped(who->free_below, a));
    printf("  %-10s ", "holds");
    fh_print_wrapped(text, 13);
}

static void print_foreign(struct fh_image *image, const struct fh_who *who)
{
    const struct fh_image_vma *vma = who->vma;
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES];
    printf("  %-10s %s-%s %s%s%s\n", "mapping", fh_hex(vma->start, a), fh_hex(vma->end, b), vma->writable ? "rw" : "r-",
           vma->executable ? "x" : "-", vma->is_private ? "p" : "s");
    if (vma->path[0])
        printf("  %-10s %s\n", "of", vma->path);
    if (vma->path[0] == '/')
        printf("  %-10s 0x%" PRIx64 " in the file\n", "offset", who->address - vma->start + vma->file_offset);
    if (!vma->executable)
        return;
    struct fh_symbols *symbols = fh_symbols_open(image);
    struct fh_source source;
    char text[256];
    if (symbols && fh_symbols_find(symbols, who->address, &source, 1)) {
        fh_source_text(&source, false, text, sizeof(text));
        printf("  %-10s %s\n", "code", text);
    }
    fh_symbols_close(symbols);
}

/* The thread whose descriptor, and so whose stack, lies in the mapping; 0 for none. */
static uint32_t thread_in(struct fh_image *image, const struct fh_image_vma *vma)
{
    struct fh_thread_names names;
    uint32_t state = 0;
    fh_thread_names_open(image, &names);
    for (size_t i = 0; i < names.count && !state; i++) {
        bool runs = names.threads[i].status == 1;
        if (runs && names.threads[i].pointer - vma->start < vma->end - vma->start)
            state = names.threads[i].id;
    }
    fh_thread_names_close(&names);
    return state;
}

static const char *foreign_words(struct fh_image *image, const struct fh_image_vma *vma)
{
    if (strcmp(vma->path, "[stack]") == 0)
        return "on the stack of the first thread";
    if (strcmp(vma->path, "[heap]") == 0)
        return "in the break's memory, but not freehold's: somebody else moved the break";
    if (vma->path[0] == '[')
        return "in a mapping of the kernel";
    if (vma->path[0] == '/')
        return vma->executable ? "in the code of a file" : vma->writable ? "in the data of a file" : "in a file";
    if (thread_in(image, vma))
        return "on the stack of a thread, or in its thread-local data";
    if (fh_image_about(image)->kind == FH_IMAGE_CORE)
        return "in a mapping that is not freehold's; a core does not tell whose";
    return "in memory that the program mapped itself, or a thread's stack";
}

static const char *words(struct fh_image *image, const struct fh_who *who, char *text, size_t room)
{
    uint64_t offset = who->address - who->block.start;
    char number[FH_UNIT_BYTES];
    static const char *const of_blocks[] = {"a live block", "a freed block that a thread keeps", "free memory",
                                            "the free end of a heap"};
    switch (who->is) {
    case FH_WHO_OBJECT:
    case FH_WHO_CHUNK:
    case FH_WHO_TOP:
    case FH_WHO_LARGE:
        if (who->address < who->block.start)
            snprintf(text, room, "the %s in front of %s", who->is == FH_WHO_LARGE ? "head" : "tag",
                     of_blocks[who->block.is]);
        else if (offset == 0)
            snprintf(text, room, "the start of %s", of_blocks[who->block.is]);
        else
            snprintf(text, room, "%s bytes into %s", fh_grouped(offset, number), of_blocks[who->block.is]);
        return text;
    case FH_WHO_SLAB_REST:
        return who->address < who->slab.start + who->slab.first ? "the head of a slab"
                                                                : "in a slab, in no object of it";
    case FH_WHO_SEGMENT:
        return "the record or the end of a heap's segment";
    case FH_WHO_DAMAGED:
        return "in a heap, where it is damaged or changing; see freehold check";
    case FH_WHO_PAGEMAP:
        return "in freehold's page map";
    case FH_WHO_STATES:
        return "in freehold's records of threads";
    case FH_WHO_SAMPLES:
        return "in freehold's tables of call stacks";
    case FH_WHO_FOREIGN:
        return foreign_words(image, who->vma);
    default:
        return "nothing is mapped there";
    }
}

void fh_who_print(struct fh_image *image, const struct fh_who *who)
{
    const struct fh_image_about *about = fh_image_about(image);
    char address[FH_UNIT_BYTES], text[128], thread[FH_THREAD_NAME_BYTES], name[FH_IMAGE_NAME_BYTES];
    printf("%s in %s:\n%s\n", fh_hex(who->address, address), fh_image_name(about, name),
           words(image, who, text, sizeof(text)));
    if (who->is != FH_WHO_NOTHING)
        putchar('\n');
    print_block(who->block.is == FH_IS_LIVE ? "block" : "memory", &who->block);
    print_block("below", &who->below);
    print_block("above", &who->above);
    if (who->is == FH_WHO_OBJECT || who->is == FH_WHO_SLAB_REST)
        print_slab(image, who);
    if (who->heap != UINT32_MAX)
        printf("  %-10s number %u%s\n", "heap", who->heap, who->heap == 0 ? ", which grows by the break" : "");
    print_pinned(who);
    print_site(image, who);
    if (who->is == FH_WHO_FOREIGN) {
        print_foreign(image, who);
        uint32_t state = who->vma->path[0] ? 0 : thread_in(image, who->vma);
        struct fh_thread_names names;
        fh_thread_names_open(image, &names);
        if (state)
            printf("  %-10s %s\n", "thread", fh_thread_name(&names, state, thread));
        fh_thread_names_close(&names);
    }
}

/* --- JSON --- */

static void json_block(const char *name, const struct fh_who_block *block)
{
    printf(", \"%s\": ", name);
    if (block->bytes == 0)
        printf("null");
    else
        printf("{\"address\": \"0x%" PRIx64 "\", \"bytes\": %" PRIu64 ", \"state\": \"%s\", \"is_slab\": %s}",
               block->start, block->bytes, state_names[block->is], block->is_slab ? "true" : "false");
}

void fh_who_print_json(struct fh_image *image, const struct fh_who *who)
{
    const struct fh_image_about *about = fh_image_about(image);
    struct made made = made_of(image, who);
    char text[128];
    printf("{\"pid\": %ld, \"process\": ", (long)about->pid);
    fh_json_string(about->name);
    printf(", \"address\": \"0x%" PRIx64 "\", \"is\": \"%s\", \"text\": ", who->address, fh_who_names[who->is]);
    fh_json_string(words(image, who, text, sizeof(text)));
    json_block("block", &who->block);
    json_block("below", &who->below);
    json_block("above", &who->above);
    if (who->heap != UINT32_MAX)
        printf(", \"heap\": %u", who->heap);
    if (who->is == FH_WHO_OBJECT || who->is == FH_WHO_SLAB_REST)
        printf(", \"slab\": {\"address\": \"0x%" PRIx64 "\", \"bytes\": %" PRIu64
               ", \"object_bytes\": %u, \"owner\": %u, \"live\": %u, \"cached\": %u, \"free\": %u, \"unused\": %u}",
               who->slab.start, who->slab.bytes, who->slab.class_bytes, who->slab.owner, who->slab.live_count,
               who->slab.cached_count, who->slab.free_count, who->slab.capacity - who->slab.carved);
    if (who->pages_bytes)
        printf(", \"pages\": {\"bytes\": %" PRIu64 ", \"live_bytes\": %" PRIu64 ", \"free_bytes\": %" PRIu64
               ", \"cached_bytes\": %" PRIu64 ", \"other_live_blocks\": %" PRIu64 "}, \"live_blocks_above\": %" PRIu64
               ", \"free_bytes_below\": %" PRIu64,
               who->pages_bytes, who->pages_live, who->pages_free, who->pages_cached, who->pages_others,
               who->live_above, who->free_below);
    if (made.stack) {
        printf(", ");
        fh_call_stack_json(made.sites, made.symbols, made.stack);
        printf(", \"age_ms\": %" PRIu64, made.now_ms >= made.born_ms ? made.now_ms - made.born_ms : 0);
    }
    made_close(&made);
    if (who->is == FH_WHO_FOREIGN) {
        printf(", \"mapping\": {\"start\": \"0x%" PRIx64 "\", \"end\": \"0x%" PRIx64 "\", \"path\": ", who->vma->start,
               who->vma->end);
        fh_json_string(who->vma->path);
        printf(", \"file_offset\": %" PRIu64 "}", who->address - who->vma->start + who->vma->file_offset);
    }
    puts("}");
}
