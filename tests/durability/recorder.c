/*
 * Writes down what processes do to the files of one directory: what they write, and what they make durable.
 *
 * To be preloaded (LD_PRELOAD). RECORDER_DIRECTORY names the directory, by an absolute path without a slash at its end;
 * RECORDER_TRACE names the file that the records are appended to, which must lie outside of it. recording.py reads it.
 *
 * An operation and its record happen under one lock of all threads of all processes that have the same trace, so the
 * records stand in the order of the operations. Only what succeeded is recorded, and a sync only after it has returned:
 * a trace never promises more than the disk holds.
 * System calls are made directly, so that no function here can call itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { STARTED, OPENED, CLOSED, WRITTEN, TRUNCATED, SYNCED, RENAMED, UNLINKED };

/* `number` is the flags of OPENED, the offset of WRITTEN and the size of TRUNCATED. `size` bytes of data follow. */
struct header {
    uint32_t kind;
    int32_t descriptor;
    int64_t process;
    int64_t number;
    uint64_t size;
};

#define MOST_DESCRIPTORS 4096
#define LONGEST_PATHS 8192

static const char *directory;
static size_t directory_length;
static int trace = -1;
static pid_t process;
static atomic_bool watched[MOST_DESCRIPTORS];
static pthread_mutex_t order_of_threads = PTHREAD_MUTEX_INITIALIZER;

static void begin(void) {
    pthread_mutex_lock(&order_of_threads);
    if (flock(trace, LOCK_EX) != 0)
        abort();
}

static void end(void) {
    flock(trace, LOCK_UN);
    pthread_mutex_unlock(&order_of_threads);
}

static void append(enum kind kind, int descriptor, int64_t number, const void *data, size_t size) {
    struct header header = {kind, descriptor, getpid(), number, size};
    struct iovec parts[] = {{&header, sizeof header}, {(void *)data, size}};
    if (syscall(SYS_writev, trace, parts, 2) != (long)(sizeof header + size))
        abort(); /* A trace with a hole would prove nothing. */
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("RECORDER_TRACE");
    directory = getenv("RECORDER_DIRECTORY");
    if (path == NULL || directory == NULL)
        return;
    directory_length = strlen(directory);
    process = getpid();
    trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    append(STARTED, -1, 0, NULL, 0);
}

/* The path within the directory: "" for the directory itself, NULL for what lies elsewhere. */
static const char *within(const char *path) {
    if (trace < 0 || strncmp(path, directory, directory_length) != 0)
        return NULL;
    if (path[directory_length] == '\0')
        return path + directory_length;
    return path[directory_length] == '/' ? path + directory_length + 1 : NULL;
}

static bool is_watched(int descriptor) {
    return descriptor >= 0 && descriptor < MOST_DESCRIPTORS && watched[descriptor];
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    const char *name = within(path);
    if (name == NULL)
        return (int)syscall(SYS_openat, at, path, flags, mode);
    begin();
    int descriptor = (int)syscall(SYS_openat, at, path, flags, mode);
    if (descriptor >= MOST_DESCRIPTORS)
        abort();
    if (descriptor >= 0) {
        watched[descriptor] = true;
        append(OPENED, descriptor, flags, name, strlen(name));
    }
    end();
    return descriptor;
}

#define OPEN(at, path, flags)                                                                                          \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & O_CREAT) {                                                                                           \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, mode_t);                                                                                   \
        va_end(more);                                                                                                  \
    }                                                                                                                  \
    return opened(at, path, flags, mode)

int open(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, flags); }
int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, flags); }
int openat(int at, const char *path, int flags, ...) { OPEN(at, path, flags); }
int openat64(int at, const char *path, int flags, ...) { OPEN(at, path, flags); }

/* Between vfork and exec a child shares our memory: what it closes stays open here. */
int close(int descriptor) {
    if (!is_watched(descriptor) || getpid() != process)
        return (int)syscall(SYS_close, descriptor);
    begin();
    watched[descriptor] = false;
    append(CLOSED, descriptor, 0, NULL, 0);
    int result = (int)syscall(SYS_close, descriptor);
    end();
    return result;
}

static ssize_t written_at(int descriptor, const void *data, size_t size, off_t offset) {
    if (!is_watched(descriptor))
        return syscall(SYS_pwrite64, descriptor, data, size, offset);
    begin();
    ssize_t done = syscall(SYS_pwrite64, descriptor, data, size, offset);
    if (done > 0)
        append(WRITTEN, descriptor, offset, data, (size_t)done);
    end();
    return done;
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
    return written_at(descriptor, data, size, offset);
}
ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
    return written_at(descriptor, data, size, offset);
}

ssize_t write(int descriptor, const void *data, size_t size) {
    if (!is_watched(descriptor))
        return syscall(SYS_write, descriptor, data, size);
    begin();
    ssize_t done = syscall(SYS_write, descriptor, data, size);
    if (done > 0)
        append(WRITTEN, descriptor, syscall(SYS_lseek, descriptor, 0, SEEK_CUR) - done, data, (size_t)done);
    end();
    return done;
}

static int truncated(int descriptor, off_t size) {
    if (!is_watched(descriptor))
        return (int)syscall(SYS_ftruncate, descriptor, size);
    begin();
    int result = (int)syscall(SYS_ftruncate, descriptor, size);
    if (result == 0)
        append(TRUNCATED, descriptor, size, NULL, 0);
    end();
    return result;
}

int ftruncate(int descriptor, off_t size) { return truncated(descriptor, size); }
int ftruncate64(int descriptor, off64_t size) { return truncated(descriptor, size); }

static int synced(long call, int descriptor) {
    if (!is_watched(descriptor))
        return (int)syscall(call, descriptor);
    begin();
    int result = (int)syscall(call, descriptor);
    if (result == 0)
        append(SYNCED, descriptor, 0, NULL, 0);
    end();
    return result;
}

int fsync(int descriptor) { return synced(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return synced(SYS_fdatasync, descriptor); }

int rename(const char *from, const char *to) {
    const char *old = within(from), *new = within(to);
    if (old == NULL && new == NULL)
        return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    char both[LONGEST_PATHS];
    size_t length = old && new ? strlen(old) + 1 + strlen(new) : 0;
    if (length == 0 || length >= sizeof both)
        abort(); /* A file that comes from outside or leaves is more than a trace can tell. */
    memcpy(both, old, strlen(old) + 1);
    memcpy(both + strlen(old) + 1, new, strlen(new));
    begin();
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0)
        append(RENAMED, -1, 0, both, length);
    end();
    return result;
}

int unlink(const char *path) {
    const char *name = within(path);
    if (name == NULL)
        return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    begin();
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0)
        append(UNLINKED, -1, 0, name, strlen(name));
    end();
    return result;
}
