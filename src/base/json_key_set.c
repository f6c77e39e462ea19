#include "base/json_key_set.h"

#include <glib.h>
#include <string.h>

#include "base/json_string.h"

void json_key_set_init(struct json_key_set *set)
{
    set->count = 0;
    set->capacity = 0;
    set->table = NULL;
}

static void release_key(struct json_key *key)
{
    if (key->owned)
        g_free((char *)key->text);
}

void json_key_set_clear(struct json_key_set *set)
{
    struct json_key *keys = set->capacity ? set->table : set->small;
    size_t places = set->capacity ? set->capacity : set->count;
    for (size_t i = 0; i < places; i++) {
        if (keys[i].text)
            release_key(&keys[i]);
    }
    g_free(set->table);
    json_key_set_init(set);
}

/* The hash of a name, by FNV-1a. */
static uint32_t hash_of(const char *text, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

static bool equal(const struct json_key *a, const struct json_key *b)
{
    return a->hash == b->hash && a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* The place of `key` in a table: its equal, or the free place where it belongs. */
static struct json_key *find_place(struct json_key *table, size_t capacity,
                                   const struct json_key *key)
{
    size_t at = key->hash & (capacity - 1);
    while (table[at].text && !equal(&table[at], key))
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static void grow_table(struct json_key_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : JSON_KEY_SET_SMALL * 4;
    struct json_key *table = g_new0(struct json_key, capacity);
    const struct json_key *old = set->capacity ? set->table : set->small;
    size_t places = set->capacity ? set->capacity : set->count;
    for (size_t i = 0; i < places; i++) {
        if (old[i].text)
            *find_place(table, capacity, &old[i]) = old[i];
    }
    g_free(set->table);
    set->table = table;
    set->capacity = capacity;
}

static bool add_small(struct json_key_set *set, const struct json_key *key)
{
    for (size_t i = 0; i < set->count; i++) {
        if (equal(&set->small[i], key))
            return false;
    }
    set->small[set->count++] = *key;
    return true;
}

static bool add_large(struct json_key_set *set, const struct json_key *key)
{
    if (set->capacity == 0 || set->count >= set->capacity / 2)
        grow_table(set);
    struct json_key *place = find_place(set->table, set->capacity, key);
    if (place->text)
        return false;
    *place = *key;
    set->count++;
    return true;
}

bool json_key_set_add(struct json_key_set *set, const char *text, size_t length)
{
    struct json_key key = {.text = text, .length = length};
    if (memchr(text, '\\', length)) {
        key.text = json_string_decode(text, length, &key.length);
        key.owned = true;
    }
    key.hash = hash_of(key.text, key.length);
    bool small = set->capacity == 0 && set->count < JSON_KEY_SET_SMALL;
    bool added = small ? add_small(set, &key) : add_large(set, &key);
    if (!added)
        release_key(&key);
    return added;
}
