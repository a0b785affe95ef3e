/*
 * os_profile.c - the part of os.h that profiles need: clocks, files to write, and a look before a read.
 *
 * Layer: os.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <time.h>

#include "os.h"
#include "syscalls.h"

bool fh_os_is_readable(const void *address)
{
    /* With a `how` that does not exist, the kernel reads the set before it refuses: EINVAL if it could, EFAULT if not
     * (rt_sigprocmask(2)). Nothing is changed either way. */
    enum { NO_SUCH_HOW = ~0, SET_BYTES = 8, ERROR_FAULT = 14 };
    if (!address) return false; /* no set at all, which is fine too */
    return fh_syscall4(SYS_rt_sigprocmask, NO_SUCH_HOW, address, NULL, SET_BYTES) != -ERROR_FAULT;
}

uint64_t fh_os_coarse_ms(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* libc's, which asks the kernel's shared page; it can't fail */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t fh_os_unix_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int fh_os_tid(void) { return (int)fh_syscall0(SYS_gettid); }

long fh_os_create_file(const char *path)
{
    enum { MODE = 0666 }; /* less the umask */
    return fh_syscall4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, MODE);
}

void fh_os_close(int fd) { fh_syscall1(SYS_close, fd); }

bool fh_os_write_all(int fd, const void *bytes, size_t length)
{
    enum { ERROR_INTERRUPTED = 4 };
    const char *at = bytes;
    while (length) {
        long written = fh_syscall3(SYS_write, fd, at, length);
        if (written == -ERROR_INTERRUPTED) continue;
        if (written <= 0) return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}

long fh_os_working_folder(char *out, size_t size)
{
    long length = fh_syscall2(SYS_getcwd, out, size); /* counts the 0 */
    if (fh_syscall_failed(length) || length < 2 || out[0] != '/') return -1;
    return length - 1;
}

long fh_os_program_file(char *out, size_t size)
{
    long length = fh_syscall4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", out, size - 1);
    if (fh_syscall_failed(length)) return -1;
    out[length] = 0;
    return length;
}
