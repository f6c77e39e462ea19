#include "unit/store/local/directory_reads.h"

#include "base/cleanup.h"
#include "store/local/local_private.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `reads` */
static struct directory_reads reads;

int __wrap_local_read_directory(int fd, GArray **ret);
int __real_local_read_directory(int fd, GArray **ret);
char *__wrap_local_etag(struct local_store *store, const char *path, struct stat *status);
char *__real_local_etag(struct local_store *store, const char *path, struct stat *status);

struct directory_reads directory_reads_take(void)
{
    LOCK_SCOPE(&lock);
    struct directory_reads taken = reads;
    reads = (struct directory_reads){0};
    return taken;
}

int __wrap_local_read_directory(int fd, GArray **ret)
{
    int failure = __real_local_read_directory(fd, ret);
    LOCK_SCOPE(&lock);
    reads.directories++;
    reads.entries += failure ? 0 : (*ret)->len;
    return failure;
}

char *__wrap_local_etag(struct local_store *store, const char *path, struct stat *status)
{
    {
        LOCK_SCOPE(&lock);
        reads.files++;
    }
    return __real_local_etag(store, path, status);
}
