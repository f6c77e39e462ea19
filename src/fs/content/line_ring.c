#include "fs/content/line_ring.h"

#include <glib.h>
#include <pthread.h>

#include "base/cleanup.h"

struct line_ring {
    unsigned kept;
    pthread_mutex_t lock; /* guards all below */
    GQueue lines;         /* char *, without newlines */
    struct timespec last;
    uint64_t count;
};

struct line_ring *line_ring_new(unsigned kept)
{
    struct line_ring *ring = g_new0(struct line_ring, 1);
    ring->kept = kept;
    pthread_mutex_init(&ring->lock, NULL);
    g_queue_init(&ring->lines);
    return ring;
}

void line_ring_free(struct line_ring *ring)
{
    if (!ring)
        return;
    g_queue_clear_full(&ring->lines, g_free);
    pthread_mutex_destroy(&ring->lock);
    g_free(ring);
}

void line_ring_add(struct line_ring *ring, struct timespec time, char *line)
{
    LOCK_SCOPE(&ring->lock);
    g_queue_push_tail(&ring->lines, line);
    ring->last = time;
    ring->count++;
    if (ring->lines.length > ring->kept)
        g_free(g_queue_pop_head(&ring->lines));
}

uint64_t line_ring_count(struct line_ring *ring)
{
    LOCK_SCOPE(&ring->lock);
    return ring->count;
}

struct bytes *line_ring_render(struct line_ring *ring, struct timespec *ret_last,
                               uint64_t *ret_count)
{
    g_autoptr(GString) text = g_string_new(NULL);
    LOCK_SCOPE(&ring->lock);
    for (const GList *line = ring->lines.head; line; line = line->next) {
        g_string_append(text, line->data);
        g_string_append_c(text, '\n');
    }
    if (ret_last && ring->lines.length > 0)
        *ret_last = ring->last;
    if (ret_count)
        *ret_count = ring->count;
    return bytes_new(text->str, text->len);
}
