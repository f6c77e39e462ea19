/*
 * The object store in a bucket of an S3 server.
 *
 * GET and HEAD go through libs3 where it is built in and can be trusted, else through libcurl;
 * every put and every listing goes through libcurl (s3_wire.h), and every delete, too, but with
 * libs3 4.x, which can be told when to give up. What can be repeated is repeated, with growing and
 * jittered pauses, as long as the operation's time allows; what an unclear answer means is found
 * out by reading again, and only where that does not tell is a put ERR_OUTCOME_UNKNOWN. Bodies are
 * checked for length.
 *
 * When the server does not answer several times in a row, for some seconds, a circuit breaker
 * opens: new requests fail at once (ERR_UNREACHABLE) but for one at a time that looks whether it is
 * back.
 *
 * After an exchange of a conditional put that ended unclear, the put counts as a success when the
 * object has its content. Who wants to be told apart from others that create the same object
 * writes something into it that only he writes: documents of the catalog hold random ids.
 *
 * What was sent and given up may be carried out later; that it was is in the answer (`late`), also
 * when a repetition has succeeded: the key may be free again by then.
 *
 * Listings leave out what has no valid key (directory markers of S3 consoles), and names like those
 * of temporary files, as those of other stores do, although there are no temporary files. A prune
 * has nothing to do. Equal content may have equal etags.
 *
 * store_connection() says "libs3/2.0 for reads, libcurl/7.88.1 for writes", or one of them where it
 * does both.
 *
 * Etags are unquoted. How If-Match wants them (quoted or bare: servers differ) is found out by
 * s3_store_probe(), and again when a put is refused although the etag has not changed.
 *
 * Errors: ERR_ACCESS (refused), ERR_UNREACHABLE (no connection, or no good certificate),
 * ERR_DEADLINE, ERR_IO (the server fails, or answers nonsense), ERR_NO_SPACE, and of
 * s3_store_check() ERR_INVALID (bucket or region are wrong). None has a credential in it. An
 * operation without a deadline is given up after a minute of trying in vain.
 */
#ifndef FORKFS_STORE_S3_S3_STORE_H
#define FORKFS_STORE_S3_S3_STORE_H

#include "base/log.h"
#include "store/s3/credentials/s3_profile.h"
#include "store/s3/wire/s3_endpoint.h"
#include "store/s3/wire/s3_wire.h"
#include "store/store.h"

enum s3_client { S3_CLIENT_AUTOMATIC, S3_CLIENT_LIBS3, S3_CLIENT_CURL };

struct s3_store_settings {
    const struct s3_endpoint *endpoint; /* copied */
    struct s3_profile *profile;         /* taken over, also on failure */
    const char *ca_file;                /* NULL: the system's certificates */
    enum s3_client client;              /* for reads */
    unsigned jobs;                      /* requests in flight at a time */
    struct log *log;                    /* may be NULL; told of repetitions, at the level debug */
};

/* Makes the store; sends nothing. ERR_UNSUPPORTED when libs3 is demanded where it cannot be
 * trusted or is not built in. *ret: store_free(). */
int s3_store_open(const struct s3_store_settings *settings, struct store **ret, struct error *err);

/* As s3_store_open() with wires of the caller's, for tests: `reads` and `writes` are taken over,
 * and may be the same. profile NULL: requests carry no credentials. */
struct store *s3_store_open_wires(struct s3_wire *reads, struct s3_wire *writes,
                                  struct s3_profile *profile, unsigned jobs);

/* Asks for a key below `prefix` ("" or ending in '/'; a policy may allow no other), so that what is
 * wrong with credentials, bucket, region, endpoint or certificate is told in one clear line; does
 * not insist when the server cannot be reached. Where the client was to be chosen and the server
 * takes no requests of libs3, goes over to libcurl. */
int s3_store_check(struct store *store, const char *prefix, struct operation *operation,
                   struct error *err);

/* Tries on a key of its own below `prefix` (removed afterwards) puts of all three kinds: whether
 * the server minds If-None-Match and If-Match, which quotes it wants, and whether it takes what it
 * should. ERR_UNSUPPORTED when it ignores a condition: commits of several writers would then
 * overwrite each other. ERR_IO when it refuses what it should not, so that nobody can write, and
 * whatever it ignores besides. Says that the bucket keeps versions where it does: with that
 * gateways of Ceph do both. */
int s3_store_probe(struct store *store, const char *prefix, struct operation *operation,
                   struct error *err);

/* Removes the keys of such probes below `prefix` that processes which were killed meanwhile have
 * left: objects last changed before `before_ns` (since 1970). Tries to: that some stay hurts
 * nobody. */
void s3_store_remove_probes(struct store *store, const char *prefix, int64_t before_ns,
                            struct operation *operation);

#endif
