/*
 * Lets writes to the files of one database fail while a certain file exists, as those to a full or broken disk do.
 *
 * To be preloaded (LD_PRELOAD). FAILING_WRITES_OF names the database by an absolute path. FAILING_WRITES_WHILE names the
 * file, whose content is the number of the error. System calls are made directly, so that no function here can call
 * itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool fails(int descriptor) {
    const char *database = getenv("FAILING_WRITES_OF"), *marker = getenv("FAILING_WRITES_WHILE");
    char link[64], path[4096], number[16] = "";
    if (!database || !marker)
        return false;
    int file = syscall(SYS_openat, AT_FDCWD, marker, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    syscall(SYS_read, file, number, sizeof number - 1);
    syscall(SYS_close, file);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    if (strncmp(path, database, strlen(database)) != 0)
        return false;
    errno = atoi(number);
    return true;
}

ssize_t write(int descriptor, const void *data, size_t size) {
    return fails(descriptor) ? -1 : syscall(SYS_write, descriptor, data, size);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
    return fails(descriptor) ? -1 : syscall(SYS_pwrite64, descriptor, data, size, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
    return pwrite64(descriptor, data, size, offset);
}
