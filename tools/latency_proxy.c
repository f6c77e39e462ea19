/*
 * latency-proxy: puts a TCP server further away, for benchmarks.
 *
 *     latency-proxy HOST PORT
 *
 * Listens on a free port of 127.0.0.1, prints its number, and passes on what comes there to HOST's
 * PORT, and back. What the server sends is held back for a while, each piece on its own: so an
 * answer comes that much later, however many other connections there are. What the client sends
 * passes at once, and so does the making of a connection.
 *
 * Reads lines from standard input: a number is the delay from now on, in milliseconds (0 at first),
 * and is answered with "ok", the number of connections that are open, and of those that were ever
 * made. Ends when there is no more input.
 *
 * One thread. Nothing limits what is kept in memory, if one side sends faster than the other reads.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/timestamp.h"

/* One end of a connection that passes through. */
struct side {
    int socket;
    bool ended;          /* has sent its last byte */
    GByteArray *waiting; /* what its socket did not take at once */
    struct pair *pair;
};

struct pair {
    struct side client;
    struct side server;
    unsigned held; /* pieces for the client */
    bool closed;   /* to be freed when no piece refers to it any more */
};

/* What the server has sent, on its way to the client. */
struct piece {
    struct pair *pair;
    int64_t due_ns; /* CLOCK_MONOTONIC */
    size_t size;    /* 0: the server has sent its last byte */
    char data[];
};

struct proxy {
    int epoll;
    int timer;
    int listener;
    struct addrinfo *server;
    int64_t delay_ns;
    GQueue pieces; /* struct piece, by due_ns */
    GQueue closed; /* struct pair that may still be named in events at hand */
    unsigned open; /* connections */
    unsigned ever_made;
};

static void check(bool success, const char *what)
{
    if (success)
        return;
    fprintf(stderr, "latency-proxy: %s: %s\n", what, g_strerror(errno));
    exit(1);
}

static void watch(struct proxy *proxy, int fd, uint32_t events, void *pointer)
{
    struct epoll_event event = {.events = events, .data.ptr = pointer};
    check(epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

/* ---- Connections ---- */

static void side_open(struct proxy *proxy, struct pair *pair, struct side *side, int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    *side = (struct side){.socket = fd, .waiting = g_byte_array_new(), .pair = pair};
    watch(proxy, fd, EPOLLIN | EPOLLOUT | EPOLLET, side);
}

static void pair_open(struct proxy *proxy, int client)
{
    const struct addrinfo *address = proxy->server;
    int server = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(server >= 0, "socket");
    if (connect(server, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        close(server);
        close(client);
        return;
    }
    struct pair *pair = g_new0(struct pair, 1);
    side_open(proxy, pair, &pair->client, client);
    side_open(proxy, pair, &pair->server, server);
    proxy->open++;
    proxy->ever_made++;
}

static void pair_close(struct proxy *proxy, struct pair *pair)
{
    if (pair->closed)
        return;
    pair->closed = true;
    close(pair->client.socket);
    close(pair->server.socket);
    proxy->open--;
    g_queue_push_tail(&proxy->closed, pair);
}

/* Frees what was closed, once nothing points to it. */
static void free_closed(struct proxy *proxy)
{
    for (guint left = g_queue_get_length(&proxy->closed); left > 0; left--) {
        struct pair *pair = g_queue_pop_head(&proxy->closed);
        if (pair->held > 0) {
            g_queue_push_tail(&proxy->closed, pair);
            continue;
        }
        g_byte_array_unref(pair->client.waiting);
        g_byte_array_unref(pair->server.waiting);
        g_free(pair);
    }
}

static void accept_all(struct proxy *proxy)
{
    int client;
    while ((client = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        pair_open(proxy, client);
}

/* ---- Passing on ---- */

/* Writes what waits for `side`; then the end, if its peer has sent its last byte. */
static void flush(struct proxy *proxy, struct side *side, const struct side *peer)
{
    while (side->waiting->len > 0) {
        ssize_t sent = send(side->socket, side->waiting->data, side->waiting->len, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return;
        if (sent < 0) {
            pair_close(proxy, side->pair);
            return;
        }
        g_byte_array_remove_range(side->waiting, 0, (guint)sent);
    }
    if (peer->ended)
        shutdown(side->socket, SHUT_WR);
    if (peer->ended && side->ended)
        pair_close(proxy, side->pair);
}

static void pass(struct proxy *proxy, struct side *to, struct side *from, const char *data,
                 size_t size)
{
    if (size == 0)
        from->ended = true;
    g_byte_array_append(to->waiting, (const guint8 *)data, (guint)size);
    flush(proxy, to, from);
}

static void hold_back(struct proxy *proxy, struct pair *pair, const char *data, size_t size)
{
    struct piece *piece = g_malloc(sizeof *piece + size);
    *piece =
        (struct piece){.pair = pair, .due_ns = monotonic_now_ns() + proxy->delay_ns, .size = size};
    memcpy(piece->data, data, size);
    pair->held++;
    g_queue_push_tail(&proxy->pieces, piece);
}

static void read_from(struct proxy *proxy, struct side *side)
{
    static char data[1 << 16];
    struct pair *pair = side->pair;
    while (!pair->closed && !side->ended) {
        ssize_t size = recv(side->socket, data, sizeof data, 0);
        if (size < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return;
        if (size < 0) {
            pair_close(proxy, pair);
            return;
        }
        if (side == &pair->client)
            pass(proxy, &pair->server, side, data, (size_t)size);
        else
            hold_back(proxy, pair, data, (size_t)size);
        if (size == 0)
            return;
    }
}

static void pass_due(struct proxy *proxy)
{
    const struct piece *next;
    int64_t now = monotonic_now_ns();
    while ((next = g_queue_peek_head(&proxy->pieces)) && next->due_ns <= now) {
        g_autofree struct piece *piece = g_queue_pop_head(&proxy->pieces);
        piece->pair->held--;
        if (!piece->pair->closed)
            pass(proxy, &piece->pair->client, &piece->pair->server, piece->data, piece->size);
    }
    struct itimerspec when = {0};
    if (next)
        when.it_value = timespec_from_ns(next->due_ns);
    check(timerfd_settime(proxy->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0, "timerfd_settime");
}

/* ---- The whole ---- */

/* False: there will be no more. The caller waits for each answer, so a read is a line. */
static bool read_command(struct proxy *proxy)
{
    char line[64];
    ssize_t size = read(STDIN_FILENO, line, sizeof line - 1);
    if (size <= 0)
        return false;
    line[size] = '\0';
    proxy->delay_ns = (int64_t)(g_ascii_strtod(line, NULL) * NS_PER_MS);
    printf("ok %u %u\n", proxy->open, proxy->ever_made);
    return true;
}

static bool handle(struct proxy *proxy, const struct epoll_event *event)
{
    if (event->data.ptr == &proxy->epoll)
        return read_command(proxy);
    if (event->data.ptr == &proxy->listener) {
        accept_all(proxy);
        return true;
    }
    if (event->data.ptr == &proxy->timer)
        return true; /* pass_due() comes after every event */
    struct side *side = event->data.ptr;
    struct pair *pair = side->pair;
    if (!pair->closed && event->events & EPOLLOUT)
        flush(proxy, side, side == &pair->client ? &pair->server : &pair->client);
    if (!pair->closed && event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_from(proxy, side);
    return true;
}

static void run(struct proxy *proxy)
{
    struct epoll_event events[256];
    for (;;) {
        int count = epoll_wait(proxy->epoll, events, G_N_ELEMENTS(events), -1);
        check(count >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; i++)
            if (!handle(proxy, &events[i]))
                return;
        pass_due(proxy);
        free_closed(proxy);
    }
}

static void start_listening(struct proxy *proxy)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(bind(proxy->listener, (struct sockaddr *)&address, size) == 0, "bind");
    check(listen(proxy->listener, 1024) == 0, "listen");
    check(getsockname(proxy->listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    printf("%u\n", ntohs(address.sin_port));
}

/* Two descriptors for each connection. */
static void allow_many_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct proxy proxy = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                          .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (argc != 3) {
        fprintf(stderr, "usage: latency-proxy HOST PORT\n");
        return 2;
    }
    int failed = getaddrinfo(argv[1], argv[2], &hints, &proxy.server);
    if (failed) {
        fprintf(stderr, "latency-proxy: %s: %s\n", argv[1], gai_strerror(failed));
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    allow_many_descriptors();
    g_queue_init(&proxy.pieces);
    g_queue_init(&proxy.closed);
    start_listening(&proxy);
    watch(&proxy, STDIN_FILENO, EPOLLIN, &proxy.epoll);
    watch(&proxy, proxy.listener, EPOLLIN, &proxy.listener);
    watch(&proxy, proxy.timer, EPOLLIN | EPOLLET, &proxy.timer);
    run(&proxy);
    freeaddrinfo(proxy.server);
    return 0;
}
