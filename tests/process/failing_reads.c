/*
 * Lets reads of one database fail while a certain file exists, as those of a broken disk do.
 *
 * To be preloaded (LD_PRELOAD). FAILING_READS_OF names the database by an absolute path, FAILING_READS_WHILE the file.
 * Reads of the database and of its -wal fail with EIO. System calls are made directly, so that no function here can call
 * itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool fails(int descriptor) {
    const char *database = getenv("FAILING_READS_OF"), *marker = getenv("FAILING_READS_WHILE");
    char link[64], path[4096];
    if (!database || !marker || syscall(SYS_access, marker, F_OK) != 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    size_t shared = strlen(database);
    if (strncmp(path, database, shared) != 0 || (path[shared] != '\0' && strcmp(path + shared, "-wal") != 0))
        return false;
    errno = EIO;
    return true;
}

ssize_t read(int descriptor, void *data, size_t size) {
    return fails(descriptor) ? -1 : syscall(SYS_read, descriptor, data, size);
}

ssize_t pread64(int descriptor, void *data, size_t size, off64_t offset) {
    return fails(descriptor) ? -1 : syscall(SYS_pread64, descriptor, data, size, offset);
}

ssize_t pread(int descriptor, void *data, size_t size, off_t offset) {
    return pread64(descriptor, data, size, offset);
}
