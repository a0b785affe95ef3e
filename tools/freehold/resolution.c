/*
 * resolution.c - which malloc a process uses.
 *
 * The loader looks a symbol up in the executable, then in what is preloaded, then in the libraries that the executable
 * needs, breadth first. The same order is followed here over the files that are mapped. It takes no more rights than
 * reading /proc does: a look into the process's memory, at the loader's own list, would need those of a debugger.
 */
#include "resolution.h"

#include "cli.h"
#include "file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_loader_name(const char *path)
{
    const char *name = fh_base_name(path);
    return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-2.", 5) == 0 || strncmp(name, "ld64.so", 7) == 0 ||
           strncmp(name, "ld.so", 5) == 0;
}

static void copy_dynamic(struct fh_module *module, const struct fh_elf *elf)
{
    struct fh_elf_dynamic dynamic;
    fh_elf_dynamic_read(elf, &dynamic);
    if (dynamic.soname)
        module->soname = strdup(dynamic.soname);
    module->needed = calloc(dynamic.needed_count + 1, sizeof(*module->needed));
    for (size_t i = 0; module->needed && i < dynamic.needed_count; i++) {
        char *name = strdup(dynamic.needed[i]);
        if (name)
            module->needed[module->needed_count++] = name;
    }
    fh_elf_dynamic_free(&dynamic);
}

static bool note_malloc(const char *name, void *arg)
{
    *(bool *)arg = strcmp(name, "malloc") == 0;
    return !*(bool *)arg;
}

/* The executable may hold an allocator without exporting one symbol; a library that does not export malloc does not
 * count. */
static void inspect_executable(struct fh_module *module, const struct fh_elf *elf)
{
    bool has_symbols, has_malloc = false;

    if (is_loader_name(module->path))
        return; /* called as a command, for a program that is then one of the libraries */
    if (elf->has_interpreter) {
        module->has_malloc = fh_elf_exports(elf, "malloc");
        module->arrival = module->has_malloc ? FH_ARRIVAL_BUILT_IN : FH_ARRIVAL_NONE;
        module->allocator = fh_allocator_in_file(elf, module->has_malloc);
    } else {
        has_symbols = fh_elf_symbols(elf, false, note_malloc, &has_malloc);
        module->allocator = fh_allocator_in_file(elf, true);
        module->has_malloc = has_malloc || module->allocator || !has_symbols;
        module->arrival = FH_ARRIVAL_STATIC;
    }
    if (module->allocator && module->allocator->is_libc && elf->has_interpreter)
        module->allocator = NULL; /* a program may carry a few names of a C library; its malloc comes with the rest */
}

static void inspect_library(struct fh_module *module, const struct fh_elf *elf)
{
    /* older loaders have a small malloc for themselves, which the C library's replaces */
    module->has_malloc = !is_loader_name(module->path) && fh_elf_exports(elf, "malloc");
    module->allocator = fh_allocator_by_file_name(module->path);
    if (!module->allocator && module->has_malloc)
        module->allocator = fh_allocator_in_file(elf, true);
    if (module->allocator && module->allocator->is_libc && module->has_malloc)
        module->arrival = FH_ARRIVAL_LIBC;
}

static void inspect(struct fh_module *module, int fd, bool is_executable)
{
    struct fh_elf *elf = malloc(sizeof(*elf));
    if (!elf)
        return;
    if (fh_elf_open(elf, fd) == FH_ELF_OK) {
        module->readable = true;
        module->memory_bytes = elf->memory_bytes;
        copy_dynamic(module, elf);
        if (is_executable)
            inspect_executable(module, elf);
        else
            inspect_library(module, elf);
        if (module->allocator)
            fh_allocator_version(module->allocator, elf, module->path, module->version);
    } else if (!is_executable) {
        module->allocator = fh_allocator_by_file_name(module->path);
        module->has_malloc = module->allocator != NULL;
        module->arrival = module->allocator && module->allocator->is_libc ? FH_ARRIVAL_LIBC : FH_ARRIVAL_NONE;
    }
    fh_elf_close(elf);
    free(elf);
}

/* The module that the loader would have taken for `name`: an entry of LD_PRELOAD or of DT_NEEDED. */
static struct fh_module *module_named(struct fh_resolution *resolution, const char *name)
{
    const char *base = fh_base_name(name);
    for (size_t i = 1; i < resolution->module_count; i++) {
        struct fh_module *module = &resolution->modules[i];
        if (strcmp(module->path, name) == 0 || strcmp(fh_base_name(module->path), base) == 0 ||
            (module->soname && strcmp(module->soname, base) == 0))
            return module;
    }
    return NULL;
}

/* The same for a name that is a link to the file: both as the process sees them. */
static struct fh_module *module_of_file(struct fh_resolution *resolution, const char *name)
{
    char path[PATH_MAX];
    struct stat wanted, there;

    if (name[0] != '/' || snprintf(path, sizeof(path), "/proc/%ld/root%s", (long)resolution->pid, name) >= PATH_MAX ||
        stat(path, &wanted) != 0)
        return NULL;
    for (size_t i = 1; i < resolution->module_count; i++) {
        int length =
            snprintf(path, sizeof(path), "/proc/%ld/root%s", (long)resolution->pid, resolution->modules[i].path);
        if (length < PATH_MAX && stat(path, &there) == 0 && there.st_ino == wanted.st_ino &&
            there.st_dev == wanted.st_dev)
            return &resolution->modules[i];
    }
    return NULL;
}

/* Gives each module of a list of preloaded ones its arrival, unless it has one. The first with a malloc is used. False:
 * a name was not found. */
static bool take_preloaded(struct fh_resolution *resolution, const char *list, enum fh_arrival arrival)
{
    static const char separators[] = ": \t\n";
    bool all_found = true;
    for (const char *at = list ? list : ""; *at;) {
        size_t length = strcspn(at, separators);
        char *word = strndup(at, length);
        struct fh_module *module = word && length > 0 ? module_named(resolution, word) : NULL;
        if (word && length > 0 && !module)
            module = module_of_file(resolution, word);
        if (word && length > 0 && !module) {
            all_found = false;
            if (fh_allocator_by_file_name(word) && !resolution->missing)
                resolution->missing = strdup(word);
        }
        if (module && !module->through) {
            module->arrival = arrival;
            module->through = word;
            word = NULL;
            if (module->has_malloc && !resolution->used)
                resolution->used = module;
        }
        free(word);
        at += length + (at[length] != '\0');
    }
    return all_found;
}

/* Follows DT_NEEDED from the modules that are reached already, breadth first. */
static void take_needed(struct fh_resolution *resolution)
{
    size_t count = resolution->module_count, queued = 0;
    struct fh_module **queue = calloc(count, sizeof(*queue));

    if (!queue)
        return;
    queue[queued++] = &resolution->modules[0];
    for (size_t i = 1; i < count; i++) {
        if (resolution->modules[i].through)
            queue[queued++] = &resolution->modules[i];
    }
    for (size_t next = 0; next < queued; next++) {
        for (size_t i = 0; i < queue[next]->needed_count; i++) {
            struct fh_module *module = module_named(resolution, queue[next]->needed[i]);
            if (!module || module->through)
                continue;
            module->through = strdup(queue[next]->path);
            if (!module->through)
                continue;
            if (module->arrival != FH_ARRIVAL_LIBC)
                module->arrival = FH_ARRIVAL_LINKED;
            if (module->has_malloc && !resolution->used)
                resolution->used = module;
            queue[queued++] = module; /* each module once: it has `through` now */
        }
    }
    free(queue);
}

/*
 * Linux since 6.7 sets what has 2 MiB and more on a boundary of 2 MiB, and what is mapped next may fill the hole above.
 * True: `next` stands where such a hole would be.
 */
static bool is_in_hole_above(const struct fh_module *module, const struct fh_module *next)
{
    const uint64_t boundary = (uint64_t)2 << 20, end = module->start + module->memory_bytes;
    return module->memory_bytes >= boundary && module->start % boundary == 0 && next->start >= end &&
           next->start - end < boundary;
}

/*
 * What no name led to came by dlopen; unless the process has overwritten its environment, or was started through the
 * loader, which can preload too. Then the place tells: the loader maps from its own place on in one direction, and what
 * is preloaded before the C library, so that it stands between the two.
 */
static void take_unexplained(struct fh_resolution *resolution, bool environment_tells)
{
    const struct fh_module *loader = NULL, *libc = NULL;

    for (size_t i = 0; i < resolution->module_count; i++) {
        if (is_loader_name(resolution->modules[i].path))
            loader = &resolution->modules[i];
        if (resolution->modules[i].arrival == FH_ARRIVAL_LIBC)
            libc = &resolution->modules[i];
    }
    for (size_t i = 1; i < resolution->module_count; i++) {
        struct fh_module *module = &resolution->modules[i];
        if (module->through || module == libc || module == loader)
            continue;
        bool between = loader && libc && ((module->start > libc->start) == (module->start < loader->start) ||
                                          is_in_hole_above(module, libc));
        module->arrival = between && !environment_tells ? FH_ARRIVAL_EARLY : FH_ARRIVAL_LATE;
    }
}

static void choose(struct fh_resolution *resolution, const struct fh_environment *environment)
{
    struct fh_module *executable = &resolution->modules[0];
    bool environment_tells = fh_environment_intact(environment) && !is_loader_name(executable->path);

    if (executable->has_malloc)
        resolution->used = executable;
    for (size_t i = 1; i < resolution->module_count; i++) {
        struct fh_module *module = &resolution->modules[i];
        if (module->allocator && module->allocator->takes_over) {
            module->arrival = FH_ARRIVAL_EARLY;
            resolution->used = module;
            return;
        }
    }
    if (executable->arrival == FH_ARRIVAL_STATIC)
        return;
    char *preload_file = fh_read_whole_file("/etc/ld.so.preload", NULL);
    if (!take_preloaded(resolution, fh_environment_value(environment, "LD_PRELOAD"), FH_ARRIVAL_LD_PRELOAD))
        environment_tells = false;
    take_preloaded(resolution, preload_file, FH_ARRIVAL_PRELOAD_FILE);
    free(preload_file);

    bool settled = resolution->used != NULL;
    take_needed(resolution);
    take_unexplained(resolution, environment_tells);
    for (size_t i = 1; i < resolution->module_count && !settled; i++) {
        const struct fh_module *module = &resolution->modules[i];
        if (module->arrival == FH_ARRIVAL_EARLY && module->has_malloc) {
            resolution->used = module;
            settled = true;
        }
    }
    for (size_t i = 1; i < resolution->module_count && !resolution->used; i++) {
        if (resolution->modules[i].arrival == FH_ARRIVAL_LIBC)
            resolution->used = &resolution->modules[i];
    }
}

int fh_resolution_find(const char *verb, const struct fh_process *process, struct fh_resolution *resolution)
{
    struct fh_environment environment = {0};

    memset(resolution, 0, sizeof(*resolution));
    int error = fh_process_files(process->pid, &resolution->files, &resolution->file_count);
    if (error != 0)
        return fh_process_say_error(verb, process->pid, error);
    if (resolution->file_count == 0)
        return fh_process_say_error(verb, process->pid, ESRCH); /* it ended meanwhile */
    int fd = fh_process_open_file(process->pid, NULL);
    if (fd < 0)
        return fh_process_say_error(verb, process->pid, errno);

    resolution->modules = calloc(resolution->file_count + 1, sizeof(*resolution->modules));
    if (!resolution->modules)
        return fh_process_say_error(verb, process->pid, ENOMEM);
    resolution->pid = process->pid;
    resolution->modules[0].path = process->executable;
    resolution->module_count = 1;
    inspect(&resolution->modules[0], fd, true);
    for (size_t i = 0; i < resolution->file_count; i++) {
        const struct fh_mapped_file *file = &resolution->files[i];
        if (strcmp(file->path, process->executable) == 0) {
            resolution->modules[0].start = file->start;
            continue;
        }
        struct fh_module *module = &resolution->modules[resolution->module_count++];
        module->path = file->path;
        module->start = file->start;
        inspect(module, fh_process_open_file(process->pid, file), false);
    }
    fh_process_environment(process->pid, &environment); /* without it: as if nothing were in it */
    choose(resolution, &environment);
    fh_process_environment_free(&environment);
    return 0;
}

void fh_resolution_free(struct fh_resolution *resolution)
{
    for (size_t i = 0; i < resolution->module_count; i++) {
        struct fh_module *module = &resolution->modules[i];
        for (size_t j = 0; j < module->needed_count; j++)
            free(module->needed[j]);
        free(module->needed);
        free(module->soname);
        free(module->through);
    }
    free(resolution->modules);
    free(resolution->missing);
    fh_process_files_free(resolution->files, resolution->file_count);
    memset(resolution, 0, sizeof(*resolution));
}
