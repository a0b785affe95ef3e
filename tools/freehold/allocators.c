/*
 * allocators.c - the table of known allocators, and recognising one.
 */
#include "allocators.h"
#include "file.h"

#include <stdio.h>
#include <string.h>

/* Order matters where marks overlap: a wrapper before what it wraps, the C libraries last. */
static const struct fh_allocator allocators[] = {
    {.name = "freehold",
     .files = {"libfreehold.so"},
     .symbols = {"fh_version", "fh_account_read"},
     .text = "freehold: account of pid ",
     .version_in_name = true},
    {.name = "AddressSanitizer", .files = {"libasan.so", "libclang_rt.asan"}, .symbols = {"__asan_init"}},
    {.name = "HWAddressSanitizer", .files = {"libhwasan.so", "libclang_rt.hwasan"}, .symbols = {"__hwasan_init"}},
    {.name = "ThreadSanitizer", .files = {"libtsan.so", "libclang_rt.tsan"}, .symbols = {"__tsan_init"}},
    {.name = "MemorySanitizer", .files = {"libclang_rt.msan"}, .symbols = {"__msan_init"}},
    {.name = "LeakSanitizer", .files = {"liblsan.so", "libclang_rt.lsan"}, .symbols = {"__lsan_init"}},
    {.name = "valgrind", .files = {"vgpreload_memcheck", "vgpreload_massif", "vgpreload_dhat"}, .takes_over = true},
    {.name = "heaptrack", .files = {"libheaptrack_preload"}, .symbols = {"heaptrack_malloc"}},
    {.name = "memusage", .files = {"libmemusage.so"}},
    {.name = "jemalloc",
     .files = {"libjemalloc"},
     .symbols = {"je_malloc_conf", "je_mallctl", "je_malloc", "mallctlnametomib"},
     .text = "<jemalloc>: "},
    {.name = "mimalloc",
     .files = {"libmimalloc"},
     .symbols = {"mi_malloc", "mi_version"},
     .text = "mimalloc: warning: "},
    {.name = "tcmalloc",
     .files = {"libtcmalloc"},
     .symbols = {"tc_malloc", "TCMalloc_*", "MallocExtension_Internal_*", "_ZN8tcmalloc*"},
     .text = "tcmalloc: large alloc "},
    {.name = "tbbmalloc",
     .files = {"libtbbmalloc_proxy", "libtbbmalloc"},
     .symbols = {"__TBB_malloc_proxy", "scalable_malloc"}},
    {.name = "snmalloc", .files = {"libsnmalloc"}, .symbols = {"_ZN8snmalloc*", "sn_rust_alloc", "sn_malloc"}},
    {.name = "rpmalloc", .files = {"librpmalloc"}, .symbols = {"rpmalloc", "rpmalloc_initialize"}},
    {.name = "Scudo",
     .files = {"libscudo", "libclang_rt.scudo"},
     .symbols = {"__scudo_*", "_ZN5scudo*", "_ZN7__scudo*"},
     .text = "Scudo ERROR: "},
    {.name = "hardened_malloc",
     .files = {"libhardened_malloc"},
     .symbols = {"malloc_object_size_fast", "h_malloc_object_size", "h_malloc"},
     .text = "fatal allocator error: "},
    {.name = "Hoard", .files = {"libhoard"}, .symbols = {"_ZN5Hoard*"}},
    {.name = "Mesh", .files = {"libmesh.so", "libmesh2"}, .symbols = {"mesh_mallctl"}},
    {.name = "DieHard", .files = {"libdiehard"}},
    {.name = "libumem", .files = {"libumem"}, .symbols = {"umem_cache_create"}},
    {.name = "Electric Fence", .files = {"libefence"}},
    {.name = "glibc debug malloc", .files = {"libc_malloc_debug.so"}},
    {.name = "glibc malloc",
     .is_libc = true,
     .files = {"libc.so.6", "libc-2."},
     .symbols = {"_int_malloc", "gnu_get_libc_version"},
     .text = "malloc(): corrupted top size",
     .version_after = " release version "},
    {.name = "musl malloc",
     .is_libc = true,
     .files = {"ld-musl-", "libc.musl-"},
     .symbols = {"__malloc_allzerop", "__simple_malloc", "__libc_malloc_impl", "__malloc_replaced"},
     .text = "musl libc ("},
};

enum { ALLOCATOR_COUNT = sizeof(allocators) / sizeof(allocators[0]) };

static bool mark_matches(const char *mark, const char *name)
{
    size_t length = strlen(mark);
    if (mark[length - 1] == '*')
        return strncmp(mark, name, length - 1) == 0;
    return strcmp(mark, name) == 0;
}

/* Notes for each allocator of the table whether one of its symbols was there. */
struct search {
    bool found[ALLOCATOR_COUNT];
};

static bool note_symbol(const char *name, void *arg)
{
    struct search *search = arg;
    for (size_t i = 0; i < ALLOCATOR_COUNT; i++) {
        for (size_t j = 0; j < FH_ALLOCATOR_MARKS && allocators[i].symbols[j]; j++) {
            if (mark_matches(allocators[i].symbols[j], name))
                search->found[i] = true;
        }
    }
    return true;
}

const struct fh_allocator *fh_allocator_in_file(const struct fh_elf *elf, bool search_text)
{
    struct search search = {{false}};

    fh_elf_symbols(elf, true, note_symbol, &search);
    fh_elf_symbols(elf, false, note_symbol, &search);
    for (size_t i = 0; i < ALLOCATOR_COUNT; i++) {
        if (search.found[i])
            return &allocators[i];
    }
    for (size_t i = 0; search_text && i < ALLOCATOR_COUNT; i++) {
        if (allocators[i].text && fh_elf_contains(elf, allocators[i].text, NULL, 0))
            return &allocators[i];
    }
    return NULL;
}

const struct fh_allocator *fh_allocator_by_file_name(const char *path)
{
    const char *name = fh_base_name(path);

    for (size_t i = 0; i < ALLOCATOR_COUNT; i++) {
        for (size_t j = 0; j < FH_ALLOCATOR_MARKS && allocators[i].files[j]; j++) {
            if (strncmp(name, allocators[i].files[j], strlen(allocators[i].files[j])) == 0)
                return &allocators[i];
        }
    }
    return NULL;
}

/* "1.2.3" at the beginning of `text`, where there is one. */
static void copy_version(const char *text, char version[FH_VERSION_BYTES])
{
    size_t length = strspn(text, "0123456789.");
    while (length > 0 && text[length - 1] == '.')
        length--;
    if (length >= FH_VERSION_BYTES)
        length = 0;
    memcpy(version, text, length);
    version[length] = '\0';
}

void fh_allocator_version(const struct fh_allocator *allocator, const struct fh_elf *elf, const char *path,
                          char version[FH_VERSION_BYTES])
{
    char after[FH_VERSION_BYTES];

    version[0] = '\0';
    if (allocator->version_after) {
        if (fh_elf_contains(elf, allocator->version_after, after, sizeof(after)))
            copy_version(after, version);
        return;
    }
    /* libNAME.so.0.1.0: three numbers are a version, one is only the number of the interface. */
    const char *suffix = strstr(fh_base_name(path), ".so.");
    if (allocator->version_in_name && suffix) {
        copy_version(suffix + strlen(".so."), version);
        if (!strchr(version, '.'))
            version[0] = '\0';
    }
}
