#include "program/opened_catalog.h"

void opened_catalog_close(struct opened_catalog *opened)
{
    store_free_within(opened->store, STORE_FREE_LONGEST_MS);
    layout_free(opened->layout);
}
