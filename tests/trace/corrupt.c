/*
 * corrupt.c - the reader on a trace of which each byte in turn is another one, and on beginnings of every length.
 *
 *     corrupt TRACE FIRST STEP     every STEP-th byte from FIRST on
 *
 * A wrong byte before the index is always found; one in the index or behind it makes the trace one without a proper
 * end, at most. Built with the sanitizers where there are any.
 */
#include "trace_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t events;

static bool visit(void *arg, uint32_t thread, const struct fh_trace_event *event)
{
    (void)arg;
    events += thread < FH_TRACE_THREADS_MOST && event->kind >= FH_TRACE_MALLOC;
    return true;
}

/* Whether the file in memory can be read to its end; `said` gets the error. */
static bool readable(int fd, char said[FH_TRACE_ERROR_BYTES], uint64_t *index)
{
    static struct fh_trace_reader reader;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    events = 0;
    bool good = fh_trace_open(&reader, path) && fh_trace_read(&reader, visit, NULL);
    snprintf(said, FH_TRACE_ERROR_BYTES, "%s", reader.error);
    if (index)
        *index = reader.events_end;
    fh_trace_close(&reader);
    return good;
}

static int check(int fd, const unsigned char *original, size_t at, unsigned char change, uint64_t index, uint64_t all)
{
    char said[FH_TRACE_ERROR_BYTES];
    unsigned char byte = original[at] ^ change;
    if (pwrite(fd, &byte, 1, (off_t)at) != 1)
        return 1;
    bool good = readable(fd, said, NULL);
    int wrong = at < index ? good || !*said || strchr(said, '\n') != NULL : good && events != all;
    if (wrong)
        printf("byte %zu changed by %#x: %s, %llu events of %llu\n", at, change, good ? "nothing found" : said,
               (unsigned long long)events, (unsigned long long)all);
    return pwrite(fd, original + at, 1, (off_t)at) != 1 || wrong;
}

int main(int argc, char **argv)
{
    char said[FH_TRACE_ERROR_BYTES];
    struct stat info;
    uint64_t index, all;
    int wrong = 0, from = argc == 4 ? open(argv[1], O_RDONLY) : -1;
    if (from < 0 || fstat(from, &info) != 0)
        return 2;
    size_t size = (size_t)info.st_size, step = strtoul(argv[3], NULL, 10);
    unsigned char *original = malloc(size);
    int fd = memfd_create("trace", 0);
    if (!original || read(from, original, size) != (ssize_t)size || pwrite(fd, original, size, 0) != (ssize_t)size)
        return 2;
    if (!readable(fd, said, &index) || events == 0 || index == size) {
        printf("the trace itself: %s\n", said);
        return 1;
    }
    all = events;
    static const unsigned char changes[] = {0xff, 0x01, 0x80};
    for (size_t at = strtoul(argv[2], NULL, 10); at < size && wrong < 10; at += step) {
        for (size_t i = 0; i < sizeof(changes); i++)
            wrong += check(fd, original, at, changes[i], index, all);
    }
    for (size_t length = size; length-- > 0 && wrong < 10;) {
        if (ftruncate(fd, (off_t)length) != 0)
            return 2;
        bool good = readable(fd, said, NULL);
        if (!good && (!*said || strchr(said, '\n')))
            wrong += printf("cut at %zu: no reason\n", length) > 0;
        if (length % 7) /* not every length of a long one */
            length -= length > 6 * step ? step - 1 : 0;
    }
    printf("%zu bytes, %llu events, %d wrong\n", size, (unsigned long long)all, wrong);
    free(original);
    return wrong > 0;
}
