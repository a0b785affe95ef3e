/*
 * threads.h - what the threads of a heap are called.
 */
#ifndef FREEHOLD_TOOL_THREADS_H
#define FREEHOLD_TOOL_THREADS_H

#include "image.h"

/* The states of threads, by number, and the names of those that run them. */
struct fh_thread_names {
    struct fh_image *image;
    struct fh_image_thread *threads;
    size_t count;
};
void fh_thread_names_open(struct fh_image *image, struct fh_thread_names *names);
void fh_thread_names_close(struct fh_thread_names *names);

enum { FH_THREAD_NAME_BYTES = 48 };
/* "1234 (worker)" with the kernel's id where that can be known, "1234" where its name cannot, "#3" without an id,
 * "#3, ended" for a state without a thread. */
const char *fh_thread_name(const struct fh_thread_names *names, uint32_t state, char text[FH_THREAD_NAME_BYTES]);
/* The kernel's id of the thread; 0: not known. */
int32_t fh_thread_id(const struct fh_thread_names *names, uint32_t state);

#endif
