/*
 * library.c - finding libfreehold.so and what it was built for.
 */
#include "library.h"

#include "cli.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <freehold.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TEXT_OF(number)  #number
#define SONAME_OF(major) "libfreehold.so." TEXT_OF(major)
#define SONAME           SONAME_OF(FH_VERSION_MAJOR)

/* Where the installed library stands as seen from the installed program; the build knows. */
#ifndef FH_LIBRARY_FROM_PROGRAM
#define FH_LIBRARY_FROM_PROGRAM "../lib"
#endif

const char *fh_libc_name(enum fh_libc libc)
{
    return libc == FH_LIBC_MUSL ? "musl libc" : "glibc";
}

/*
 * Makes `path` absolute, so that it holds after a chdir; its directory is freed of links, but not its last name: that
 * is a link to the newest version, and what a long build starts after an upgrade should still find one. False: no such
 * file.
 */
static bool resolve(const char *path, char resolved[PATH_MAX])
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;

    if (access(path, F_OK) != 0)
        return false;
    if (length + 2 > sizeof(directory) || !slash) {
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(directory, sizeof(directory), "%.*s/", (int)length, path);
    if (!realpath(directory, resolved))
        return false;
    length = strlen(resolved);
    if (length + strlen(slash) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(strcmp(resolved, "/") == 0 ? resolved : resolved + length, slash);
    return true;
}

static bool found_beside_program(char found[PATH_MAX])
{
    static const char *const places[] = {".", FH_LIBRARY_FROM_PROGRAM, "../lib", "../lib64"};
    char program[PATH_MAX], candidate[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (length <= 0)
        return false;
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(candidate, sizeof(candidate), "%s/%s/%s", program, places[i], SONAME);
        if (resolve(candidate, found))
            return true;
    }
    return false;
}

/*
 * Asks the loader, by loading it into this program: the one way that follows LD_LIBRARY_PATH, ld.so.conf and the
 * loader's own directories alike. It stays loaded, and unused, until the command takes this program's place.
 */
static bool found_by_loader(const char *name, char found[PATH_MAX])
{
    void *handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    struct link_map *map = NULL;

    return handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map && resolve(map->l_name, found);
}

static enum fh_libc libc_of(const struct fh_elf *elf)
{
    struct fh_elf_dynamic dynamic;
    enum fh_libc libc = FH_LIBC_UNKNOWN;

    fh_elf_dynamic_read(elf, &dynamic);
    for (size_t i = 0; i < dynamic.needed_count && libc == FH_LIBC_UNKNOWN; i++) {
        if (strncmp(dynamic.needed[i], "libc.so.6", 9) == 0)
            libc = FH_LIBC_GLIBC;
        else if (strcmp(dynamic.needed[i], "libc.so") == 0 || strncmp(dynamic.needed[i], "libc.musl-", 10) == 0)
            libc = FH_LIBC_MUSL;
    }
    fh_elf_dynamic_free(&dynamic);
    return libc;
}

/* Is the file one that the loader will take? `file` is where it is, library->preload how it will be named. */
static int inspect(const char *verb, struct fh_library *library, const char *file)
{
    struct statvfs volume;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        fh_say(verb, "%s: cannot be read: %s; choose another with FREEHOLD_LIBRARY", file, strerror(errno));
        return FH_EXIT_REFUSED;
    }
    fh_elf_open(&library->elf, fd);
    bool is_library = library->elf.status == FH_ELF_OK && library->elf.type == ET_DYN && library->elf.has_dynamic;
    bool has_malloc = is_library && fh_elf_exports(&library->elf, "malloc");
    library->libc = libc_of(&library->elf);
    fh_elf_close(&library->elf);

    if (!is_library)
        fh_say(verb, "%s: not a shared library; choose another with FREEHOLD_LIBRARY", file);
    else if (!has_malloc)
        fh_say(verb, "%s: a library without malloc; choose another with FREEHOLD_LIBRARY", file);
    else if (strpbrk(library->preload, " :$"))
        fh_say(verb, "%s: LD_PRELOAD cannot hold a path with a space, ':' or '$'; move or link the library elsewhere",
               file);
    else if (statvfs(file, &volume) == 0 && (volume.f_flag & ST_NOEXEC))
        fh_say(verb, "%s: on a file system mounted noexec, from which nothing can be loaded; move the library", file);
    else
        return 0;
    return FH_EXIT_REFUSED;
}

int fh_library_find(const char *verb, struct fh_library *library)
{
    const char *chosen = getenv("FREEHOLD_LIBRARY");
    char file[PATH_MAX];

    memset(library, 0, sizeof(*library));
    if (chosen && *chosen && strchr(chosen, '/')) {
        if (!resolve(chosen, file)) {
            fh_say(verb, "FREEHOLD_LIBRARY=%s: %s; correct the path or unset it", chosen, strerror(errno));
            return FH_EXIT_REFUSED;
        }
        snprintf(library->preload, sizeof(library->preload), "%s", file);
        return inspect(verb, library, file);
    }
    if (chosen && *chosen) {
        if (!found_by_loader(chosen, file)) {
            const char *why = dlerror();
            fh_say(verb, "FREEHOLD_LIBRARY=%s: %s; give its path or unset it", chosen, why ? why : "cannot be loaded");
            return FH_EXIT_REFUSED;
        }
        snprintf(library->preload, sizeof(library->preload), "%s", chosen);
        return inspect(verb, library, file);
    }
    if (found_beside_program(file)) {
        snprintf(library->preload, sizeof(library->preload), "%s", file);
        return inspect(verb, library, file);
    }
    if (found_by_loader(SONAME, file)) {
        snprintf(library->preload, sizeof(library->preload), "%s", SONAME);
        return inspect(verb, library, file);
    }
    fh_say(verb, "cannot find %s; install it, or name its file with FREEHOLD_LIBRARY=/path/to/%s", SONAME, SONAME);
    return FH_EXIT_REFUSED;
}
