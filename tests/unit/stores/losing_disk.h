/*
 * What a power failure leaves of a directory: what its syncs have made durable, and of the rest any
 * part. For programs that are linked with $(losing_disk_ldflags), which takes the place of fsync()
 * and fdatasync(); nothing is really synced in them.
 *
 * The rules are those of POSIX, which no file system is worse than. A sync of a file makes its
 * content durable, and not its name; a sync of a directory its entries, and not what they lead to.
 * Of what has not been synced each entry is there or not, or the old one, independently of all
 * others, and content is the old, the new, or a part of the new.
 *
 * One directory at a time. Thread-safe, but for watching and forgetting.
 */
#ifndef FORKFS_UNIT_STORES_LOSING_DISK_H
#define FORKFS_UNIT_STORES_LOSING_DISK_H

#include <stdint.h>

/* What a power failure leaves. */
struct disk_image;

/* The seed with which everything is lost that can be. */
#define DISK_LOSES_ALL 0

/* Takes all that is below `root`, an absolute path without links, for durable, and watches what
 * becomes of it. */
void losing_disk_watch(const char *root);
void losing_disk_forget(void);

/* Before each sync, when the most can be lost, this is called, on the thread that syncs; NULL:
 * nothing. */
void losing_disk_when_syncing(void (*call)(void));
/* Syncs of files and directories whose paths contain `part` are as if they had been left out; NULL:
 * none. */
void losing_disk_ignore(const char *part);

/* What a power failure at this moment leaves. Also from the call above. */
struct disk_image *losing_disk_image(uint32_t seed);

/* Every path, with a sum of the content of files: equal images have equal texts. */
const char *disk_image_text(const struct disk_image *image);
/* Makes it all that there is below `root`. */
void disk_image_restore(const struct disk_image *image, const char *root);
void disk_image_free(struct disk_image *image);

#endif
