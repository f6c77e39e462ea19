#include <string.h>

#include "base/blake3.h"
#include "unit/unit.h"

/* The hash of the bytes 0, 1, ..., 250, 0, 1, ...: the official test vectors are about these. */
static void assert_hash(size_t size, const char *expected)
{
    g_autofree guint8 *text = g_malloc(size);
    char hash[BLAKE3_HEX_LENGTH + 1];
    for (size_t i = 0; i < size; i++)
        text[i] = (guint8)(i % 251);
    blake3_hex(text, size, hash);
    assert_string_equal(hash, expected);
}

static void nothing_has_a_hash(void **state)
{
    assert_hash(0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

static void a_block_may_be_full_or_not(void **state)
{
    assert_hash(1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
    assert_hash(64, "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98");
    assert_hash(65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee");
}

static void a_chunk_may_be_full_or_not(void **state)
{
    assert_hash(1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11");
    assert_hash(1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
    assert_hash(1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444");
}

static void chunks_are_joined_to_a_tree(void **state)
{
    assert_hash(2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a");
    assert_hash(3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3");
    assert_hash(8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b");
    assert_hash(102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_a_hash),
        cmocka_unit_test(a_block_may_be_full_or_not),
        cmocka_unit_test(a_chunk_may_be_full_or_not),
        cmocka_unit_test(chunks_are_joined_to_a_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
