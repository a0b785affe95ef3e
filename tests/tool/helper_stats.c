/*
 * helper_stats.c - a process that knows its heap: allocates in some ways, writes fh_stats_json and fh_stats_openmetrics
 * into two files, says "ready", and waits for a signal without touching its heap again.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void allocate(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *volatile block = malloc(i * 37 % 5000);
        memset(block, 1, i * 37 % 5000);
        if (i % 3 == 0) free(block);
    }
}

static void *other_thread(void *nothing)
{
    allocate(3000);
    return nothing;
}

static int write_stats(const char *name, const char *path)
{
    int (*write_to)(int fd) = (int (*)(int))dlsym(RTLD_DEFAULT, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!write_to || fd < 0) return -1;
    int status = write_to(fd);
    close(fd);
    return status;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc != 3) return 2;
    allocate(20000);
    for (int i = 0; i < 2; i++) { /* the second time shows that such blocks are wanted again: the mapping is kept */
        void *volatile block = malloc(400000);
        free(block);
    }
    void *volatile large = malloc(3000000);
    if (!large || pthread_create(&thread, NULL, other_thread, NULL) != 0 || pthread_join(thread, NULL) != 0) return 1;
    if (write_stats("fh_stats_json", argv[1]) != 0 || write_stats("fh_stats_openmetrics", argv[2]) != 0) return 1;
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
    close(STDOUT_FILENO);
    for (;;) pause();
}
