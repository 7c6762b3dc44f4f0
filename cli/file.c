/* Reading of a whole file in growing steps, since pipes do not tell their size. */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_STEP = 64 * 1024,
};

struct growing {
    char *data;
    size_t size;
    size_t capacity;
};

static enum busbar_status growing_reserve(struct growing *bytes, size_t most)
{
    if (bytes->size > most)
        return BUSBAR_TOO_LARGE;
    if (bytes->capacity - bytes->size >= FILE_STEP)
        return BUSBAR_OK;
    size_t capacity = bytes->capacity * 2 + FILE_STEP;
    char *data = realloc(bytes->data, capacity);
    if (data == NULL)
        return BUSBAR_NO_MEMORY;
    bytes->data = data;
    bytes->capacity = capacity;
    return BUSBAR_OK;
}

static enum busbar_status read_all(int fd, size_t most, struct growing *bytes)
{
    for (;;) {
        enum busbar_status status = growing_reserve(bytes, most);
        if (status != BUSBAR_OK)
            return status;
        ssize_t got = read(fd, bytes->data + bytes->size, bytes->capacity - bytes->size);
        if (got == 0)
            return BUSBAR_OK;
        if (got < 0 && errno != EINTR)
            return BUSBAR_SYSTEM;
        if (got > 0)
            bytes->size += (size_t)got;
    }
}

enum busbar_status file_read(const char *path, size_t most, char **ret_data, size_t *ret_size)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return BUSBAR_SYSTEM;
    struct growing bytes = {NULL, 0, 0};
    enum busbar_status status = read_all(fd, most, &bytes);
    int saved = errno;
    if (fd != STDIN_FILENO)
        close(fd);
    errno = saved;
    if (status != BUSBAR_OK) {
        free(bytes.data);
        return status;
    }
    *ret_data = bytes.data;
    *ret_size = bytes.size;
    return BUSBAR_OK;
}
