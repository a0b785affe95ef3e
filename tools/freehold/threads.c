/*
 * threads.c - from the state of a thread to the kernel's id and name of the thread that runs it.
 */
#include "threads.h"

#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MOST = 1 << 18, RUNNING = 1, FIRST_ROOM = 1024 };

void fh_thread_names_open(struct fh_image *image, struct fh_thread_names *names)
{
    *names = (struct fh_thread_names){.image = image};
    for (size_t room = FIRST_ROOM; room <= THREADS_MOST; room *= 4) {
        struct fh_image_thread *larger = realloc(names->threads, room * sizeof(*larger));
        if (!larger)
            break;
        names->threads = larger;
        names->count = fh_image_threads(image, larger, room);
        if (names->count < room)
            break;
    }
}

void fh_thread_names_close(struct fh_thread_names *names)
{
    free(names->threads);
    *names = (struct fh_thread_names){0};
}

static const struct fh_image_thread *find(const struct fh_thread_names *names, uint32_t state)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->threads[i].id == state)
            return &names->threads[i];
    }
    return NULL;
}

/* The name of a thread of the process; false when it has none of that id. */
static bool read_name(pid_t pid, int32_t thread, char *name, size_t room)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/comm", (long)pid, (long)thread);
    char *text = fh_read_whole_file(path, NULL);
    if (!text)
        return false;
    snprintf(name, room, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    return true;
}

/*
 * glibc keeps the id in the thread's descriptor, which begins at the thread pointer on x86-64; its place has not moved
 * since 2.4. What is read counts only if the process has a thread of that number, so that another C library yields
 * "not known".
 */
static int32_t read_id(const struct fh_thread_names *names, const struct fh_image_thread *thread, char *name,
                       size_t room)
{
    const struct fh_image_about *about = fh_image_about(names->image);
    int32_t id = 0;
#ifdef __x86_64__
    enum { ID_AT = 720 };
    if (about->kind == FH_IMAGE_PROCESS && thread->status == RUNNING)
        id = (int32_t)fh_image_read_number(names->image, thread->pointer + ID_AT, sizeof(id));
#else
    (void)thread;
#endif
    return id > 0 && read_name(about->pid, id, name, room) ? id : 0;
}

int32_t fh_thread_id(const struct fh_thread_names *names, uint32_t state)
{
    const struct fh_image_thread *thread = find(names, state);
    char name[32];
    return thread ? read_id(names, thread, name, sizeof(name)) : 0;
}

const char *fh_thread_name(const struct fh_thread_names *names, uint32_t state, char text[FH_THREAD_NAME_BYTES])
{
    const struct fh_image_thread *thread = find(names, state);
    char name[32];
    int32_t id = thread ? read_id(names, thread, name, sizeof(name)) : 0;
    if (id)
        snprintf(text, FH_THREAD_NAME_BYTES, "%ld %s", (long)id, name);
    else
        snprintf(text, FH_THREAD_NAME_BYTES, "#%u%s", state, thread && thread->status != RUNNING ? ", ended" : "");
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
    return text;
}
