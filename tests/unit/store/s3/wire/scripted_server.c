#include "unit/store/s3/wire/scripted_server.h"

#include <arpa/inet.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DRIP_MS 5

struct step {
    enum script_end end;
    GString *answer;
};

struct scripted_server {
    int socket;
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock;
    enum script_expect expect; /* guarded by lock, as all below */
    GPtrArray *steps;          /* struct step */
    bool stopped;
    unsigned next;       /* step */
    GPtrArray *requests; /* char * */
    GArray *connections; /* int: descriptors, shut down at the end */
    GArray *threads;     /* pthread_t: one for each connection */
};

struct connection {
    struct scripted_server *server;
    int socket;
};

/* Also where assertions are compiled out. */
static void require(bool done, const char *what)
{
    if (!done)
        g_error("scripted server: %s failed", what);
}

/* ---- One connection ---- */

static void send_all(int socket, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client has had enough */
        data += sent;
        size -= (size_t)sent;
    }
}

static bool receive_some(int socket, GString *to)
{
    char buffer[65536];
    ssize_t got = recv(socket, buffer, sizeof buffer, 0);
    if (got > 0)
        g_string_append_len(to, buffer, got);
    return got > 0;
}

static char *find_header(const char *request, const char *name)
{
    g_autofree char *head = g_strndup(request, (size_t)(strstr(request, "\r\n\r\n") - request));
    g_auto(GStrv) lines = g_strsplit(head, "\r\n", -1);
    size_t length = strlen(name);
    for (char **line = lines; *line; line++)
        if (g_ascii_strncasecmp(*line, name, length) == 0 && (*line)[length] == ':')
            return g_strstrip(g_strdup(*line + length + 1));
    return NULL;
}

static size_t body_size(const char *request)
{
    g_autofree char *length = find_header(request, "Content-Length");
    return length ? (size_t)g_ascii_strtoull(length, NULL, 10) : 0;
}

/* Whether the client asks for leave to send the body, and meets this. */
static bool is_met(const struct connection *connection, const char *request,
                   enum script_expect expect)
{
    g_autofree char *header = find_header(request, "Expect");
    LOCK_SCOPE(&connection->server->lock);
    return header && connection->server->expect == expect;
}

/* Reads a request into `request`; false: there is none. */
static bool receive_request(const struct connection *connection, GString *request)
{
    while (!strstr(request->str, "\r\n\r\n"))
        if (!receive_some(connection->socket, request))
            return false;
    if (is_met(connection, request->str, SCRIPT_REFUSE))
        return true;
    if (is_met(connection, request->str, SCRIPT_CONTINUE)) {
        const char *leave = "HTTP/1.1 100 Continue\r\n\r\n";
        send_all(connection->socket, leave, strlen(leave));
    }
    size_t head = (size_t)(strstr(request->str, "\r\n\r\n") + 4 - request->str);
    size_t whole = head + body_size(request->str);
    while (request->len < whole)
        if (!receive_some(connection->socket, request))
            return false;
    return true;
}

static const struct step *take_step(struct scripted_server *server, const GString *request)
{
    LOCK_SCOPE(&server->lock);
    g_ptr_array_add(server->requests, g_strndup(request->str, request->len));
    g_assert(server->steps->len);
    const struct step *step = g_ptr_array_index(server->steps, server->next);
    if (server->next + 1 < server->steps->len)
        server->next++;
    return step;
}

static void await_end(int socket)
{
    char buffer[65536];
    while (recv(socket, buffer, sizeof buffer, 0) > 0)
        ;
}

static void drip(int socket)
{
    struct pollfd poll_for = {.fd = socket, .events = POLLRDHUP};
    while (poll(&poll_for, 1, DRIP_MS) == 0)
        if (send(socket, "x", 1, MSG_NOSIGNAL) <= 0)
            return;
}

static void reset(int socket)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* Plays a step; true: the connection goes on. */
static bool play(const struct connection *connection, const struct step *step)
{
    send_all(connection->socket, step->answer->str, step->answer->len);
    switch (step->end) {
    case SCRIPT_KEEP:
        return true;
    case SCRIPT_CLOSE:
        shutdown(connection->socket, SHUT_WR);
        return false;
    case SCRIPT_RESET:
        reset(connection->socket);
        return false;
    case SCRIPT_HANG:
        await_end(connection->socket);
        return false;
    case SCRIPT_DRIP:
        drip(connection->socket);
        return false;
    case SCRIPT_DIE:
        shutdown(connection->server->socket, SHUT_RDWR);
        reset(connection->socket);
        return false;
    }
    return false;
}

/* Ends a connection on which the client may still be sending: were it closed with something unread,
 * a reset could overtake the answer. */
static void leave(const struct connection *connection)
{
    shutdown(connection->socket, SHUT_WR);
    await_end(connection->socket);
}

static void *serve(void *argument)
{
    g_autofree struct connection *connection = argument;
    bool goes_on = true;
    while (goes_on) {
        g_autoptr(GString) request = g_string_new(NULL);
        if (!receive_request(connection, request))
            break;
        goes_on = play(connection, take_step(connection->server, request));
        if (goes_on && is_met(connection, request->str, SCRIPT_REFUSE)) {
            leave(connection);
            goes_on = false;
        }
    }
    LOCK_SCOPE(&connection->server->lock);
    GArray *connections = connection->server->connections;
    for (guint i = 0; i < connections->len; i++)
        if (g_array_index(connections, int, i) == connection->socket)
            g_array_index(connections, int, i) = -1;
    close(connection->socket);
    return NULL;
}

/* ---- The server ---- */

static void add_connection(struct scripted_server *server, int socket)
{
    LOCK_SCOPE(&server->lock);
    if (server->stopped) {
        close(socket);
        return;
    }
    struct connection *connection = g_new0(struct connection, 1);
    *connection = (struct connection){.server = server, .socket = socket};
    pthread_t thread;
    require(pthread_create(&thread, NULL, serve, connection) == 0, "pthread_create");
    g_array_append_val(server->connections, socket);
    g_array_append_val(server->threads, thread);
}

static void *accept_all(void *argument)
{
    struct scripted_server *server = argument;
    int socket;
    while ((socket = accept(server->socket, NULL, NULL)) >= 0)
        add_connection(server, socket);
    return NULL;
}

static void free_step(void *data)
{
    struct step *step = data;
    g_string_free(step->answer, TRUE);
    g_free(step);
}

static void listen_somewhere(struct scripted_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    server->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert(server->socket >= 0);
    require(bind(server->socket, (struct sockaddr *)&address, size) == 0, "bind");
    require(listen(server->socket, 64) == 0, "listen");
    require(getsockname(server->socket, (struct sockaddr *)&address, &size) == 0, "getsockname");
    g_snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
}

struct scripted_server *scripted_server_new(void)
{
    struct scripted_server *server = g_new0(struct scripted_server, 1);
    server->steps = g_ptr_array_new_with_free_func(free_step);
    server->requests = g_ptr_array_new_with_free_func(g_free);
    server->connections = g_array_new(FALSE, FALSE, sizeof(int));
    server->threads = g_array_new(FALSE, FALSE, sizeof(pthread_t));
    pthread_mutex_init(&server->lock, NULL);
    listen_somewhere(server);
    require(pthread_create(&server->acceptor, NULL, accept_all, server) == 0, "pthread_create");
    return server;
}

static void stop(struct scripted_server *server)
{
    LOCK_SCOPE(&server->lock);
    server->stopped = true;
    shutdown(server->socket, SHUT_RDWR);
    for (guint i = 0; i < server->connections->len; i++)
        if (g_array_index(server->connections, int, i) >= 0)
            shutdown(g_array_index(server->connections, int, i), SHUT_RDWR);
}

void scripted_server_free(struct scripted_server *server)
{
    stop(server);
    pthread_join(server->acceptor, NULL);
    for (guint i = 0; i < server->threads->len; i++)
        pthread_join(g_array_index(server->threads, pthread_t, i), NULL);
    close(server->socket);
    g_ptr_array_unref(server->steps);
    g_ptr_array_unref(server->requests);
    g_array_unref(server->connections);
    g_array_unref(server->threads);
    pthread_mutex_destroy(&server->lock);
    g_free(server);
}

const char *scripted_server_url(const struct scripted_server *server)
{
    return server->url;
}

/* ---- The script ---- */

void scripted_server_add(struct scripted_server *server, enum script_end end, const char *answer)
{
    LOCK_SCOPE(&server->lock);
    struct step *step = g_new0(struct step, 1);
    step->end = end;
    step->answer = g_string_new(NULL);
    const char *end_of_head = strstr(answer, "\n\n");
    size_t head = end_of_head ? (size_t)(end_of_head + 2 - answer) : strlen(answer);
    for (size_t i = 0; i < head; i++) {
        if (answer[i] == '\n')
            g_string_append_c(step->answer, '\r');
        g_string_append_c(step->answer, answer[i]);
    }
    g_string_append(step->answer, answer + head);
    g_ptr_array_add(server->steps, step);
}

void scripted_server_add_body(struct scripted_server *server, int status, const char *headers,
                              const char *body)
{
    g_autofree char *answer = g_strdup_printf("HTTP/1.1 %d Status\n%sContent-Length: %zu\n\n%s",
                                              status, headers, strlen(body), body);
    scripted_server_add(server, SCRIPT_KEEP, answer);
}

void scripted_server_set_expect(struct scripted_server *server, enum script_expect expect)
{
    LOCK_SCOPE(&server->lock);
    server->expect = expect;
}

/* ---- What was asked ---- */

unsigned scripted_server_requests(struct scripted_server *server)
{
    LOCK_SCOPE(&server->lock);
    return server->requests->len;
}

unsigned scripted_server_connections(struct scripted_server *server)
{
    LOCK_SCOPE(&server->lock);
    return server->connections->len;
}

char *scripted_server_request(struct scripted_server *server, unsigned index)
{
    LOCK_SCOPE(&server->lock);
    g_assert(index < server->requests->len);
    return g_strdup(g_ptr_array_index(server->requests, index));
}

char *scripted_server_header(struct scripted_server *server, unsigned index, const char *name)
{
    g_autofree char *request = scripted_server_request(server, index);
    return find_header(request, name);
}
