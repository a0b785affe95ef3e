/*
 * syscalls.h - raw system calls, without libc between.
 *
 * Layer: os; included by os/ alone. Raw because a program may interpose open, mmap or madvise with functions that
 * allocate, because libc's wrappers are cancellation points, and because they write errno. A result in [-4095, -1] is
 * the negated error number (Linux system call convention, syscall(2)).
 */
#ifndef FH_SYSCALLS_H
#define FH_SYSCALLS_H

#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long fh_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long fh_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "Freehold supports x86-64 and aarch64"
#endif

#define fh_syscall0(n) fh_syscall6(n, 0, 0, 0, 0, 0, 0)
#define fh_syscall1(n, a) fh_syscall6(n, (long)(a), 0, 0, 0, 0, 0)
#define fh_syscall2(n, a, b) fh_syscall6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define fh_syscall3(n, a, b, c) fh_syscall6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define fh_syscall4(n, a, b, c, d) fh_syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

#define fh_syscall_failed(result) ((unsigned long)(result) > -4096UL)

#endif
