/*
 * image_hold.c - stopping a process for as long as something has to be seen at a standstill, at a moment when no thread
 * is in the middle of a change of the heap.
 *
 * By ptrace, thread by thread: the process gets no signal, its parent sees nothing, and should this program end in
 * whatever way, the kernel lets every thread go on. (SIGSTOP would outlive us.)
 */
#include "image_source.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS_MOST = 8 };

static struct held_thread {
    pid_t id;
    int signal; /* that was about to be delivered when it stopped; 0 for none */
    bool runs;  /* for a moment, until it is out of the allocator */
} *held;
static size_t held_count, held_room;

static bool is_held(pid_t thread)
{
    for (size_t i = 0; i < held_count; i++) {
        if (held[i].id == thread)
            return true;
    }
    return false;
}

/* Waits until a thread that was interrupted stands: true and the signal; false when it has ended. */
static bool wait_until_it_stands(pid_t thread, int *signal)
{
    int status;
    pid_t got;
    do
        got = waitpid(thread, &status, __WALL);
    while (got < 0 && errno == EINTR);
    *signal = got > 0 && WIFSTOPPED(status) && status >> 16 == 0 ? WSTOPSIG(status) : 0;
    return got > 0 && WIFSTOPPED(status);
}

/* 0: it stands; ESRCH: it has ended; else an errno. */
static int hold_thread(pid_t thread)
{
    int signal;
    if (held_count == held_room) {
        size_t room = held_room ? 2 * held_room : 64;
        struct held_thread *larger = realloc(held, room * sizeof(*held));
        if (!larger)
            return ENOMEM;
        held = larger;
        held_room = room;
    }
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0)
        return errno;
    if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0)
        return errno;
    if (!wait_until_it_stands(thread, &signal))
        return ESRCH;
    held[held_count++] = (struct held_thread){thread, signal, false};
    return 0;
}

/* Holds the threads that are not held yet; *any tells whether there was one. */
static int hold_new(pid_t pid, bool *any)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
    DIR *threads = opendir(path);
    int error = threads ? 0 : errno;
    *any = false;
    for (struct dirent *entry; error == 0 && threads && (entry = readdir(threads)) != NULL;) {
        pid_t thread = (pid_t)atol(entry->d_name);
        if (thread <= 0 || is_held(thread))
            continue;
        *any = true;
        error = hold_thread(thread);
        if (error == ESRCH)
            error = 0; /* it has just ended */
    }
    if (threads)
        closedir(threads);
    return error;
}

/* Until a whole round finds no new thread: one that we had not stopped yet may have started another. */
static int hold_all(pid_t pid)
{
    bool any = true;
    int error = 0;
    for (int round = 0; error == 0 && any && round < ROUNDS_MOST; round++)
        error = hold_new(pid, &any);
    return error;
}

/* --- out of the allocator --- */

/* The code of the library; false where it is one with the program. */
static bool find_code(const struct fh_image *image, uint64_t *start, uint64_t *end)
{
    const char *path = NULL;
    bool has_programs = false;
    for (size_t i = 0; i < image->vma_count; i++) {
        if (image->root.self - image->vmas[i].start < image->vmas[i].end - image->vmas[i].start)
            path = image->vmas[i].path;
    }
    *start = *end = 0;
    for (size_t i = 0; path && *path && i < image->vma_count; i++) {
        const struct fh_image_vma *vma = &image->vmas[i];
        if (!vma->executable || strcmp(vma->path, path) != 0)
            continue;
        *start = *start ? *start : vma->start;
        *end = vma->end;
        has_programs |= i == 0;
    }
    return *end != 0 && !has_programs;
}

/* Where a thread that stands is; 0 when the system does not tell. */
static uint64_t place_of(pid_t pid, pid_t thread)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/syscall", (long)pid, (long)thread);
    FILE *file = fopen(path, "re");
    char *last = file && fgets(line, sizeof(line), file) ? strrchr(line, ' ') : NULL;
    if (file)
        fclose(file);
    return last ? strtoull(last + 1, NULL, 16) : 0;
}

static bool any_heap_is_locked(struct fh_image *image)
{
    const struct fh_image_root *root = &image->root;
    uint64_t heaps = fh_image_read_number(image, root->heap_count, 4);
    for (uint64_t i = 0; i < heaps && i < 256; i++) {
        uint64_t heap = root->heaps + i * root->heap_bytes;
        if (fh_image_read_number(image, FH_IMAGE_AT(heap, root->heap_lock), 1) != 0)
            return true;
    }
    return false;
}

/* Lets those threads run for a moment that are inside the library; all of them where that can't be told, and a heap is
 * locked. False when there is none. */
static bool let_some_run(struct fh_image *image, long pause_us)
{
    uint64_t start, end;
    bool has_code = find_code(image, &start, &end), any = false;
    for (size_t i = 0; i < held_count; i++) {
        uint64_t place = has_code ? place_of(image->about.pid, held[i].id) : 0;
        held[i].runs = place >= start && place < end;
        any |= held[i].runs;
    }
    bool all = !any && any_heap_is_locked(image);
    if (!any && !all)
        return false;
    for (size_t i = 0; i < held_count; i++) {
        held[i].runs |= all;
        if (held[i].runs)
            ptrace(PTRACE_CONT, held[i].id, NULL, (void *)(intptr_t)held[i].signal);
    }
    const struct timespec pause = {0, pause_us * 1000};
    nanosleep(&pause, NULL);
    size_t kept = 0;
    for (size_t i = 0; i < held_count; i++) {
        bool stands = !held[i].runs || (ptrace(PTRACE_INTERRUPT, held[i].id, NULL, NULL) == 0 &&
                                        wait_until_it_stands(held[i].id, &held[i].signal));
        held[i].runs = false;
        if (stands)
            held[kept++] = held[i];
    }
    held_count = kept;
    return true;
}

int fh_image_hold(struct fh_image *image)
{
    enum { TRIES = 200, PAUSE_LEAST_US = 50, PAUSE_MOST_US = 5000 };
    if (image->about.kind != FH_IMAGE_PROCESS)
        return 0;
    int error = hold_all(image->about.pid);
    long pause_us = PAUSE_LEAST_US;
    for (int i = 0; error == 0 && i < TRIES && let_some_run(image, pause_us); i++) {
        error = hold_all(image->about.pid); /* they may have started others */
        pause_us = pause_us < PAUSE_MOST_US ? pause_us + pause_us / 2 : PAUSE_LEAST_US;
    }
    if (error == 0 && held_count == 0)
        error = ESRCH;
    if (error != 0)
        fh_image_release(image);
    image->window_bytes = 0;
    image->about.was_held = error == 0;
    return error;
}

void fh_image_release(struct fh_image *image)
{
    if (image->about.kind == FH_IMAGE_PROCESS)
        image->about.was_held = false;
    for (size_t i = 0; i < held_count; i++)
        ptrace(PTRACE_DETACH, held[i].id, NULL, (void *)(intptr_t)held[i].signal);
    held_count = 0;
}
