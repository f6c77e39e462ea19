/*
 * Reading the content of a file.
 */
#include <unistd.h>

#include "store/local/local_private.h"

int local_read_whole(int fd, char *data, size_t size)
{
    while (size > 0) {
        ssize_t got = TEMP_FAILURE_RETRY(read(fd, data, size));
        if (got <= 0)
            return got < 0 ? errno : EIO;
        data += got;
        size -= (size_t)got;
    }
    return 0;
}
