/*
 * process.c - what /proc says about another process.
 */
#include "process.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PROC_PATH_BYTES = 64,
    FILE_BYTES_MAX = 256 << 20, /* of a file in /proc; maps of 1 M mappings are 100 MB */
    KERNEL_THREAD = 0x00200000  /* PF_KTHREAD in the flags of /proc/PID/stat */
};

bool fh_process_id(const char *word, pid_t *pid)
{
    char *end;
    errno = 0;
    long value = strtol(word, &end, 10);
    if (errno || word[0] < '0' || word[0] > '9' || *end || value <= 0 || value > INT_MAX)
        return false;
    *pid = (pid_t)value;
    return true;
}

char *fh_read_whole_file(const char *path, size_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0, room = 16384;
    char *text = NULL;

    if (fd < 0)
        return NULL;
    for (;;) {
        char *larger = realloc(text, room + 2);
        if (!larger || room > FILE_BYTES_MAX) {
            free(larger ? larger : text);
            text = NULL;
            errno = ENOMEM;
            break;
        }
        text = larger;
        ssize_t got = read(fd, text + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(text);
            text = NULL;
            break;
        }
        if (got == 0) {
            text[used] = text[used + 1] = '\0';
            if (bytes)
                *bytes = used;
            break;
        }
        used += (size_t)got;
        if (used == room)
            room *= 2;
    }
    int error = errno;
    close(fd);
    errno = error;
    return text;
}

struct stat_line {
    char name[64];
    char state;
    long parent;
    unsigned long flags;
};

/* /proc/PID/stat: "PID (NAME) STATE PARENT …", where NAME may hold anything, ")" too. */
static bool read_stat_line(pid_t pid, struct stat_line *line)
{
    char path[PROC_PATH_BYTES];
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    char *text = fh_read_whole_file(path, NULL);
    if (!text)
        return false;

    char *open = strchr(text, '('), *close = strrchr(text, ')');
    bool good = open && close && close > open &&
                sscanf(close + 1, " %c %ld %*d %*d %*d %*d %lu", &line->state, &line->parent, &line->flags) == 3;
    if (good)
        snprintf(line->name, sizeof(line->name), "%.*s", (int)(close - open - 1), open + 1);
    free(text);
    return good;
}

static int say_absent(const char *verb, pid_t pid)
{
    if (access("/proc/self/stat", F_OK) != 0)
        fh_say(verb, "/proc is not mounted; mount -t proc proc /proc");
    else if (kill(pid, 0) == 0 || errno == EPERM)
        fh_say(verb, "process %ld is hidden (/proc is mounted with hidepid); try as root, with sudo", (long)pid);
    else
        fh_say(verb, "no process %ld: it has ended, or is in another container (see ps -e)", (long)pid);
    return FH_EXIT_FAILED;
}

/* Whose process it is; readable when nothing else of it is. */
static bool read_user(pid_t pid, uid_t *user)
{
    char path[PROC_PATH_BYTES];
    unsigned long real;
    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    char *text = fh_read_whole_file(path, NULL);
    const char *line = text ? strstr(text, "\nUid:") : NULL;
    bool good = line && sscanf(line, "\nUid: %lu", &real) == 1;
    if (good)
        *user = (uid_t)real;
    free(text);
    return good;
}

static int say_not_permitted(const char *verb, pid_t pid)
{
    uid_t user;
    if (geteuid() == 0) {
        fh_say(verb, "process %ld may not be read without CAP_SYS_PTRACE; try outside of this container", (long)pid);
    } else if (read_user(pid, &user) && user != getuid()) {
        const struct passwd *owner = getpwuid(user);
        char number[32];
        snprintf(number, sizeof(number), "%lu", (unsigned long)user);
        fh_say(verb, "process %ld belongs to user %s; look at it as that user or as root, with sudo", (long)pid,
               owner ? owner->pw_name : number);
    } else {
        fh_say(verb, "process %ld is protected by the kernel (setuid, or undumpable); try as root, with sudo",
               (long)pid);
    }
    return FH_EXIT_FAILED;
}

int fh_process_say_error(const char *verb, pid_t pid, int error)
{
    if (error == ENOENT || error == ESRCH)
        return say_absent(verb, pid);
    if (error == EACCES || error == EPERM)
        return say_not_permitted(verb, pid);
    fh_say(verb, "process %ld cannot be read: %s", (long)pid, strerror(error));
    return FH_EXIT_FAILED;
}

/* Undoes what the kernel does to a path in maps: "\012" for a newline, and a mark behind that of a deleted file. */
static void clean_path(char *path)
{
    static const char mark[] = " (deleted)";
    char *to = path;
    for (const char *from = path; *from; to++) {
        bool newline = strncmp(from, "\\012", 4) == 0;
        *to = newline ? '\n' : *from;
        from += newline ? 4 : 1;
    }
    *to = '\0';
    size_t length = strlen(path), mark_length = sizeof(mark) - 1;
    if (length > mark_length && strcmp(path + length - mark_length, mark) == 0)
        path[length - mark_length] = '\0';
}

int fh_process_open(const char *verb, pid_t pid, struct fh_process *process)
{
    char path[PROC_PATH_BYTES], executable[PATH_MAX];
    struct stat_line line;

    memset(process, 0, sizeof(*process));
    if (!read_stat_line(pid, &line))
        return say_absent(verb, pid);
    if (line.state == 'Z' || line.state == 'X') {
        fh_say(verb, "process %ld (%s) is a zombie: its memory is gone, its parent %ld has yet to collect it",
               (long)pid, line.name, line.parent);
        return FH_EXIT_FAILED;
    }
    if (line.flags & KERNEL_THREAD) {
        fh_say(verb, "process %ld (%s) is a kernel thread and has no malloc; choose a program's", (long)pid, line.name);
        return FH_EXIT_FAILED;
    }
    snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
    ssize_t length = readlink(path, executable, sizeof(executable) - 1);
    if (length < 0)
        return fh_process_say_error(verb, pid, errno);
    executable[length] = '\0';
    clean_path(executable);

    process->pid = pid;
    snprintf(process->name, sizeof(process->name), "%s", line.name);
    process->executable = strdup(executable);
    return 0;
}

void fh_process_close(struct fh_process *process)
{
    free(process->executable);
    process->executable = NULL;
}

/* Notes one line of maps; `files` has room for one more. */
static void add_mapping(struct fh_mapped_file *files, size_t *count, char *line)
{
    uint64_t start, end;
    char access_text[8];
    int path_at = 0;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %n", &start, &end, access_text, &path_at) < 3 ||
        path_at == 0)
        return;
    char *path = line + path_at;
    if (path[0] != '/' || strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/SYSV", 5) == 0)
        return;
    clean_path(path);
    bool executable = strchr(access_text, 'x') != NULL;
    for (size_t i = *count; i-- > 0;) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        if (executable && files[i].code_end == 0) {
            files[i].code_start = start;
            files[i].code_end = end;
        }
        return;
    }
    char *copy = strdup(path);
    if (copy)
        files[(*count)++] = (struct fh_mapped_file){
            .path = copy, .start = start, .code_start = executable ? start : 0, .code_end = executable ? end : 0};
}

int fh_process_files(pid_t pid, struct fh_mapped_file **files, size_t *count)
{
    char path[PROC_PATH_BYTES];
    size_t room = 0, all = 0;

    *files = NULL;
    *count = 0;
    snprintf(path, sizeof(path), "/proc/%ld/maps", (long)pid);
    errno = 0;
    char *text = fh_read_whole_file(path, NULL);
    if (!text)
        return errno ? errno : EIO;
    for (char *line = text, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        if (all == room) {
            room = room ? 2 * room : 64;
            struct fh_mapped_file *larger = realloc(*files, room * sizeof(**files));
            if (!larger)
                break;
            *files = larger;
        }
        add_mapping(*files, &all, line);
    }
    free(text);
    for (size_t i = 0; i < all; i++) { /* fonts, locales and the like are no code */
        if ((*files)[i].code_end != 0)
            (*files)[(*count)++] = (*files)[i];
        else
            free((*files)[i].path);
    }
    return 0;
}

void fh_process_files_free(struct fh_mapped_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(files[i].path);
    free(files);
}

int fh_process_open_file(pid_t pid, const struct fh_mapped_file *file)
{
    char path[PROC_PATH_BYTES + PATH_MAX];
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

    if (!file) {
        snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
        return open(path, flags);
    }
    /* The mapping itself first: the path may be another file by now. That needs more rights than the path does. */
    snprintf(path, sizeof(path), "/proc/%ld/map_files/%" PRIx64 "-%" PRIx64, (long)pid, file->code_start,
             file->code_end);
    int fd = open(path, flags);
    if (fd < 0) {
        snprintf(path, sizeof(path), "/proc/%ld/root%s", (long)pid, file->path);
        fd = open(path, flags);
    }
    return fd;
}

int fh_process_environment(pid_t pid, struct fh_environment *environment)
{
    char path[PROC_PATH_BYTES];
    snprintf(path, sizeof(path), "/proc/%ld/environ", (long)pid);
    errno = 0;
    environment->text = fh_read_whole_file(path, &environment->bytes);
    if (!environment->text) {
        environment->bytes = 0;
        return errno ? errno : EIO;
    }
    return 0;
}

void fh_process_environment_free(struct fh_environment *environment)
{
    free(environment->text);
    environment->text = NULL;
}

const char *fh_environment_value(const struct fh_environment *environment, const char *name)
{
    size_t length = strlen(name);
    for (size_t at = 0; at < environment->bytes; at += strlen(environment->text + at) + 1) {
        if (strncmp(environment->text + at, name, length) == 0 && environment->text[at + length] == '=')
            return environment->text + at + length + 1;
    }
    return NULL;
}

bool fh_environment_intact(const struct fh_environment *environment)
{
    for (size_t at = 0; at < environment->bytes; at += strlen(environment->text + at) + 1) {
        if (!strchr(environment->text + at, '='))
            return false;
    }
    return environment->bytes > 0;
}
