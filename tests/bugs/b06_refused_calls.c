/*
 * b06_refused_calls - a seccomp filter refuses brk, mmap, mprotect, munmap, madvise or mremap, alone and together.
 *
 * brk is refused with EPERM, which its manual does not even mention. Nothing that was allocated may be harmed, memory
 * that was "given back" in vain must not be taken for zero, and the process goes on. With mmap and brk both refused
 * malloc may answer NULL with ENOMEM, but must serve from what it holds.
 * Arguments: list of calls to refuse; "start" as second argument sets the filter before exec.
 */
#include "bugs.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SLOTS 400

static const struct {
    const char *name;
    long number;
} calls[] = {
    {"brk", SYS_brk},       {"mmap", SYS_mmap},     {"mprotect", SYS_mprotect},
    {"munmap", SYS_munmap}, {"madvise", SYS_madvise}, {"mremap", SYS_mremap},
};

static void refuse(const char *name, int error)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

        if (strstr(name, calls[i].name) == NULL)
            continue;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
            bugs_skip("this kernel refuses a seccomp filter");
    }
}

static unsigned char *slots[SLOTS];
static size_t slot_bytes[SLOTS];

static void put(size_t slot, unsigned char *p, size_t n)
{
    slots[slot] = p;
    slot_bytes[slot] = n;
    bugs_mark(p, n, (unsigned)slot);
}

/* One random operation; answers 0 when memory was refused. */
static int step(uint64_t *seed)
{
    size_t slot = bugs_random(seed) % SLOTS;
    size_t n = bugs_random_size(seed);
    unsigned what = bugs_random(seed) % 8;
    unsigned char *p;

    CHECK_NUMBERS(bugs_kept(slots[slot], slot_bytes[slot], (unsigned)slot), slot, slot_bytes[slot]);
    errno = 0;
    if (what == 0 && slots[slot] != NULL && n > 0) {
        size_t kept = n < slot_bytes[slot] ? n : slot_bytes[slot];

        p = realloc(slots[slot], n);
        if (p == NULL) {
            CHECK(errno == ENOMEM);
            CHECK(bugs_kept(slots[slot], slot_bytes[slot], (unsigned)slot));
            return 0;
        }
        CHECK(bugs_kept(p, kept, (unsigned)slot));
        put(slot, p, n);
        return 1;
    }
    errno = 815;
    free(slots[slot]);
    CHECK(errno == 815);
    slots[slot] = NULL;
    slot_bytes[slot] = 0;
    if (what == 1)
        malloc_trim(0);
    errno = 0;
    p = what < 5 ? calloc(1, n) : malloc(n);
    if (p == NULL) {
        CHECK(errno == ENOMEM);
        return 0;
    }
    CHECK_NUMBERS(what >= 5 || bugs_kept(p, n, 0), n, p);
    put(slot, p, n);
    return 1;
}

int main(int argc, char **argv)
{
    const int errors[] = {EPERM, ENOMEM};
    uint64_t seed = 3;
    int none_left;
    long refused = 0;

    bugs_start();
    CHECK(argc >= 2);
    none_left = strstr(argv[1], "mmap") != NULL;
    for (int e = 0; argc == 3 && strcmp(argv[2], "start") == 0 && e < 2; e++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
            refuse(argv[1], errors[e]);
            execl("/proc/self/exe", argv[0], argv[1], (char *)NULL);
            CHECK(!"exec worked");
        }
        CHECK(bugs_wait(pid) == 0);
        if (e == 1)
            return 0;
    }
    for (int i = 0; i < 20000; i++)
        CHECK_NUMBERS(step(&seed), i, errno);
    refuse(argv[1], EPERM);
    for (int i = 0; i < 60000; i++) {
        int served = step(&seed);

        refused += !served;
        CHECK_NUMBERS(served || none_left, i, errno);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        CHECK(bugs_kept(slots[i], slot_bytes[i], (unsigned)i));
        free(slots[i]);
    }
    /* Whatever is refused, the memory of the freed blocks serves small requests. */
    for (int i = 0; i < 10000; i++)
        CHECK(malloc(32) != NULL);
    bugs_sound();
    printf("refused with ENOMEM: %ld\n", refused);
    return 0;
}
