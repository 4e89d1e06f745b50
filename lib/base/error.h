/* The error of a thread: the first one is kept, later ones only pass their code on. No allocation. */
#ifndef HG_BASE_ERROR_H
#define HG_BASE_ERROR_H

#include "hapgop/base.h"

#define HG_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Keeps the message if it is this thread's first error; returns `code`.
 * Form: "operation: what is wrong; the remedy". Use: return hg_error(HG_E_ARG, "arange: step is 0"); */
hg_status hg_error(hg_status code, const char *format, ...) HG_PRINTF(2, 3);

/* The thread's error set aside while something is tried that may fail: begin keeps it and clears, end puts it back. */
typedef struct hg_error_aside {
    hg_status code;
    char text[1024];
} hg_error_aside;
void hg_error_aside_begin(hg_error_aside *aside);
void hg_error_aside_end(const hg_error_aside *aside);

/* Lets the compiler see that the code comes back, so that it knows what HG_TRY leaves uninitialised: nothing. */
#define hg_error(code, ...) (__extension__({ hg_error(code, __VA_ARGS__); (code); }))

/* Runs `expr`; leaves the function with its status if that is an error. */
#define HG_TRY(expr)                                                                                                  \
    do {                                                                                                              \
        hg_status hg_try_status_ = (expr);                                                                            \
        if (hg_try_status_ < 0) return hg_try_status_;                                                                \
    } while (0)

#endif
