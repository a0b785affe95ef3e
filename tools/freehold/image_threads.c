/*
 * image_threads.c - the kernel's ids and names of the threads that run the states: of a process from /proc, of a
 * snapshot as they were noted in it; of a core the ids, and the name of the first thread, which is the process's.
 */
#include "image_source.h"

#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MOST = 1 << 18, RUNNING = 1, FIRST_ROOM = 1024 };

struct fh_image_thread *fh_image_threads_all(struct fh_image *image, size_t *count)
{
    struct fh_image_thread *threads = NULL;
    *count = 0;
    for (size_t room = FIRST_ROOM; room <= THREADS_MOST; room *= 4) {
        struct fh_image_thread *larger = realloc(threads, room * sizeof(*larger));
        if (!larger)
            break;
        threads = larger;
        *count = fh_image_threads(image, threads, room);
        if (*count < room)
            break;
    }
    return threads;
}

/* The name of a thread of the process; false when it has none of that id. */
static bool read_name(pid_t pid, int32_t thread, char name[FH_THREAD_COMM_BYTES])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/comm", (long)pid, (long)thread);
    char *text = fh_read_whole_file(path, NULL);
    if (!text)
        return false;
    snprintf(name, FH_THREAD_COMM_BYTES, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    return true;
}

/*
 * glibc keeps the id in the thread's descriptor, which begins at the thread pointer on x86-64; its place has not moved
 * since 2.4. What is read counts only if the process has a thread of that number, so that another C library yields
 * "not known".
 */
static bool name_in_process(struct fh_image *image, const struct fh_image_thread *thread,
                            struct fh_image_thread_name *name)
{
#ifdef __x86_64__
    enum { ID_AT = 720 };
    name->id = (int32_t)fh_image_read_number(image, thread->pointer + ID_AT, sizeof(name->id));
#else
    (void)thread;
#endif
    return name->id > 0 && read_name(image->about.pid, name->id, name->name);
}

static bool name_in_core(const struct fh_image *image, const struct fh_image_thread *thread,
                         struct fh_image_thread_name *name)
{
    size_t i = 0;
    while (i < image->core_thread_count && image->core_threads[i].pointer != thread->pointer)
        i++;
    if (i == image->core_thread_count)
        return false;
    name->id = image->core_threads[i].id;
    if (name->id == image->about.pid)
        snprintf(name->name, sizeof(name->name), "%.*s", (int)sizeof(name->name) - 1, image->about.name);
    return true;
}

bool fh_image_thread_name(struct fh_image *image, const struct fh_image_thread *thread,
                          struct fh_image_thread_name *name)
{
    *name = (struct fh_image_thread_name){.state = thread->id};
    if (thread->status != RUNNING)
        return false;
    if (image->about.kind == FH_IMAGE_PROCESS)
        return name_in_process(image, thread, name);
    if (image->about.kind == FH_IMAGE_CORE)
        return name_in_core(image, thread, name);
    size_t low = 0, high = image->thread_name_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (image->thread_names[middle].state < thread->id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == image->thread_name_count || image->thread_names[low].state != thread->id)
        return false;
    *name = image->thread_names[low];
    return true;
}
