/*
 * image_hold.c - stopping a process for as long as something has to be seen at a standstill.
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
#include <sys/ptrace.h>
#include <sys/wait.h>

enum { ROUNDS_MOST = 8 };

static struct held_thread {
    pid_t id;
    int signal; /* that was about to be delivered when it stopped; 0 for none */
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

/* 0: it stands; ESRCH: it has ended; else an errno. */
static int hold_thread(pid_t thread)
{
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
    int status;
    pid_t got;
    do
        got = waitpid(thread, &status, __WALL);
    while (got < 0 && errno == EINTR);
    if (got < 0 || !WIFSTOPPED(status))
        return ESRCH;
    bool is_signal = status >> 16 == 0;
    held[held_count++] = (struct held_thread){thread, is_signal ? WSTOPSIG(status) : 0};
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

int fh_image_hold(struct fh_image *image)
{
    if (image->about.kind != FH_IMAGE_PROCESS)
        return 0;
    bool any = true;
    int error = 0;
    /* Until a whole round finds no new thread: one that we had not stopped yet may have started another. */
    for (int round = 0; error == 0 && any && round < ROUNDS_MOST; round++)
        error = hold_new(image->about.pid, &any);
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
