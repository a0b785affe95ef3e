/*
 * program_check.c - would the loader put the library into that program? Everything here is a case in which LD_PRELOAD
 * is ignored without a word, or ends in a message that says nothing to the user.
 */
#include "file.h"
#include "program.h"

#include "allocators.h"
#include "cli.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SCRIPTS_MAX = 5,        /* scripts that name scripts as interpreters: what the kernel allows */
    SCRIPT_LINE_BYTES = 256 /* what the kernel reads of a #! line */
};

/* A program on the way from the command to the file that the loader will see. */
struct subject {
    const char *verb;
    const char *command;          /* the file that was asked for */
    char file[PATH_MAX];          /* the file looked at: the command, or an interpreter of it */
    char name[2 * PATH_MAX + 32]; /* for messages: "FILE", or "COMMAND: its interpreter FILE" */
};

static void set_file(struct subject *subject, const char *file)
{
    snprintf(subject->file, sizeof(subject->file), "%s", file);
    if (strcmp(subject->command, file) == 0)
        snprintf(subject->name, sizeof(subject->name), "%s", file);
    else
        snprintf(subject->name, sizeof(subject->name), "%s: its interpreter %s", subject->command, file);
}

static int refuse_script(const struct subject *subject, const char *cause)
{
    fh_say(subject->verb, "%s: %s; correct the #! line", subject->file, cause);
    return FH_EXIT_NOT_EXECUTABLE;
}

/*
 * "#!/usr/bin/env X": what is run is X, found through PATH. Of the options only -S (split the rest into words) matters,
 * and those that empty the environment. `words` is what follows "env"; X goes to `command`, empty when none is seen.
 */
static int parse_env_line(const struct subject *subject, char *words, char command[PATH_MAX])
{
    command[0] = '\0';
    bool split = false;
    char *rest = NULL;
    for (char *word = strtok_r(words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (strncmp(word, "-S", 2) == 0 || strncmp(word, "--split-string=", 15) == 0) {
            split = true;
            word += word[1] == 'S' ? 2 : 15;
            if (*word == '\0')
                continue;
        }
        if (strcmp(word, "-") == 0 || strcmp(word, "-i") == 0 || strcmp(word, "--ignore-environment") == 0) {
            fh_say(subject->verb, "%s: its #! line empties the environment, and LD_PRELOAD with it; take %s out of it",
                   subject->file, word);
            return FH_EXIT_REFUSED;
        }
        if (word[0] == '-' || (split && strchr(word, '=')))
            continue;
        snprintf(command, PATH_MAX, "%s", word);
        return 0;
    }
    return 0;
}

/* From a script to its interpreter. `line` is what follows "#!". Returns 0 or an exit status. */
static int enter_interpreter(struct subject *subject, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *interpreter = line + strspn(line, " \t");
    size_t length = strcspn(interpreter, " \t");
    char *words = interpreter + length + (interpreter[length] != '\0');
    interpreter[length] = '\0';
    if (length == 0)
        return refuse_script(subject, "its #! line names no interpreter");
    if (interpreter[length - 1] == '\r')
        return refuse_script(subject, "its #! line ends in a carriage return, as DOS files do");

    char found[PATH_MAX];
    if (strcmp(fh_base_name(interpreter), "env") == 0) {
        char command[PATH_MAX];
        int status = parse_env_line(subject, words, command);
        if (status != 0)
            return status;
        if (command[0]) {
            status = fh_program_find(subject->verb, command, found);
            if (status == 0)
                set_file(subject, found);
            return status;
        }
    }
    struct stat about;
    if (stat(interpreter, &about) != 0) {
        fh_say(subject->verb, "%s: its interpreter %s: %s; install it, or correct the #! line", subject->file,
               interpreter, strerror(errno));
        return errno == ENOENT ? FH_EXIT_NOT_FOUND : FH_EXIT_NOT_EXECUTABLE;
    }
    snprintf(found, sizeof(found), "%s", interpreter);
    set_file(subject, found);
    return 0;
}

static const char *user_name(uid_t uid, char text[32])
{
    const struct passwd *user = getpwuid(uid);
    if (user)
        snprintf(text, 32, "%s", user->pw_name);
    else
        snprintf(text, 32, "%lu", (unsigned long)uid);
    return text;
}

static const char *group_name(gid_t gid, char text[32])
{
    const struct group *group = getgrgid(gid);
    if (group)
        snprintf(text, 32, "%s", group->gr_name);
    else
        snprintf(text, 32, "%lu", (unsigned long)gid);
    return text;
}

/* The kernel's rule for AT_SECURE, under which the loader ignores LD_PRELOAD: does the file raise privileges? */
static int check_privileges(const struct subject *subject, int fd)
{
    struct stat about;
    struct statvfs volume;
    char name[32], capabilities[64];

    if (fstat(fd, &about) != 0)
        return 0;
    if (fstatvfs(fd, &volume) == 0 && (volume.f_flag & ST_NOSUID))
        return 0; /* the kernel ignores the bits there */
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return 0;
    if ((about.st_mode & S_ISUID) && about.st_uid != getuid()) {
        user_name(about.st_uid, name);
        fh_say(subject->verb, "%s is setuid, so the loader ignores LD_PRELOAD; run it as user %s", subject->name, name);
        return FH_EXIT_REFUSED;
    }
    if ((about.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && about.st_gid != getgid()) {
        group_name(about.st_gid, name);
        fh_say(subject->verb, "%s is setgid, so the loader ignores LD_PRELOAD; run it as group %s", subject->name,
               name);
        return FH_EXIT_REFUSED;
    }
    if (getuid() != 0 && fgetxattr(fd, "security.capability", capabilities, sizeof(capabilities)) > 0) {
        fh_say(subject->verb, "%s has file capabilities, so the loader ignores LD_PRELOAD; run it as root",
               subject->name);
        return FH_EXIT_REFUSED;
    }
    return 0;
}

static enum fh_libc libc_of_loader(const char *loader)
{
    const char *name = fh_base_name(loader);
    if (strncmp(name, "ld-musl", 7) == 0)
        return FH_LIBC_MUSL;
    if (strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld64.so", 7) == 0 || strncmp(name, "ld.so", 5) == 0)
        return FH_LIBC_GLIBC;
    return FH_LIBC_UNKNOWN;
}

/* A program without PT_INTERP starts without the loader, unless it is the loader. */
static int check_without_loader(const struct subject *subject, const struct fh_elf *elf)
{
    struct fh_elf_dynamic dynamic;
    int status = FH_EXIT_REFUSED;

    fh_elf_dynamic_read(elf, &dynamic);
    if (elf->type == ET_DYN && strncmp(fh_base_name(subject->file), "ld-", 3) == 0)
        status = 0;
    else if (elf->type == ET_DYN && dynamic.soname) {
        fh_say(subject->verb, "%s is a shared library, not a program", subject->name);
        status = FH_EXIT_NOT_EXECUTABLE;
    } else {
        fh_say(subject->verb, "%s is statically linked%s, so nothing can be preloaded; relink it with libfreehold.a",
               subject->name, elf->type == ET_DYN ? " (static-pie)" : "");
    }
    fh_elf_dynamic_free(&dynamic);
    return status;
}

static int check_elf(const struct subject *subject, const struct fh_elf *elf, const struct fh_library *library)
{
    char machine[64];

    if (elf->type != ET_EXEC && elf->type != ET_DYN) {
        fh_say(subject->verb, "%s is not a program but another kind of ELF file", subject->name);
        return FH_EXIT_NOT_EXECUTABLE;
    }
    if (elf->machine != library->elf.machine || elf->bits != library->elf.bits ||
        elf->big_endian != library->elf.big_endian) {
        snprintf(machine, sizeof(machine), "%s", fh_elf_machine_name(elf));
        fh_say(subject->verb, "%s is built for %s, the library for %s; use a Freehold built for %s", subject->name,
               machine, fh_elf_machine_name(&library->elf), machine);
        return FH_EXIT_REFUSED;
    }
    if (!elf->has_interpreter)
        return check_without_loader(subject, elf);

    enum fh_libc libc = libc_of_loader(elf->interpreter);
    if (libc != FH_LIBC_UNKNOWN && library->libc != FH_LIBC_UNKNOWN && libc != library->libc) {
        fh_say(subject->verb, "%s uses %s, the library %s; use a Freehold built for %s", subject->name,
               fh_libc_name(libc), fh_libc_name(library->libc), fh_libc_name(libc));
        return FH_EXIT_REFUSED;
    }
    if (access(elf->interpreter, F_OK) != 0) {
        fh_say(subject->verb, "%s needs the loader %s, which is missing; install its C library", subject->name,
               elf->interpreter);
        return FH_EXIT_NOT_FOUND;
    }
    if (fh_elf_exports(elf, "malloc")) {
        const struct fh_allocator *allocator = fh_allocator_in_file(elf, true);
        fh_say(subject->verb,
               "%s has a malloc of its own inside%s%s%s, which comes before any preloaded; build it without",
               subject->name, allocator ? " (" : "", allocator ? allocator->name : "", allocator ? ")" : "");
        return FH_EXIT_REFUSED;
    }
    return 0;
}

/* One file. Returns 0 or an exit status; *again is set when the subject has become the interpreter of the script. */
static int check_file(struct subject *subject, const struct fh_library *library, bool *again)
{
    char line[SCRIPT_LINE_BYTES + 1] = "";
    struct fh_elf *elf = malloc(sizeof(*elf));
    int fd = open(subject->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = 0;

    if (!elf || fd < 0) {
        fh_say(subject->verb, "note: %s cannot be read, so whether it runs on freehold is not known", subject->name);
        free(elf);
        if (fd >= 0)
            close(fd);
        return 0;
    }
    if (fh_elf_open(elf, fd) == FH_ELF_DAMAGED) {
        fh_say(subject->verb, "%s is a damaged ELF file: %s; rebuild or reinstall it", subject->name, elf->damage);
        status = FH_EXIT_NOT_EXECUTABLE;
    } else if (elf->status == FH_ELF_OK) {
        status = check_elf(subject, elf, library);
        if (status == 0)
            status = check_privileges(subject, fd);
    } else {
        *again = true;
        if (pread(fd, line, SCRIPT_LINE_BYTES, 0) > 2 && line[0] == '#' && line[1] == '!')
            status = enter_interpreter(subject, line + 2);
        else
            set_file(subject, "/bin/sh"); /* who runs what the kernel does not understand, for execvp and for shells */
    }
    fh_elf_close(elf);
    free(elf);
    return status;
}

int fh_program_check(const char *verb, const char *path, const struct fh_library *library)
{
    struct subject *subject = calloc(1, sizeof(*subject));
    int status = 0;

    if (!subject)
        return 0;
    subject->verb = verb;
    subject->command = path;
    set_file(subject, path);
    for (int depth = 0; status == 0; depth++) {
        bool again = false;
        if (depth > SCRIPTS_MAX) {
            status = refuse_script(subject, "too many scripts that have scripts as interpreters");
            break;
        }
        status = check_file(subject, library, &again);
        if (!again)
            break;
    }
    free(subject);
    return status;
}
