/* Growing arrays. */
#ifndef HG_BASE_GROW_H
#define HG_BASE_GROW_H

#include <stddef.h>
#include <stdlib.h>

/* Makes room for `more` elements of `size` bytes after the first `count`. Returns the array, perhaps moved, or NULL if
 * memory ran out; the old array stands as it was then. */
static inline void *hg_grow(void *items, size_t count, size_t more, size_t *capacity, size_t size)
{
    size_t need;
    if (__builtin_add_overflow(count, more, &need)) return NULL;
    if (items && need <= *capacity) return items;
    size_t room = *capacity < 8 ? 8 : *capacity;
    while (room < need) {
        if (__builtin_mul_overflow(room, (size_t)2, &room)) return NULL;
    }
    void *bigger = reallocarray(items, room, size);
    if (bigger) *capacity = room;
    return bigger;
}

#endif
