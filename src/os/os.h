/*
 * os.h - everything that Freehold asks of the operating system, and nothing else.
 *
 * Layer: os, the only folder with system calls. The system calls behind this page: brk, mmap, mremap, munmap, madvise,
 * mincore, futex, getrandom, openat, read, close, write, fstat, getpid, gettid, tgkill, sched_getaffinity,
 * rt_sigprocmask, rt_sigaction, prctl, clock_gettime, readlinkat, getcwd. No function here allocates, takes a lock, is
 * a cancellation point or writes errno. Unit tests link another implementation of this page (tests/unit/fake_os.c),
 * but for the part for profiles.
 */
#ifndef FH_OS_H
#define FH_OS_H

#include "base.h"

/* --- Memory, wholesale. Addresses and sizes are multiples of the page size unless said otherwise. --- */

/* The kernel's page size in bytes: 4, 16 or 64 KiB, known at run time only. */
size_t fh_os_page_size(void);

/* The program break now, or NULL where the kernel refuses to say. */
char *fh_os_break(void);
/* Moves the break to exactly `to`; false when it did not get there (it is then where it was). */
bool fh_os_break_move(char *to);

/* Anonymous private zeroed memory; NULL when refused. `hint` may be NULL and is never obeyed at another's cost. */
void *fh_os_map(void *hint, size_t size);
/* True when the range is gone. */
bool fh_os_unmap(void *address, size_t size);
/* Resizes a mapping where it stands; false when refused: it is then untouched. */
bool fh_os_remap(void *address, size_t old_size, size_t new_size);
/* Moves the pages at `address` to `target`, replacing what is mapped there; false when refused. */
bool fh_os_move(void *address, size_t old_size, void *target, size_t new_size);
/* Gives the pages back and keeps the addresses. True when they read as zero afterwards (not under mlock). */
bool fh_os_discard(void *address, size_t size);

/* Nanoseconds that it costs to give a page of 4 KiB back and to touch it again: some 500 on bare metal, 20,000 on some
 * virtual machines. Tried out on a few pages, which takes as long as that. */
uint32_t fh_os_page_cost_ns(void);

/* From now on the kernel may fill whole huge pages of the range at the first touch of one (madvise(2)), or no more. */
bool fh_os_advise_huge(void *address, size_t size, bool huge);

/* How many mappings a process may have (proc(5), vm.max_map_count). */
enum { FH_OS_MAPPINGS_USUAL = 65530 };
size_t fh_os_mappings_most(void);

/* How many bytes of the range are in memory now; `size` where the kernel does not say. At most 4 MiB at a time. */
size_t fh_os_resident_within(void *address, size_t size);
/* Whether this page is; false where the kernel does not say. */
bool fh_os_is_resident(void *page);

/* --- Threads and processes --- */

/* A number that differs between all running threads of this process and is never 0: the thread pointer. */
FH_INLINE uintptr_t fh_os_self(void) { return (uintptr_t)__builtin_thread_pointer(); }
void fh_os_futex_wait(uint32_t *word, uint32_t expected);
void fh_os_futex_wake(uint32_t *word, uint32_t count);
/* Sleeps for about so long, or not at all. */
void fh_os_pause_us(uint32_t microseconds);
int fh_os_pid(void);
/* Milliseconds on a clock that never goes back; a few of them coarse. 0 where there is none. */
uint64_t fh_os_now_ms(void);
/* CPUs that this process may really use: affinity and cgroup quota, at least 1. */
unsigned fh_os_usable_cpus(void);
/* What its cgroups and those above allow (cgroups(7)): CPUs, rounded up, UINT32_MAX where there is no quota; bytes of
 * memory, the lowest of all limits, SIZE_MAX for none; and bytes used in the group that has this limit, without files
 * that the kernel can drop. Looked for behind this folder, which is empty but in tests. */
unsigned fh_os_cgroup_cpus(void);
size_t fh_os_memory_limit(void);
size_t fh_os_memory_used(void);
void fh_os_set_root(const char *folder);
/* True when the program runs with other rights than its caller's (getauxval(3), AT_SECURE). */
bool fh_os_is_secure(void);

/* --- The rest --- */

/* Fills with random bytes; falls back to weaker entropy where the kernel has none yet. */
void fh_os_random(void *out, size_t size);
/* Notes which file standard error is, so that fh_os_complain can tell when a program has reused the descriptor. */
void fh_os_note_stderr(void);
/* A second descriptor of standard error, for what is to be said after the program has closed its own (coreutils do so
 * at exit); 2 when there is none to be had. */
int fh_os_keep_stderr(void);
/* Writes to standard error, unless descriptor 2 has become a data file since the start. */
void fh_os_complain(const char *text, size_t length);
/* The same through a descriptor from fh_os_keep_stderr, which the program may have closed and used for something else.
 */
void fh_os_complain_on_kept(int fd, const char *text, size_t length);
void fh_os_write(int fd, const char *text, size_t length);
/* Raises SIGABRT as abort(3) does, without libc's locks; a handler may run, but this does not return. */
void fh_os_abort(void) __attribute__((noreturn));
/* Reads a whole small file into out, 0-terminated; its length, or -1. */
long fh_os_read_file(const char *path, char *out, size_t size);
/* The process's resident set in bytes (proc(5), statm), 0 where it can't be known. */
size_t fh_os_resident_bytes(void);
/* The name of the process (prctl(2), PR_GET_NAME); out has 16 bytes. */
void fh_os_process_name(char out[16]);

/* --- For profiles (os_profile.c). --- */

/* Whether the 8 bytes at an address can be read. */
bool fh_os_is_readable(const void *address);
/* Milliseconds of CLOCK_MONOTONIC, to a few of them; nanoseconds of CLOCK_REALTIME. */
uint64_t fh_os_coarse_ms(void);
uint64_t fh_os_unix_ns(void);
/* The kernel's id of the calling thread. */
int fh_os_tid(void);
/* Opens a file to be written anew; a descriptor, or the negated error number. */
long fh_os_create_file(const char *path);
void fh_os_close(int fd);
/* False when not everything could be written. */
bool fh_os_write_all(int fd, const void *bytes, size_t length);
/* The working folder and the program's file; their lengths, or -1. out is 0-terminated. */
long fh_os_working_folder(char *out, size_t size);
long fh_os_program_file(char *out, size_t size);

#endif
