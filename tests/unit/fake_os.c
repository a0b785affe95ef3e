/*
 * fake_os.c - src/os/os.h once more, over a stretch of reserved address space and tables: see fake_os.h.
 */
#define _GNU_SOURCE 1
#include "fake_os.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GIB ((size_t)1 << 30)
#define STRETCH (14 * GIB)
#define BREAK_ROOM (1 * GIB)
#define MAPS_ROOM (3 * GIB)
enum { RECORDS = 4096, TEXT = 1 << 16, GAP = 64 << 10 };

struct fake_os fake_os = {
    .page_size = 4096,
    .break_most_bytes = SIZE_MAX,
    .cpus = 1,
    .memory_limit = SIZE_MAX,
    .mappings_most = FH_OS_MAPPINGS_USUAL,
    .pid = 4711,
    .resident_bytes = 12345678,
    .seed = 1,
    .kept_stderr = 2,
};

static struct record {
    char *start;
    size_t size;
    bool foreign;
} records[RECORDS];
static size_t record_count;
static char *border, *break_start, *break_now, *next_map, *maps_end;
static char text[TEXT];
static size_t text_length;
static int text_fd;
static unsigned text_pieces, contract_errors;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void enter(void) { pthread_mutex_lock(&mutex); }
static void leave(void) { pthread_mutex_unlock(&mutex); }

static void contract_error(const char *what, const void *address, size_t size)
{
    contract_errors++;
    fprintf(stderr, "fake_os: %s: %p, %zu bytes\n", what, address, size);
}
unsigned fake_contract_errors(void) { return contract_errors; }

/* Layout: mappings | 1 GiB free | border | 1 GiB free | break. */
static void reserve(void)
{
    if (border) return;
    char *start = mmap(NULL, STRETCH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        perror("fake_os: no address space");
        exit(2);
    }
    border = (char *)fh_align_up((uintptr_t)start + MAPS_ROOM + GIB, 4 * GIB);
    next_map = border - GIB - MAPS_ROOM;
    maps_end = border - GIB;
    break_start = break_now = border + GIB;
}

static void open_pages(char *start, size_t size)
{
    if (size) mprotect(start, size, PROT_READ | PROT_WRITE);
}

static void close_pages(char *start, size_t size)
{
    if (!size) return;
    madvise(start, size, MADV_DONTNEED);
    mprotect(start, size, PROT_NONE);
}

static bool refused(enum fake_call call)
{
    size_t number = ++fake_os.calls[call];
    return fake_os.refuse[call] || fake_os.refuse_at[call] == number;
}

void fake_refuse_kth(enum fake_call call, size_t k) { fake_os.refuse_at[call] = fake_os.calls[call] + k; }
void fake_refuse(enum fake_call call) { fake_os.refuse[call] = true; }
void fake_refuse_memory(void)
{
    fake_refuse(FAKE_BREAK_UP);
    fake_refuse(FAKE_MAP);
}
void fake_allow_all(void)
{
    memset(fake_os.refuse, 0, sizeof fake_os.refuse);
    memset(fake_os.refuse_at, 0, sizeof fake_os.refuse_at);
    fake_os.break_most_bytes = SIZE_MAX;
}

size_t fh_os_page_size(void) { return fake_os.page_size; }

/* --- The break --- */

static char *page_up(const char *address) { return (char *)fh_align_up((uintptr_t)address, 4096); }

static void move_break(char *to)
{
    char *old_end = page_up(break_now), *new_end = page_up(to);
    if (new_end > old_end) open_pages(old_end, (size_t)(new_end - old_end));
    else close_pages(new_end, (size_t)(old_end - new_end));
    break_now = to;
}

char *fh_os_break(void)
{
    enter();
    reserve();
    char *now = refused(FAKE_BREAK) ? NULL : break_now;
    leave();
    return now;
}

bool fh_os_break_move(char *to)
{
    enter();
    reserve();
    bool up = to > break_now;
    bool done = !refused(up ? FAKE_BREAK_UP : FAKE_BREAK_DOWN) && to >= break_start &&
                (size_t)(to - break_start) <= fh_min(BREAK_ROOM, fake_os.break_most_bytes);
    if (done) move_break(to);
    if (done && fake_os.huge_to > to && (size_t)(fake_os.huge_from - break_start) < BREAK_ROOM) {
        fake_os.huge_to = (char *)fh_align_down((uintptr_t)to, 2 << 20);
        if (fake_os.huge_to <= fake_os.huge_from) fake_os.huge_from = fake_os.huge_to = NULL;
    }
    leave();
    return done;
}

void fake_foreign_sbrk(ptrdiff_t bytes)
{
    reserve();
    move_break(break_now + bytes);
}

void fake_set_break_start(char *start)
{
    reserve();
    break_start = break_now = start;
}

char *fake_break(void)
{
    reserve();
    return break_now;
}

size_t fake_break_bytes(void) { return (size_t)(break_now - break_start); }

/* --- Mappings --- */

static bool is_multiple(const void *address, size_t size)
{
    return (uintptr_t)address % fake_os.page_size == 0 && size % fake_os.page_size == 0 && size != 0;
}

static struct record *record_around(const char *address, size_t size)
{
    for (size_t i = 0; i < record_count; i++)
        if (address >= records[i].start && size <= records[i].size &&
            (size_t)(address - records[i].start) <= records[i].size - size)
            return &records[i];
    return NULL;
}

static bool is_taken(const char *address, size_t size)
{
    for (size_t i = 0; i < record_count; i++)
        if (address < records[i].start + records[i].size && records[i].start < address + size) return true;
    return false;
}

static void add_record(char *start, size_t size, bool foreign)
{
    if (size == 0) return;
    if (record_count == RECORDS) {
        fprintf(stderr, "fake_os: too many mappings\n");
        exit(2);
    }
    records[record_count++] = (struct record){start, size, foreign};
}

static void *map_at(char *start, size_t size, bool foreign)
{
    open_pages(start, size);
    add_record(start, size, foreign);
    return start;
}

void *fh_os_map(void *hint, size_t size)
{
    enter();
    reserve();
    if (!is_multiple(hint, size)) contract_error("map", hint, size);
    char *start = hint;
    if (refused(FAKE_MAP)) {
        start = NULL;
    } else if (hint) {
        start = is_taken(hint, size) ? NULL : map_at(hint, size, false);
    } else {
        start = (char *)fh_align_up((uintptr_t)next_map, fake_os.page_size);
        bool fits = start > maps_end || size + GAP <= (size_t)(maps_end - start); /* beyond: placed there by a test */
        if (!fits || size > MAPS_ROOM || is_taken(start, size)) {
            start = NULL;
        } else {
            next_map = start + size + GAP;
            map_at(start, size, false);
        }
    }
    leave();
    return start;
}

void *fake_foreign_map(void *address, size_t size)
{
    reserve();
    if (is_taken(address, size)) return NULL;
    return map_at(address, size, true);
}

size_t fh_os_resident_within(void *address, size_t size)
{
    static unsigned char in_memory[2048];
    size_t pages = size / 4096, resident = 0;
    if (pages > sizeof in_memory || mincore(address, size, in_memory) != 0) return size;
    for (size_t i = 0; i < pages; i++) resident += in_memory[i] & 1;
    return resident * 4096;
}

void fake_place_next_map(void *address)
{
    reserve();
    next_map = address;
}

/* Takes [start, start + size) out of the record that holds it. */
static bool remove_range(char *start, size_t size)
{
    struct record *record = record_around(start, size);
    if (!record || record->foreign) return false;
    struct record whole = *record;
    *record = records[--record_count];
    add_record(whole.start, (size_t)(start - whole.start), false);
    add_record(start + size, (size_t)(whole.start + whole.size - (start + size)), false);
    close_pages(start, size);
    return true;
}

bool fh_os_unmap(void *address, size_t size)
{
    enter();
    bool done = !refused(FAKE_UNMAP);
    if (!is_multiple(address, size)) contract_error("unmap", address, size);
    else if (!record_around(address, size)) contract_error("unmap of what is not mapped", address, size);
    else if (done) done = remove_range(address, size);
    leave();
    return done;
}

bool fh_os_remap(void *address, size_t old_size, size_t new_size)
{
    enter();
    char *start = address;
    bool done = !refused(FAKE_REMAP);
    struct record *record = record_around(start, old_size);
    if (!is_multiple(start, old_size) || !is_multiple(start, new_size)) contract_error("remap", start, new_size);
    if (!record) contract_error("remap of what is not mapped", start, old_size);
    if (done && new_size < old_size) {
        done = remove_range(start + new_size, old_size - new_size);
    } else if (done && new_size > old_size) {
        done = record && record->start + record->size == start + old_size &&
               !is_taken(start + old_size, new_size - old_size);
        if (done) {
            record->size += new_size - old_size;
            open_pages(start + old_size, new_size - old_size);
            if (start + old_size <= next_map && next_map < start + new_size + GAP) next_map = start + new_size + GAP;
        }
    }
    leave();
    return done;
}

bool fh_os_move(void *address, size_t old_size, void *target, size_t new_size)
{
    enter();
    bool done = !refused(FAKE_MOVE);
    if (!is_multiple(address, old_size) || !is_multiple(target, new_size)) contract_error("move", address, old_size);
    if (!record_around(address, old_size)) contract_error("move of what is not mapped", address, old_size);
    if (!record_around(target, new_size)) contract_error("move onto what is not ours", target, new_size);
    if (done) {
        size_t kept = fh_min(old_size, new_size);
        memcpy(target, address, kept);
        memset((char *)target + kept, 0, new_size - kept);
        remove_range(address, old_size);
    }
    leave();
    return done;
}

bool fh_os_discard(void *address, size_t size)
{
    if (fake_os.on_discard) fake_os.on_discard(size);
    enter();
    char *start = address;
    bool ours = record_around(start, size) || (start >= break_start && start + size <= page_up(break_now));
    if (!is_multiple(address, size)) contract_error("discard", address, size);
    if (!ours) contract_error("discard of what is not ours", address, size);
    bool done = !refused(FAKE_DISCARD) && ours;
    if (done) madvise(address, size, MADV_DONTNEED);
    leave();
    return done;
}

bool fh_os_is_resident(void *page) /* whoever asks has touched the huge page that it is in */
{
    char *start = page;
    return fake_os.huge_pages && start >= fake_os.huge_from && start < fake_os.huge_to;
}

uint32_t fh_os_page_cost_ns(void) { return 2500; }

bool fh_os_advise_huge(void *address, size_t size, bool huge)
{
    enter();
    char *start = address;
    bool ours = record_around(start, size) || (start >= break_start && start + size <= page_up(break_now));
    if (!is_multiple(address, size)) contract_error("advice on huge pages", address, size);
    if (!ours && huge) contract_error("advice on huge pages for what is not ours", address, size);
    if (!huge && start == fake_os.huge_from) fake_os.huge_from = fake_os.huge_to = NULL;
    if (huge && fake_os.huge_from && (start + size < fake_os.huge_from || start > fake_os.huge_to))
        contract_error("a second stretch of huge pages", address, size);
    bool done = !huge || !refused(FAKE_HUGE);
    if (done && huge && (!fake_os.huge_from || start < fake_os.huge_from)) fake_os.huge_from = start;
    if (done && huge && start + size > fake_os.huge_to) fake_os.huge_to = start + size;
    leave();
    return done;
}

size_t fake_mappings(void)
{
    size_t count = 0;
    for (size_t i = 0; i < record_count; i++) count += !records[i].foreign;
    return count;
}

size_t fake_mapped_bytes(void)
{
    size_t sum = 0;
    for (size_t i = 0; i < record_count; i++) sum += records[i].foreign ? 0 : records[i].size;
    return sum;
}

bool fake_is_mapped(const void *address, size_t size) { return record_around(address, size) != NULL; }

char *fake_leaf_border(void)
{
    reserve();
    return border;
}

/* --- Threads and processes --- */

void fh_os_futex_wait(uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}
void fh_os_futex_wake(uint32_t *word, uint32_t count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}
void fh_os_pause_us(uint32_t microseconds) { usleep(microseconds); }
int fh_os_pid(void) { return fake_os.pid; }
void fh_os_set_root(const char *folder) { (void)folder; }
size_t fh_os_mappings_most(void) { return fake_os.mappings_most; }
size_t fh_os_memory_limit(void)
{
    fake_os.looks_at_memory++;
    return fake_os.memory_limit;
}
size_t fh_os_memory_used(void)
{
    fake_os.looks_at_memory++;
    return fake_os.memory_used;
}
unsigned fh_os_usable_cpus(void) { return fake_os.cpus; }
bool fh_os_is_secure(void) { return fake_os.secure || getenv("FH_UNIT_SECURE"); }

/* --- The rest --- */

void fh_os_random(void *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        fake_os.seed = fake_os.seed * 6364136223846793005ULL + 1442695040888963407ULL;
        ((unsigned char *)out)[i] = (unsigned char)(fake_os.seed >> 56);
    }
}

void fh_os_note_stderr(void) {}
int fh_os_keep_stderr(void) { return fake_os.kept_stderr; }

void fh_os_write(int fd, const char *piece, size_t length)
{
    size_t kept = fh_min(length, sizeof text - 1 - text_length);
    memcpy(text + text_length, piece, kept);
    text_length += kept;
    text[text_length] = 0;
    text_fd = fd;
    text_pieces++;
    if (getenv("FH_UNIT_SPEAK") && write(1, piece, length) < 0) exit(2); /* what a whole run says: test_api_startup.c */
}
void fh_os_complain(const char *piece, size_t length) { fh_os_write(2, piece, length); }
void fh_os_complain_on_kept(int kept, const char *piece, size_t length) { fh_os_write(kept, piece, length); }

const char *fake_text(void) { return text; }
int fake_text_fd(void) { return text_fd; }
unsigned fake_text_pieces(void) { return text_pieces; }
void fake_forget_text(void)
{
    text_length = text_pieces = 0;
    text[0] = 0;
    text_fd = -1;
}

void fh_os_abort(void)
{
    fake_os.aborts++;
    if (fake_os.abort_jumps) siglongjmp(fake_os.abort_to, 1);
    fprintf(stderr, "fake_os: abort that no test expected; text: %s\n", text);
    abort();
}

long fh_os_read_file(const char *path, char *out, size_t size)
{
    (void)path;
    if (size) out[0] = 0;
    return -1;
}
uint64_t fh_os_now_ms(void) { return fake_os.now_ms; }

size_t fh_os_resident_bytes(void) { return fake_os.resident_bytes; }
void fh_os_process_name(char out[16]) { memcpy(out, "fake_process", 13); }
