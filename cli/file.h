/* Reading of a whole file or of stdin into memory. */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <busbar/status.h>
#include <stddef.h>

/* "-" is stdin. The bytes are for free(). SYSTEM with errno set, TOO_LARGE over `most` bytes. */
enum busbar_status file_read(const char *path, size_t most, char **ret_data, size_t *ret_size)
    __attribute__((warn_unused_result));

#endif
