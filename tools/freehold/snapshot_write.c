/*
 * snapshot_write.c - see snapshot_write.h.
 */
#include "snapshot_write.h"

#include "cli.h"
#include "snapshot_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a signal must not leave behind. */
static char to_remove[PATH_MAX];
static const int ends[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int number)
{
    unlink(to_remove);
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_signals(bool on)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        signal(ends[i], on ? on_signal : SIG_DFL);
}

static void write_bytes(struct fh_snapshot_out *out, const void *bytes, size_t count)
{
    if (out->error == 0 && fwrite(bytes, 1, count, out->file) != count)
        out->error = errno ? errno : EIO;
    out->offset += count;
}

static int say_cannot(const char *verb, const char *path, int error)
{
    const char *help = error == ENOSPC || error == EDQUOT ? "; make room, or name a file on another disk" : "";
    fh_say(verb, "cannot write '%s': %s; nothing of it was left%s", path, strerror(error), help);
    return FH_EXIT_FAILED;
}

int fh_snapshot_create(const char *verb, const char *path, const struct fh_snapshot_header *header,
                       struct fh_snapshot_out *out)
{
    struct stat about;
    memset(out, 0, sizeof(*out));
    out->path = path;
    if (!fh_pack_is_built_in()) {
        fh_say(verb, "this freehold was built without zstd; install libzstd-dev and build it again");
        return FH_EXIT_FAILED;
    }
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) {
        fh_say(verb, "'%s' is not an ordinary file; name one to be written", path);
        return FH_EXIT_FAILED;
    }
    int length = snprintf(out->temporary, sizeof(out->temporary), "%s.%ld.partial", path, (long)getpid());
    int fd = -1;
    if (length < 0 || (size_t)length >= sizeof(out->temporary))
        errno = ENAMETOOLONG;
    else
        fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return say_cannot(verb, path, errno);
    memcpy(to_remove, out->temporary, sizeof(to_remove));
    watch_signals(true);
    out->file = fdopen(fd, "w");
    out->packer = fh_packer_open();
    out->packed_room = fh_pack_room(FH_SNAPSHOT_RAW_MOST);
    out->packed = malloc(out->packed_room);
    if (!out->file || !out->packer || !out->packed) {
        out->error = ENOMEM;
        return fh_snapshot_end(verb, out);
    }
    write_bytes(out, header, sizeof(*header));
    return 0;
}

static size_t write_packed(struct fh_snapshot_out *out, const void *raw, size_t raw_bytes)
{
    size_t bytes = fh_pack(out->packer, out->packed, out->packed_room, raw, raw_bytes);
    if (bytes == 0)
        out->error = ENOMEM;
    write_bytes(out, out->packed, bytes);
    return bytes;
}

void fh_snapshot_add(struct fh_snapshot_out *out, enum fh_snapshot_kind kind, const void *raw, size_t raw_bytes,
                     uint64_t start, uint64_t bytes)
{
    if (out->error)
        return;
    if (out->entry_count == out->entry_room) {
        size_t room = out->entry_room ? 2 * out->entry_room : 256;
        struct fh_snapshot_entry *larger = realloc(out->entries, room * sizeof(*larger));
        if (!larger) {
            out->error = ENOMEM;
            return;
        }
        out->entries = larger;
        out->entry_room = room;
    }
    uint64_t offset = out->offset, stored = write_packed(out, raw, raw_bytes);
    out->entries[out->entry_count++] =
        (struct fh_snapshot_entry){(uint32_t)kind, (uint32_t)raw_bytes, offset, stored, start, bytes};
}

/* The index is packed like the rest, but may be larger than a frame. */
static void write_index(struct fh_snapshot_out *out)
{
    struct fh_snapshot_trailer trailer = {.frame = FH_SNAPSHOT_TRAILER_FRAME,
                                          .frame_bytes = sizeof(trailer) - 8,
                                          .index_offset = out->offset,
                                          .index_entries = out->entry_count,
                                          .magic = FH_SNAPSHOT_END_MAGIC};
    const char *raw = (const char *)out->entries;
    for (size_t left = out->entry_count * sizeof(*out->entries), some; left && !out->error; left -= some, raw += some) {
        some = left < FH_SNAPSHOT_RAW_MOST ? left : FH_SNAPSHOT_RAW_MOST;
        write_packed(out, raw, some);
    }
    trailer.index_stored_bytes = out->offset - trailer.index_offset;
    trailer.checksum = fh_snapshot_checksum(&trailer, offsetof(struct fh_snapshot_trailer, checksum));
    write_bytes(out, &trailer, sizeof(trailer));
}

static void close_out(struct fh_snapshot_out *out)
{
    watch_signals(false);
    fh_packer_close(out->packer);
    free(out->packed);
    free(out->entries);
}

void fh_snapshot_drop(struct fh_snapshot_out *out)
{
    fclose(out->file);
    unlink(out->temporary);
    close_out(out);
}

int fh_snapshot_end(const char *verb, struct fh_snapshot_out *out)
{
    if (!out->error)
        write_index(out);
    if (out->file) {
        if ((fflush(out->file) != 0 || fsync(fileno(out->file)) != 0) && !out->error)
            out->error = errno;
        if (fclose(out->file) != 0 && !out->error)
            out->error = errno;
    }
    if (!out->error && rename(out->temporary, out->path) != 0)
        out->error = errno;
    if (out->error)
        unlink(out->temporary);
    close_out(out);
    return out->error ? say_cannot(verb, out->path, out->error) : 0;
}
