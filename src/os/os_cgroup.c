/*
 * os_cgroup.c - what the process's cgroups allow (cgroups(7), version 1 and 2): CPUs and memory.
 *
 * Layer: os. Owns the folder that stands before all paths here (a test's tree), and the path of the memory group that
 * counts. A process is bound by its own group and by every one above; in a container the groups' own path may not
 * exist, since its group is mounted at the root, so what can't be read binds nobody.
 */
#include "atomics.h"
#include "os.h"
#include "parse.h"

enum { PATH = 512, TEXT = 3072 };

/* Read from within malloc, perhaps on the smallest stack that a thread may have: what takes room stands elsewhere. */
struct scratch {
    char text[TEXT];   /* a file's */
    char path[PATH];   /* to it */
    char folder[PATH]; /* of a group */
};
FH_STATIC_ASSERT(sizeof(struct scratch) <= 4096, "a page, however small");

/* For one thread at a time; who comes meanwhile maps a page, and so does the child of a fork that came meanwhile. */
static struct scratch own_scratch;
static uint32_t own_is_taken;

static struct scratch *get_scratch(void)
{
    if (!fh_exchange_acquire(&own_is_taken, 1)) return &own_scratch;
    return fh_os_map(NULL, fh_os_page_size());
}

static void drop_scratch(struct scratch *scratch)
{
    if (scratch == &own_scratch) fh_store_release(&own_is_taken, 0);
    else fh_os_unmap(scratch, fh_os_page_size());
}

static const char *before = "";  /* all paths */
static char memory_group[PATH];  /* of the group whose limit is the lowest, */
static bool memory_is_version_1; /* and its files' names */

void fh_os_set_root(const char *folder) { before = folder ? folder : ""; }

/* Text that grows; false when it does not fit. */
static bool append(char *out, const char *text)
{
    size_t at = 0;
    while (out[at]) at++;
    for (; *text; text++) {
        if (at + 1 >= PATH) return false;
        out[at++] = *text;
    }
    out[at] = 0;
    return true;
}

/* Into the scratch's text. */
static bool read_below(struct scratch *scratch, const char *folder, const char *file)
{
    char *path = scratch->path;
    path[0] = scratch->text[0] = 0;
    if (!append(path, folder) || !append(path, "/") || !append(path, file)) return false;
    return fh_os_read_file(path, scratch->text, TEXT) > 0;
}

/* Whether a name is in a list with commas, up to a colon. */
static bool lists(const char *list, const char *name)
{
    while (*list != ':' && *list) {
        size_t i = 0;
        while (name[i] && list[i] == name[i]) i++;
        if (!name[i] && (list[i] == ',' || list[i] == ':')) return true;
        while (*list != ',' && *list != ':' && *list) list++;
        if (*list == ',') list++;
    }
    return false;
}

/* The folder of the process's group for a controller; for version 2 with controller NULL. */
static bool find_group(struct scratch *scratch, const char *controller)
{
    char *text = scratch->text, *folder = scratch->folder;
    if (!read_below(scratch, before, "proc/self/cgroup")) text[0] = 0;
    folder[0] = 0;
    if (!append(folder, before) || !append(folder, "/sys/fs/cgroup")) return false;
    if (controller && (!append(folder, "/") || !append(folder, controller))) return false;
    for (char *line = text; *line;) { /* number:controllers:/path */
        char *end = line, *names = line;
        while (*end && *end != '\n') end++;
        char *next = *end ? end + 1 : end;
        *end = 0;
        while (*names && *names != ':') names++;
        if (*names) names++;
        char *group = names;
        while (*group && *group != ':') group++;
        bool found = controller ? lists(names, controller) : *names == ':';
        if (found && group[0] == ':' && group[1] == '/') return group[2] == 0 || append(folder, group + 1);
        line = next;
    }
    return true; /* as a container sees it */
}

/* The group above; false at the top of the hierarchy. */
static bool go_up(char folder[PATH], size_t top_length)
{
    size_t at = 0;
    while (folder[at]) at++;
    if (at <= top_length) return false;
    while (at > top_length && folder[at] != '/') at--;
    folder[at] = 0;
    return true;
}

static size_t top_length(const char *controller)
{
    size_t length = 0, name = 0;
    while (before[length]) length++;
    if (controller)
        while (controller[name]) name++;
    return length + sizeof "/sys/fs/cgroup" - 1 + (controller ? name + 1 : 0);
}

/* Whole CPUs that a quota of `quota` microseconds in every `period` allows, rounded up. */
static unsigned quota_cpus(uint64_t quota, uint64_t period)
{
    if (quota == UINT64_MAX || period == UINT64_MAX || period == 0) return UINT32_MAX;
    uint64_t cpus = quota / period + (quota % period != 0);
    return cpus == 0 ? 1 : cpus > UINT32_MAX ? UINT32_MAX : (unsigned)cpus;
}

/* Of the group in the scratch's folder, as all below. */
static unsigned cpus_of(struct scratch *scratch, bool version_1)
{
    const char *at = scratch->text;
    if (!read_below(scratch, scratch->folder, version_1 ? "cpu.cfs_quota_us" : "cpu.max")) return UINT32_MAX;
    uint64_t quota = fh_parse_number(&at); /* "max 100000" or "150000 100000"; version 1: one number, -1 for no limit */
    if (quota == UINT64_MAX) return UINT32_MAX;
    if (version_1) {
        if (!read_below(scratch, scratch->folder, "cpu.cfs_period_us")) return UINT32_MAX;
        at = scratch->text;
    }
    return quota_cpus(quota, fh_parse_number(&at));
}

unsigned fh_os_cgroup_cpus(void)
{
    unsigned least = UINT32_MAX;
    const char *const hierarchies[] = {NULL, "cpu"};
    struct scratch *scratch = get_scratch();
    for (int i = 0; scratch && i < 2; i++) {
        if (!find_group(scratch, hierarchies[i])) continue;
        do {
            unsigned cpus = cpus_of(scratch, i == 1);
            if (cpus < least) least = cpus;
        } while (go_up(scratch->folder, top_length(hierarchies[i])));
    }
    if (scratch) drop_scratch(scratch);
    return least;
}

/* The lowest of a group's limits; SIZE_MAX for none. Version 1 says "none" by a number that no machine has. */
static size_t limit_of(struct scratch *scratch, bool version_1)
{
    static const char *const names[2][2] = {{"memory.high", "memory.max"}, {"memory.limit_in_bytes", NULL}};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        const char *name = names[version_1][i], *at = scratch->text;
        if (!name || !read_below(scratch, scratch->folder, name)) continue;
        uint64_t limit = fh_parse_number(&at); /* "max" is none */
        if (limit < least) least = limit;
    }
    return least < (uint64_t)1 << 60 ? (size_t)least : SIZE_MAX;
}

size_t fh_os_memory_limit(void)
{
    size_t least = SIZE_MAX;
    const char *const hierarchies[] = {NULL, "memory"};
    struct scratch *scratch = get_scratch();
    for (int i = 0; scratch && i < 2; i++) {
        if (!find_group(scratch, hierarchies[i])) continue;
        do {
            size_t limit = limit_of(scratch, i == 1);
            if (limit >= least) continue;
            least = limit;
            memory_is_version_1 = i == 1;
            memory_group[0] = 0;
            append(memory_group, scratch->folder);
        } while (go_up(scratch->folder, top_length(hierarchies[i])));
    }
    if (scratch) drop_scratch(scratch);
    return least;
}

/* The number behind a word at the start of a line; 0 where there is none. */
static uint64_t number_after(const char *text, const char *word)
{
    while (*text) {
        size_t i = 0;
        while (word[i] && text[i] == word[i]) i++;
        if (!word[i] && text[i] == ' ') {
            text += i;
            uint64_t n = fh_parse_number(&text);
            return n == UINT64_MAX ? 0 : n;
        }
        while (*text && *text != '\n') text++;
        if (*text) text++;
    }
    return 0;
}

size_t fh_os_memory_used(void)
{
    struct scratch *scratch = memory_group[0] ? get_scratch() : NULL;
    if (!scratch) return 0;
    uint64_t used = 0, idle = 0;
    const char *at = scratch->text;
    if (read_below(scratch, memory_group, memory_is_version_1 ? "memory.usage_in_bytes" : "memory.current"))
        used = fh_parse_number(&at);
    if (used == UINT64_MAX) used = 0;
    /* Files that nobody reads any more are the kernel's to drop: no sign of pressure. */
    if (used && read_below(scratch, memory_group, "memory.stat"))
        idle = number_after(scratch->text, memory_is_version_1 ? "total_inactive_file" : "inactive_file");
    drop_scratch(scratch);
    return idle < used ? used - idle : 0;
}
