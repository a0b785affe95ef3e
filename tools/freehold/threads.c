/*
 * threads.c - from the state of a thread to the kernel's id and name of the thread that runs it.
 */
#include "threads.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNNING = 1 };

void fh_thread_names_open(struct fh_image *image, struct fh_thread_names *names)
{
    *names = (struct fh_thread_names){.image = image};
    names->threads = fh_image_threads_all(image, &names->count);
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

int32_t fh_thread_id(const struct fh_thread_names *names, uint32_t state)
{
    const struct fh_image_thread *thread = find(names, state);
    struct fh_image_thread_name name;
    return thread && fh_image_thread_name(names->image, thread, &name) ? name.id : 0;
}

const char *fh_thread_name(const struct fh_thread_names *names, uint32_t state, char text[FH_THREAD_NAME_BYTES])
{
    const struct fh_image_thread *thread = find(names, state);
    struct fh_image_thread_name name;
    bool is_known = thread && fh_image_thread_name(names->image, thread, &name);
    if (is_known && name.name[0])
        snprintf(text, FH_THREAD_NAME_BYTES, "%ld (%s)", (long)name.id, name.name);
    else if (is_known)
        snprintf(text, FH_THREAD_NAME_BYTES, "%ld", (long)name.id);
    else
        snprintf(text, FH_THREAD_NAME_BYTES, "#%u%s", state, thread && thread->status != RUNNING ? ", ended" : "");
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
    return text;
}
