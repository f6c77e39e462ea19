#include "base/blake3.h"

#include <glib.h>
#include <string.h>

#define WORDS 8 /* of a chaining value */
#define BLOCK_SIZE 64
#define BLOCK_WORDS 16
#define CHUNK_SIZE 1024
#define ROUNDS 7
#define LEVELS 54 /* of the tree, with 2^64 bytes */

enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

static const guint32 initial[WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* What is left to be compressed of a chunk, or of two subtrees: whether it is the root of the tree
 * is known later. */
struct node {
    guint32 chaining[WORDS];
    guint32 block[BLOCK_WORDS];
    guint32 size; /* of the block's text */
    guint64 counter;
    guint32 flags;
};

static guint32 rotate_right(guint32 word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

static void mix(guint32 *state, const unsigned index[4], guint32 x, guint32 y)
{
    guint32 *a = &state[index[0]], *b = &state[index[1]], *c = &state[index[2]],
            *d = &state[index[3]];
    *a += *b + x;
    *d = rotate_right(*d ^ *a, 16);
    *c += *d;
    *b = rotate_right(*b ^ *c, 12);
    *a += *b + y;
    *d = rotate_right(*d ^ *a, 8);
    *c += *d;
    *b = rotate_right(*b ^ *c, 7);
}

static void permute(guint32 *block)
{
    static const unsigned order[BLOCK_WORDS] = {2, 6,  3,  10, 7, 0,  4,  13,
                                                1, 11, 12, 5,  9, 14, 15, 8};
    guint32 old[BLOCK_WORDS];
    memcpy(old, block, sizeof(old));
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        block[i] = old[order[i]];
}

/* The chaining value that the node leaves behind, its last compression. */
static void compress(const struct node *node, guint32 more_flags, guint32 ret[WORDS])
{
    static const unsigned columns_and_diagonals[8][4] = {
        {0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14}, {3, 7, 11, 15},
        {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13},  {3, 4, 9, 14}};
    guint32 state[2 * WORDS], block[BLOCK_WORDS];
    memcpy(state, node->chaining, sizeof(node->chaining));
    memcpy(state + WORDS, initial, sizeof(initial) / 2);
    state[12] = (guint32)node->counter;
    state[13] = (guint32)(node->counter >> 32);
    state[14] = node->size;
    state[15] = node->flags | more_flags;
    memcpy(block, node->block, sizeof(block));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 8; i++)
            mix(state, columns_and_diagonals[i], block[2 * i], block[2 * i + 1]);
        permute(block);
    }
    for (unsigned i = 0; i < WORDS; i++)
        ret[i] = state[i] ^ state[i + WORDS];
}

static void fill_block(struct node *node, const guint8 *data, size_t size)
{
    guint8 padded[BLOCK_SIZE] = {0};
    if (size > 0)
        memcpy(padded, data, size);
    for (unsigned i = 0; i < BLOCK_WORDS; i++) {
        guint32 word;
        memcpy(&word, padded + 4 * i, sizeof(word));
        node->block[i] = GUINT32_FROM_LE(word);
    }
    node->size = (guint32)size;
}

/* The node of one chunk: at most CHUNK_SIZE bytes. */
static void chunk_node(const guint8 *data, size_t size, guint64 counter, struct node *ret)
{
    *ret = (struct node){.counter = counter, .flags = CHUNK_START};
    memcpy(ret->chaining, initial, sizeof(initial));
    for (; size > BLOCK_SIZE; data += BLOCK_SIZE, size -= BLOCK_SIZE) {
        fill_block(ret, data, BLOCK_SIZE);
        compress(ret, 0, ret->chaining);
        ret->flags = 0;
    }
    fill_block(ret, data, size);
    ret->flags |= CHUNK_END;
}

/* The node above a finished left subtree and `right`. */
static void join_nodes(const guint32 left[WORDS], struct node *right)
{
    struct node parent = {.size = BLOCK_SIZE, .flags = PARENT};
    memcpy(parent.chaining, initial, sizeof(initial));
    memcpy(parent.block, left, sizeof(initial));
    compress(right, 0, parent.block + WORDS);
    *right = parent;
}

/* The text's left part is a series of complete trees, the larger ones first: one for each bit of
 * the number of its chunks. */
void blake3_hex(const void *data, size_t size, char ret[BLAKE3_HEX_LENGTH + 1])
{
    guint32 trees[LEVELS][WORDS], root[WORDS];
    unsigned count = 0;
    guint64 chunk = 0;
    struct node node;
    const guint8 *text = data;
    for (; size > CHUNK_SIZE; text += CHUNK_SIZE, size -= CHUNK_SIZE) {
        chunk_node(text, CHUNK_SIZE, chunk++, &node);
        for (guint64 done = chunk; done % 2 == 0; done /= 2)
            join_nodes(trees[--count], &node);
        compress(&node, 0, trees[count++]);
    }
    chunk_node(text, size, chunk, &node);
    while (count > 0)
        join_nodes(trees[--count], &node);
    compress(&node, ROOT, root);
    for (unsigned i = 0; i < WORDS; i++)
        g_snprintf(ret + (size_t)8 * i, 9, "%08x", GUINT32_SWAP_LE_BE(root[i]));
}
