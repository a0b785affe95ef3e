/*
 * b02_errno - errno is ENOMEM after every refusal, is left alone by free whatever the kernel answers, and is zero when
 * constructors and main begin.
 *
 * The kernel's refusals come from a seccomp filter that answers EPERM to munmap, madvise and mremap: free of a mapping,
 * trimming and purging all fail then, and none of that may be seen in errno.
 */
#include "bugs.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int errno_in_constructor = -1;

__attribute__((constructor)) static void look_at_errno(void)
{
    errno_in_constructor = errno;
}

/* free of each kind of block, many times, with an errno that must stay. */
static void free_keeps_errno(void)
{
    static void *blocks[2000];
    uint64_t seed = 2;

    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < 2000; i++) {
            blocks[i] = malloc(bugs_random_size(&seed));
            CHECK(blocks[i] != NULL);
        }
        for (size_t i = 0; i < 2000; i++) {
            errno = 4711;
            free(blocks[i]);
            CHECK_NUMBERS(errno == 4711, i, errno);
        }
    }
    errno = 4712;
    free(NULL);
    CHECK(errno == 4712);
    malloc_trim(0);
    void *p = malloc(1 << 20);
    errno = 4713;
    free(p);
    CHECK(errno == 4713);
}

static void success_keeps_errno(void)
{
    /* Not promised by any standard, but a successful malloc that sets errno has confused programs for decades. */
    errno = 0;
    for (size_t n = 0; n < 300000; n = n * 2 + 1) {
        void *p = malloc(n);
        void *q = calloc(1, n + 1);

        p = realloc(p, n + 100);
        CHECK(p != NULL && q != NULL);
        free(q);
        free(p);
    }
    CHECK(errno == 0);
}

static void every_refusal_says_enomem(void)
{
    const size_t huge = bugs_hide_size((size_t)PTRDIFF_MAX - 4096);
    void *kept = malloc(100);
    void *out = kept;

    CHECK(kept != NULL);
#define REFUSED(call)                                                                                                  \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        CHECK((call) == NULL);                                                                                         \
        CHECK(errno == ENOMEM);                                                                                        \
    } while (0)
    REFUSED(malloc(huge));
    REFUSED(malloc(bugs_hide_size(SIZE_MAX)));
    REFUSED(calloc(huge, 1));
    REFUSED(calloc(huge, huge));
    REFUSED(realloc(kept, huge));
    REFUSED(realloc(NULL, huge));
    REFUSED(reallocarray(kept, huge, huge));
    REFUSED(reallocarray(kept, huge, 1));
    REFUSED(memalign(64, huge));
    REFUSED(aligned_alloc(64, huge / 64 * 64));
    REFUSED(valloc(huge));
    REFUSED(pvalloc(huge));
    REFUSED(pvalloc(bugs_hide_size(SIZE_MAX - 8)));
#undef REFUSED
    CHECK(posix_memalign(&out, 64, huge) == ENOMEM);
    CHECK(out == kept);
    free(kept);
}

/* Real exhaustion, not a request that can be refused by looking at it. */
static void exhaustion_says_enomem(size_t block_bytes)
{
    struct rlimit old_limit;
    struct rlimit limit;
    void **list = NULL;
    size_t count = 0;

    CHECK(getrlimit(RLIMIT_AS, &old_limit) == 0);
    limit = old_limit;
    limit.rlim_cur = 128u << 20;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    for (;;) {
        void **p;

        errno = 0;
        p = malloc(block_bytes);
        if (p == NULL)
            break;
        *p = list;
        list = p;
        count++;
    }
    CHECK(errno == ENOMEM);
    errno = 0;
    CHECK(calloc(1, 64u << 20) == NULL && errno == ENOMEM);
    CHECK(count > 0);
    while (list != NULL) {
        void **next = *list;

        free(list);
        list = next;
    }
    CHECK(setrlimit(RLIMIT_AS, &old_limit) == 0);
}

static void deny_giving_back(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        bugs_skip("this kernel refuses a seccomp filter (the rest of the test has passed)");
}

static void *in_a_thread(void *arg)
{
    CHECK(errno == 0);
    free_keeps_errno();
    return arg;
}

int main(void)
{
    int errno_in_main = errno;
    pthread_t thread;

    CHECK_NUMBERS(errno_in_constructor == 0, errno_in_constructor, 0);
    CHECK_NUMBERS(errno_in_main == 0, errno_in_main, 0);
    bugs_start();
    every_refusal_says_enomem();
    success_keeps_errno();
    free_keeps_errno();
    CHECK(pthread_create(&thread, NULL, in_a_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    exhaustion_says_enomem(48);
    exhaustion_says_enomem(3000);
    exhaustion_says_enomem(1 << 20);
    bugs_sound();
    deny_giving_back();
    free_keeps_errno();
    success_keeps_errno();
    bugs_sound();
    return 0;
}
