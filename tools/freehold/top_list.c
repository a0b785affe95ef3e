/*
 * top_list.c - the processes that run on freehold. Each process is looked at once; those that are not on freehold are
 * remembered, so that a list that is shown for long costs little.
 */
#include "top.h"

#include "allocators.h"
#include "cli.h"
#include "json.h"
#include "process.h"
#include "units.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STARTED_FIELD = 22, ROWS_AS_TEXT = 100000 };

/* When the process was started, in ticks since the machine was; 0: there is none. */
static uint64_t started_of(pid_t pid)
{
    char path[64];
    uint64_t started = 0;
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    char *text = fh_read_whole_file(path, NULL);
    char *at = text ? strrchr(text, ')') : NULL; /* the name may hold anything */
    for (int field = 2; at && field < STARTED_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (at)
        started = strtoull(at, NULL, 10);
    free(text);
    return started;
}

/* By its libraries' names, and by what is inside its program: cheap enough for every process of a machine. */
static bool runs_on_freehold(pid_t pid)
{
    struct fh_mapped_file *files;
    size_t count;
    bool found = false;
    if (fh_process_files(pid, &files, &count) != 0)
        return false;
    for (size_t i = 0; i < count && !found; i++) {
        const struct fh_allocator *allocator = fh_allocator_by_file_name(files[i].path);
        found = allocator && strcmp(allocator->name, "freehold") == 0;
    }
    fh_process_files_free(files, count);
    int fd = found ? -1 : fh_process_open_file(pid, NULL);
    if (fd >= 0) {
        struct fh_elf *elf = malloc(sizeof(*elf));
        if (!elf) {
            close(fd);
            return false;
        }
        const struct fh_allocator *inside = fh_elf_open(elf, fd) == FH_ELF_OK ? fh_allocator_in_file(elf, true) : NULL;
        found = inside && strcmp(inside->name, "freehold") == 0;
        fh_elf_close(elf);
        free(elf);
    }
    return found;
}

static void open_image(struct fh_top_process *process)
{
    char word[32];
    snprintf(word, sizeof(word), "%ld", (long)process->pid);
    fh_be_quiet(true); /* it may have ended, or be closed to us: then it is not in the list */
    if (fh_image_open("top", word, 0, &process->image) != 0)
        process->image = NULL;
    fh_be_quiet(false);
    if (process->image)
        snprintf(process->name, sizeof(process->name), "%s", fh_image_about(process->image)->name);
}

static struct fh_top_process *find(struct fh_top_list *list, pid_t pid, uint64_t started)
{
    for (size_t i = 0; i < list->all_count; i++) {
        if (list->all[i].pid == pid && list->all[i].started == started)
            return &list->all[i];
    }
    if (list->all_count == list->room) {
        size_t room = list->room ? 2 * list->room : 128;
        struct fh_top_process *larger = realloc(list->all, room * sizeof(*larger));
        if (!larger)
            return NULL;
        list->all = larger;
        list->room = room;
    }
    struct fh_top_process *process = &list->all[list->all_count++];
    *process = (struct fh_top_process){.pid = pid, .started = started};
    if (runs_on_freehold(pid))
        open_image(process);
    return process;
}

static void read_process(struct fh_top_process *process)
{
    struct fh_image_counters counters;
    process->is_ours = false;
    if (!process->image || !fh_image_counters(process->image, &counters))
        return;
    process->rss_bytes = fh_image_rss(process->image);
    process->is_ours = process->rss_bytes > 0; /* a zombie has none */
    process->live_bytes = counters.bytes[FH_LIVE];
    process->free_bytes = counters.bytes[FH_FREE];
    process->cached_bytes = counters.bytes[FH_CACHED];
    process->threads = counters.threads;
}

static int by_rss(const void *a, const void *b)
{
    const struct fh_top_process *x = a, *y = b;
    if (x->is_ours != y->is_ours)
        return x->is_ours ? -1 : 1;
    return (x->rss_bytes < y->rss_bytes) - (x->rss_bytes > y->rss_bytes);
}

static void drop_ended(struct fh_top_list *list)
{
    size_t kept = 0;
    list->count = 0;
    for (size_t i = 0; i < list->all_count; i++) {
        if (!list->all[i].is_seen) {
            fh_image_close(list->all[i].image);
            continue;
        }
        list->all[kept] = list->all[i];
        list->count += list->all[kept].is_ours;
        list->all[kept++].is_seen = false;
    }
    list->all_count = kept;
    if (kept)
        qsort(list->all, kept, sizeof(*list->all), by_rss);
}

void fh_top_list_read(struct fh_top_list *list)
{
    DIR *proc = opendir("/proc");
    uid_t user = geteuid();
    for (struct dirent *entry; proc && (entry = readdir(proc)) != NULL;) {
        struct stat info;
        pid_t pid;
        if (!fh_process_id(entry->d_name, &pid) || fstatat(dirfd(proc), entry->d_name, &info, 0) != 0)
            continue;
        if (user != 0 && info.st_uid != user)
            continue;
        uint64_t started = started_of(pid);
        struct fh_top_process *process = started ? find(list, pid, started) : NULL;
        if (!process)
            continue;
        process->is_seen = true;
        read_process(process);
    }
    if (proc)
        closedir(proc);
    drop_ended(list);
}

void fh_top_list_free(struct fh_top_list *list)
{
    for (size_t i = 0; i < list->all_count; i++)
        fh_image_close(list->all[i].image);
    free(list->all);
    *list = (struct fh_top_list){0};
}

void fh_top_list_show(const struct fh_top_list *list, struct fh_screen *screen, int lines, int chosen)
{
    char rss[FH_UNIT_BYTES], live[FH_UNIT_BYTES], cached[FH_UNIT_BYTES], vacant[FH_UNIT_BYTES];
    int room = lines ? lines - 1 : ROWS_AS_TEXT, first = chosen >= room ? chosen - room + 1 : 0;
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_TITLE, "%8s  %-16s %10s %10s %10s %10s %7s", "pid", "process", "RSS", "live",
                  "cached", "free", "threads");
    for (int i = first; i < (int)list->count && i - first < room; i++) {
        const struct fh_top_process *process = &list->all[i];
        fh_screen_line(screen);
        fh_screen_put(screen, i == chosen ? FH_INK_CHOSEN : FH_INK_PLAIN, "%8ld  %-16s %10s %10s %10s %10s %7u",
                      (long)process->pid, process->name, fh_human(process->rss_bytes, rss),
                      fh_human(process->live_bytes, live), fh_human(process->cached_bytes, cached),
                      fh_human(process->free_bytes, vacant), process->threads);
    }
    if (list->count == 0) {
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_PLAIN, "No process runs on freehold; 'freehold run -- COMMAND' starts one.");
    }
}

void fh_top_list_print_json(const struct fh_top_list *list)
{
    printf("[");
    for (size_t i = 0; i < list->count; i++) {
        const struct fh_top_process *process = &list->all[i];
        printf("%s{\"pid\": %ld, \"process\": ", i ? ", " : "", (long)process->pid);
        fh_json_string(process->name);
        printf(", \"rss_bytes\": %" PRIu64 ", \"live_bytes\": %" PRIu64 ", \"cached_bytes\": %" PRIu64
               ", \"free_bytes\": %" PRIu64 ", \"threads\": %u}",
               process->rss_bytes, process->live_bytes, process->cached_bytes, process->free_bytes, process->threads);
    }
    printf("]\n");
}
