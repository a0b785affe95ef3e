/*
 * damage.c - a program whose heap is damaged on purpose: `damage KIND` breaks one invariant, says "ready" and waits.
 *
 * It runs on freehold, whose root it finds as any reader does; the words are those of freehold_image.h.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <freehold_image.h>

enum { BLOCK = 40000, SMALL = 64, SMALL_COUNT = 20000, PREVIOUS_IN_USE = 2 };

static const struct fh_image_root *root;
static uint64_t secret;
static char *a, *b, *c, *end; /* chunks one after the other; b is free */
static char *small[SMALL_COUNT];

static uint64_t *word(uint64_t address) { return (uint64_t *)(uintptr_t)address; }

static uint64_t seal(uint64_t content, uint64_t place)
{
    uint64_t mixed = (content ^ secret ^ place << 1) * UINT64_C(0x9e3779b97f4a7c15);
    return content | (mixed & ~((UINT64_C(1) << 48) - 1));
}

static uint64_t content_of(const char *block) { return *word((uintptr_t)block - 8) & ((UINT64_C(1) << 48) - 1); }

static void write_tag(const char *block, uint64_t content)
{
    *word((uintptr_t)block - 8) = seal(content, (uintptr_t)block - 8);
}

static void write_field(uint64_t record, struct fh_image_field field, uint64_t value)
{
    memcpy((void *)(uintptr_t)(record + field.offset), &value, field.bytes);
}

static uint64_t read_field(uint64_t record, struct fh_image_field field)
{
    uint64_t value = 0;
    memcpy(&value, (void *)(uintptr_t)(record + field.offset), field.bytes);
    return value;
}

static void break_h1(void) { write_tag(a, content_of(a) + 16); }
static void break_h2(void) { write_tag(c, content_of(c) | PREVIOUS_IN_USE); }

static void break_h2_footer(void)
{
    uint64_t size = content_of(b) & ~UINT64_C(15), footer = (uintptr_t)b - 8 + size - 8;
    *word(footer) = seal(size - 16, footer);
}

static void break_h3(void)
{
    uint64_t size = content_of(c) & ~UINT64_C(15), footer = (uintptr_t)c - 8 + size - 8;
    write_tag(c, size);
    *word(footer) = seal(size, footer);
    write_tag(end, content_of(end) & ~(uint64_t)PREVIOUS_IN_USE);
}

static void break_h4(void) { *word(root->heaps + root->heap_bin_words.offset) ^= 8; }
static void break_h4_link(void) { memset(b, 'A', 8); }

static void break_h4_back(void) { *word((uintptr_t)b + 8) = ((uintptr_t)a - 8) ^ (secret + (uintptr_t)b + 8); }

static void break_h4_lost(void)
{
    for (uint64_t i = 0; i < root->bin_count; i++) {
        uint64_t head = root->heaps + root->heap_bin_heads.offset + i * 8;
        if (*word(head) == (uintptr_t)b - 8)
            *word(head) = 0;
    }
}

static void break_h5(void) { write_field(root->heaps, root->heap_top, (uintptr_t)a - 8); }

static void mark_as_freed(char *block, uint64_t next)
{
    *word((uintptr_t)block + 8) = secret + (uintptr_t)block;
    *word((uintptr_t)block) = (secret + (uintptr_t)block) ^ next;
}

static void break_s1(void) { mark_as_freed(small[SMALL_COUNT / 2], 0); }

/* The slab around a block; 0 when it is not of the wanted size. */
static uint64_t slab_of(const char *block, unsigned shift)
{
    uint64_t base = (uintptr_t)block & ~((UINT64_C(1) << shift) - 1), entry = read_field(base, root->slab_entry);
    return read_field(base, root->slab_seal) == seal(entry, base) ? base : 0;
}

/* A block of a slab of 64 KiB. */
static char *block_of_large_slab(void)
{
    for (int i = SMALL_COUNT / 2; i < SMALL_COUNT; i++) {
        if (slab_of(small[i], 16))
            return small[i];
    }
    exit(3);
}

static void break_s1_head(void)
{
    uint64_t slab = slab_of(block_of_large_slab(), 16);
    *word(slab + root->slab_seal.offset) ^= 1;
}

static void break_s2(void)
{
    uint64_t slab = slab_of(block_of_large_slab(), 16);
    write_field(slab, root->slab_free, (uintptr_t)end);
}

static void break_s3(void)
{
    uint64_t slab = slab_of(block_of_large_slab(), 16), count = 0, carved = read_field(slab, root->slab_carved);
    uint64_t next = read_field(slab, root->slab_free), first = slab + read_field(slab, root->slab_first);
    for (uint64_t i = 0; i < carved; i++) {
        char *block = (char *)(uintptr_t)(first + i * SMALL);
        if (*word((uintptr_t)block + 8) == secret + (uintptr_t)block)
            continue;
        mark_as_freed(block, next);
        next = (uintptr_t)block;
        count++;
    }
    write_field(slab, root->slab_free, next);
    write_field(slab, root->slab_free_count, read_field(slab, root->slab_free_count) + count);
    uint64_t state = read_field(root->state_table, root->state_table_first);
    uint64_t class = state + root->state_classes.offset + SMALL / 16 * root->class_bytes;
    write_field(class, root->class_listed, read_field(class, root->class_listed) + count);
}

static uint32_t *entry_of(const char *address)
{
    uint64_t leaf = *word(root->pagemap_root + ((uintptr_t)address >> 32) * 8);
    return (uint32_t *)(uintptr_t)(leaf + ((uintptr_t)address >> 12) % (1 << 20) * 4);
}

static void break_p1(void) { *entry_of(a + 8192) = 0; }
/* A page that is nobody's, in the same leaf. */
static void break_p1_foreign(void)
{
    *entry_of((char *)((uintptr_t)a ^ UINT32_C(0x80000000))) = UINT32_C(0x80000001);
}

static void break_a1(void)
{
    uint64_t ledger = root->wholesale;
    write_field(ledger, root->wholesale_obtained_bytes, read_field(ledger, root->wholesale_obtained_bytes) + 16);
}

static void break_a1_heap(void)
{
    write_field(root->heaps, root->heap_used_chunks, read_field(root->heaps, root->heap_used_chunks) + 1);
}

static void break_nothing(void) {}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"none", break_nothing},       {"h1", break_h1},           {"h2", break_h2},
    {"h2_footer", break_h2_footer}, {"h3", break_h3},           {"h4", break_h4},
    {"h4_link", break_h4_link},    {"h4_back", break_h4_back}, {"h4_lost", break_h4_lost},
    {"h5", break_h5},              {"s1", break_s1},           {"s1_head", break_s1_head},
    {"s2", break_s2},              {"s3", break_s3},           {"p1", break_p1},
    {"p1_foreign", break_p1_foreign}, {"a1", break_a1},        {"a1_heap", break_a1_heap},
};

int main(int argc, char **argv)
{
    root = dlsym(RTLD_DEFAULT, "fh_root");
    if (!root || argc != 2)
        return 2;
    setvbuf(stdout, NULL, _IONBF, 0);
    secret = *word(root->secret);
    a = malloc(BLOCK);
    b = malloc(BLOCK);
    c = malloc(BLOCK);
    end = malloc(BLOCK);
    for (int i = 0; i < SMALL_COUNT; i++) {
        small[i] = malloc(SMALL);
        memset(small[i], 'A', SMALL);
    }
    for (int i = 0; i < SMALL_COUNT; i += 2) {
        free(small[i]);
        small[i] = i ? small[i - 1] : small[1];
    }
    free(b);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, argv[1]) != 0)
            continue;
        kinds[i].run();
        write(1, "ready\n", 6);
        for (;;)
            pause();
    }
    return 2;
}
