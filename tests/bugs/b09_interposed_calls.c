/*
 * b09_interposed_calls - a program that defines open, read, mmap, munmap, mremap, madvise, mprotect, brk, sbrk and
 * others
 * itself, each of which allocates: the library must go to the kernel by system calls of its own, and call none of them.
 *
 * Also what the compiler makes of calloc: gcc turns malloc + memset inside calloc into a call of calloc.
 */
#include "bugs.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static _Thread_local int watching;
static _Thread_local int depth;
static volatile int calls_seen;
static const char *volatile last_call = "";

/* Every wrapper allocates and frees; a recursion without end would overflow the stack. */
static void wrapped(const char *name)
{
    if (watching) {
        calls_seen++;
        last_call = name;
    }
    if (depth++ < 3) {
        int was_watching = watching;

        watching = 0;
        free(malloc(100));
        free(malloc(300000));
        watching = was_watching;
    }
    depth--;
}

void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    wrapped("mmap");
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    wrapped("mmap64");
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

int munmap(void *address, size_t bytes)
{
    wrapped("munmap");
    return (int)syscall(SYS_munmap, address, bytes);
}

void *mremap(void *address, size_t bytes, size_t new_bytes, int flags, ...)
{
    wrapped("mremap");
    return (void *)syscall(SYS_mremap, address, bytes, new_bytes, flags, NULL);
}

int madvise(void *address, size_t bytes, int advice)
{
    wrapped("madvise");
    return (int)syscall(SYS_madvise, address, bytes, advice);
}

int mprotect(void *address, size_t bytes, int protection)
{
    wrapped("mprotect");
    return (int)syscall(SYS_mprotect, address, bytes, protection);
}

int brk(void *address)
{
    wrapped("brk");
    return (void *)syscall(SYS_brk, address) == address ? 0 : -1;
}

void *sbrk(intptr_t increment)
{
    char *now;

    wrapped("sbrk");
    now = (char *)syscall(SYS_brk, NULL);
    return brk(now + increment) == 0 ? now : (void *)-1;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    int mode;

    va_start(list, flags);
    mode = va_arg(list, int);
    va_end(list);
    wrapped("open");
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t read(int fd, void *buffer, size_t bytes)
{
    wrapped("read");
    return syscall(SYS_read, fd, buffer, bytes);
}

ssize_t write(int fd, const void *buffer, size_t bytes)
{
    wrapped("write");
    return syscall(SYS_write, fd, buffer, bytes);
}

int close(int fd)
{
    wrapped("close");
    return (int)syscall(SYS_close, fd);
}

char *getenv(const char *name)
{
    extern char **environ;
    size_t length = strlen(name);

    wrapped("getenv");
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

long sysconf(int name)
{
    wrapped("sysconf");
    return name == _SC_PAGESIZE ? getpagesize() : 2;
}

static void everything(void)
{
    static void *blocks[3000];
    uint64_t seed = 4;

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3000; i++) {
            size_t n = bugs_random_size(&seed);

            blocks[i] = i % 3 == 0 ? calloc(1, n) : i % 3 == 1 ? malloc(n) : memalign(4096, n);
            CHECK(blocks[i] != NULL);
            CHECK(i % 3 != 0 || bugs_kept(blocks[i], n, 0));
            memset(blocks[i], 0x31, n);
        }
        for (int i = 0; i < 3000; i++) {
            if (i % 4 == 0)
                blocks[i] = realloc(blocks[i], 1 + bugs_random_size(&seed) * 2);
            free(blocks[i]);
        }
        malloc_trim(0);
    }
}

int main(void)
{
    bugs_start();
    watching = 1;
    everything();
    watching = 0;
    if (calls_seen != 0 && !bugs_any_malloc()) {
        fprintf(stderr, "%d calls of functions that the program has replaced; the last was %s\n", calls_seen,
                last_call);
        return 1;
    }
    bugs_sound();
    return 0;
}
