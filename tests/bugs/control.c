/*
 * control - mallopt, mallinfo, mallinfo2, malloc_info, malloc_trim and malloc_stats work on the heap that the program
 * really uses: real numbers, which change as glibc's would when memory is allocated and freed.
 */
#include "bugs.h"

#define SMALL_COUNT 20000

static void *small[SMALL_COUNT];

/* glibc calls it deprecated, because its int fields overflow; programs call it all the same. */
static struct mallinfo narrow_info(void)
{
    struct mallinfo info;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    info = mallinfo();
#pragma GCC diagnostic pop
    return info;
}

static size_t use_of_small(size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < SMALL_COUNT; i++) {
        small[i] = malloc(n);
        CHECK(small[i] != NULL);
        total += malloc_usable_size(small[i]);
    }
    return total;
}

static void end_of_small(void)
{
    for (size_t i = 0; i < SMALL_COUNT; i++)
        free(small[i]);
}

static void check_sums(struct mallinfo2 info)
{
    /* Of glibc's manual: total memory from the break is what is in use and what is free. */
    CHECK_NUMBERS(info.arena == info.uordblks + info.fordblks, info.arena, info.uordblks + info.fordblks);
    CHECK_NUMBERS(info.keepcost <= info.fordblks, info.keepcost, info.fordblks);
    CHECK(info.hblks > 0 || info.hblkhd == 0);
}

static void mallinfo_counts(size_t n)
{
    struct mallinfo2 before = mallinfo2();
    struct mallinfo2 during;
    struct mallinfo2 after;
    struct mallinfo narrow;
    size_t total = use_of_small(n);

    during = mallinfo2();
    narrow = narrow_info();
    end_of_small();
    after = mallinfo2();
    check_sums(before);
    check_sums(during);
    check_sums(after);
    CHECK_NUMBERS(during.uordblks >= before.uordblks + total / 100 * 98, during.uordblks - before.uordblks, total);
    CHECK_NUMBERS(during.uordblks <= before.uordblks + total / 100 * 130 + 65536, during.uordblks - before.uordblks,
                  total);
    CHECK_NUMBERS(during.arena > total, during.arena, total);
    CHECK_NUMBERS(after.uordblks <= before.uordblks + total / 20 + 131072, after.uordblks, before.uordblks);
    CHECK((size_t)(unsigned)narrow.uordblks == during.uordblks && (size_t)(unsigned)narrow.arena == during.arena);
    CHECK((size_t)(unsigned)narrow.fordblks == during.fordblks && (size_t)(unsigned)narrow.hblks == during.hblks);
}

static void mallinfo_counts_mappings(void)
{
    enum { COUNT = 10, MIB = 1 << 20 };
    struct mallinfo2 before = mallinfo2();
    struct mallinfo2 during;
    void *blocks[COUNT];

    for (int i = 0; i < COUNT; i++) {
        blocks[i] = malloc(40u * MIB); /* beyond the largest threshold that glibc adapts to */
        CHECK(blocks[i] != NULL);
    }
    during = mallinfo2();
    CHECK_NUMBERS(during.hblks == before.hblks + COUNT, during.hblks, before.hblks);
    CHECK_NUMBERS(during.hblkhd >= before.hblkhd + COUNT * 40u * MIB, during.hblkhd, before.hblkhd);
    CHECK_NUMBERS(during.hblkhd <= before.hblkhd + COUNT * 41u * MIB, during.hblkhd, before.hblkhd);
    for (int i = 0; i < COUNT; i++)
        free(blocks[i]);
    during = mallinfo2();
    CHECK(during.hblks == before.hblks && during.hblkhd == before.hblkhd);

    blocks[0] = malloc(40000);
    blocks[1] = malloc(40000);
    blocks[2] = malloc(40000);
    free(blocks[1]);
    during = mallinfo2();
    CHECK(during.ordblks >= 1);
    free(blocks[0]);
    free(blocks[2]);
}

/* Checks that tags are balanced and attributes are quoted: as much XML as the document can hold. */
static void check_xml(const char *text)
{
    char open_tags[16][64];
    size_t depth = 0;
    int elements = 0;

    for (const char *p = text; *p != '\0';) {
        const char *end;
        size_t name_length;
        int quotes = 0;

        if (*p != '<') {
            CHECK(*p != '>' && *p != '&');
            p++;
            continue;
        }
        end = strchr(p, '>');
        CHECK(end != NULL);
        for (const char *q = p; q < end; q++)
            quotes += *q == '"';
        CHECK(quotes % 2 == 0);
        name_length = strcspn(p + 1 + (p[1] == '/'), " />\n");
        CHECK(name_length > 0 && name_length < 64);
        if (p[1] == '/') {
            CHECK(depth > 0);
            depth--;
            CHECK(strncmp(open_tags[depth], p + 2, name_length) == 0 && open_tags[depth][name_length] == '\0');
        } else if (end[-1] != '/') {
            CHECK(depth < 16);
            memcpy(open_tags[depth], p + 1, name_length);
            open_tags[depth++][name_length] = '\0';
        }
        elements++;
        p = end + 1;
    }
    CHECK(depth == 0 && elements > 3);
}

static size_t system_size(const char *text)
{
    /* The totals come last: <system type="current" size="N"/>. */
    const char *found = NULL;
    size_t size = 0;

    for (const char *p = text; (p = strstr(p, "<system type=\"current\" size=\"")) != NULL; p++)
        found = p;
    CHECK(found != NULL);
    CHECK(sscanf(found, "<system type=\"current\" size=\"%zu\"/>", &size) == 1);
    return size;
}

static void info_document(void)
{
    char *text = NULL;
    size_t length = 0;
    size_t before;
    FILE *stream = open_memstream(&text, &length);

    malloc_trim(0); /* what came before has left address space that it may use without growing */
    CHECK(stream != NULL && malloc_info(0, stream) == 0 && fclose(stream) == 0);
    CHECK(strncmp(text, "<malloc version=\"1\">", 20) == 0);
    CHECK(strstr(text, "<heap nr=\"0\">") != NULL && strstr(text, "<total type=\"mmap\"") != NULL);
    CHECK(strstr(text, "<aspace ") != NULL);
    check_xml(text);
    before = system_size(text);
    free(text);

    use_of_small(1000);
    stream = open_memstream(&text, &length);
    CHECK(stream != NULL && malloc_info(0, stream) == 0 && fclose(stream) == 0);
    check_xml(text);
    CHECK_NUMBERS(system_size(text) >= before + SMALL_COUNT * 800, system_size(text), before);
    free(text);
    end_of_small();

    stream = tmpfile();
    CHECK(stream != NULL);
    CHECK(malloc_info(1, stream) == EINVAL);
    CHECK(ftell(stream) == 0);
    fclose(stream);
}

/* The number after a label: "in use bytes     =  123" of glibc, "live     1,234  held by the program" of ours. */
static size_t number_after(const char *text)
{
    size_t number = 0;

    text += strspn(text, " =");
    CHECK(*text >= '0' && *text <= '9');
    for (; (*text >= '0' && *text <= '9') || *text == ','; text++)
        if (*text != ',')
            number = number * 10 + (size_t)(*text - '0');
    return number;
}

/* What malloc_stats writes to standard error: the number after the last of either label. */
static size_t stats_number(const char *ours, const char *of_glibc)
{
    const char *label = bugs_any_malloc() ? of_glibc : ours;
    char text[16384];
    FILE *file = tmpfile();
    int saved = dup(2);
    const char *found = NULL;
    size_t length;

    CHECK(file != NULL && saved >= 0);
    fflush(stderr);
    CHECK(dup2(fileno(file), 2) == 2);
    malloc_stats();
    fflush(stderr);
    CHECK(dup2(saved, 2) == 2);
    close(saved);
    rewind(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    for (const char *p = text; (p = strstr(p, label)) != NULL; p++)
        found = p;
    if (found == NULL)
        fprintf(stderr, "malloc_stats() says nothing of '%s':\n%s\n", label, text);
    CHECK(found != NULL);
    return number_after(found + strlen(label));
}

static size_t stats_in_use(void)
{
    return stats_number("\n  live ", "in use bytes ");
}

static size_t stats_from_system(void)
{
    return stats_number("\n  = from the kernel ", "system bytes ");
}

static void stats_text(void)
{
    size_t use_before = stats_in_use();
    size_t system_before;
    size_t total = use_of_small(700);
    void *large;

    CHECK_NUMBERS(stats_in_use() >= use_before + total / 100 * 98, stats_in_use(), total);
    CHECK_NUMBERS(stats_from_system() >= stats_in_use(), stats_from_system(), total);
    end_of_small();
    CHECK_NUMBERS(stats_in_use() <= use_before + total / 10, stats_in_use(), use_before);
    system_before = stats_from_system();
    large = malloc(400u << 20);
    CHECK(large != NULL);
    CHECK(stats_from_system() >= system_before + (400u << 20));
    free(large);
    CHECK(stats_from_system() < system_before + (1u << 20));
}

static void trim_gives_back(void)
{
    enum { COUNT = 200000 };
    static void *blocks[COUNT];
    size_t full_kib;
    size_t kept_kib;

    malloc_trim(0);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc(300);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 1, 300);
    }
    full_kib = bugs_rss_kib();
    for (size_t i = 0; i < COUNT; i++)
        if (i % 1000 != 0)
            free(blocks[i]);
    malloc_trim(0);
    kept_kib = bugs_rss_kib();
    CHECK_NUMBERS(kept_kib <= full_kib / 4, kept_kib, full_kib);
    for (size_t i = 0; i < COUNT; i += 1000) {
        CHECK(bugs_kept(blocks[i], 300, 1));
        free(blocks[i]);
    }
    malloc_trim(0);
    /* Nothing is left to give back, and so says the manual; glibc answers 1 as long as there is a free page. */
    CHECK(malloc_trim(0) == 0 || bugs_any_malloc());
    blocks[0] = malloc(100000);
    blocks[1] = malloc(100000);
    memset(blocks[0], 1, 100000);
    memset(blocks[1], 1, 100000);
    free(blocks[0]);
    free(blocks[1]);
    CHECK(malloc_trim(0) == 1);
}

/* glibc makes a mapping only when no free chunk fits, so the number says nothing about it here. */
static int mappings_are(size_t count)
{
    return bugs_any_malloc() || mallinfo2().hblks == count;
}

static void options(void)
{
    struct mallinfo2 before;
    unsigned char *p;
    void *q;

    CHECK(mallopt(M_MMAP_THRESHOLD, 65536) == 1);
    before = mallinfo2();
    p = malloc(70000);
    CHECK(mappings_are(before.hblks + 1));
    free(p);
    CHECK(mappings_are(before.hblks));
    CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
    p = malloc(500000);
    CHECK(mappings_are(before.hblks));
    free(p);
    CHECK(mallopt(M_MMAP_MAX, 0) == 1);
    p = malloc(5 << 20);
    CHECK(p != NULL && mappings_are(before.hblks));
    free(p);
    CHECK(mallopt(M_MMAP_MAX, 1) == 1);
    p = malloc(5 << 20);
    q = malloc(5 << 20);
    CHECK(p != NULL && q != NULL && mappings_are(before.hblks + 1));
    free(p);
    free(q);
    CHECK(mallopt(M_MMAP_MAX, 65536) == 1);
    CHECK(mallopt(M_MMAP_THRESHOLD, 131072) == 1);

    CHECK(mallopt(M_PERTURB, 0x5a) == 1);
    for (size_t n = 8; n < 100000; n *= 3) {
        p = malloc(n);
        /* glibc forgets it for what comes from a thread's cache. */
        CHECK_NUMBERS((p[n - 1] == 0xa5 && p[n / 2] == 0xa5) || bugs_any_malloc(), n, p[n - 1]);
        free(p);
        p = calloc(1, n);
        CHECK_NUMBERS(bugs_kept(p, n, 0), n, 0);
        free(p);
    }
    CHECK(mallopt(M_PERTURB, 0) == 1);

    CHECK(mallopt(M_TOP_PAD, 4 << 20) == 1);
    CHECK(mallopt(M_TOP_PAD, 0) == 1);
    CHECK(mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1);
    CHECK(mallopt(M_TRIM_THRESHOLD, 128 << 10) == 1);
    CHECK(mallopt(M_ARENA_MAX, 4) == 1 && mallopt(M_ARENA_TEST, 2) == 1);
    CHECK(mallopt(M_MXFAST, 64) == 1 && mallopt(M_MXFAST, 1 << 20) == 0);
}

int main(void)
{
    bugs_start();
    free(malloc(1));
    mallinfo_counts(16);
    mallinfo_counts(100);
    mallinfo_counts(250);
    mallinfo_counts(1000);
    mallinfo_counts(5000);
    mallinfo_counts_mappings();
    info_document();
    stats_text();
    trim_gives_back();
    bugs_sound();
    options();
    bugs_sound();
    return 0;
}
