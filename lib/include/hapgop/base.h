/* Status codes, the error of a thread, and the log. */
#ifndef HAPGOP_BASE_H
#define HAPGOP_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HG_API __attribute__((visibility("default")))

/* What every function that returns no tensor returns. */
typedef enum hg_status {
    HG_OK = 0,
    HG_END = 1,             /* no error: an iteration is over (hg_loader_next) */
    HG_E_ARG = -1,          /* an argument is out of its range */
    HG_E_SHAPE = -2,        /* shapes do not fit each other */
    HG_E_DTYPE = -3,        /* the operation does not take this element type */
    HG_E_DEVICE = -4,       /* no such device, or operands on different devices */
    HG_E_MEMORY = -5,       /* host or device memory, or the budget HAPGOP_MEMORY, is used up */
    HG_E_UNSUPPORTED = -6,  /* the device cannot do it */
    HG_E_IO = -7,           /* the operating system refused: open, read, write */
    HG_E_FORMAT = -8,       /* a file is not what it should be */
    HG_E_DRIVER = -9,       /* OpenCL or a library on it failed; the message names its code */
    HG_E_STATE = -10        /* right call, wrong time: after a fork, from two threads at once, a used-up graph */
} hg_status;

/* The code's name, for instance "HG_E_SHAPE". Never NULL. */
HG_API const char *hg_status_name(hg_status status);

/* The first error of this thread since hg_clear_error() or since the outermost scope began:
 * hg_last_status() is its code (HG_OK if none), hg_last_error() its text "operation: what is wrong, and the
 * remedy" ("" if none; valid until the thread's next call). */
HG_API hg_status hg_last_status(void);
HG_API const char *hg_last_error(void);
HG_API void hg_clear_error(void);

/* The log. The library itself prints nothing: what it has to say goes to the callback, and to stderr when
 * HAPGOP_LOG asks for it. HAPGOP_LOG lists topics: warn, build, launch, memory, conv, device, or "all".
 * Warnings reach the callback always. NULL removes the callback. */
typedef void (*hg_log_fn)(const char *topic, const char *message, void *user);
HG_API void hg_set_log(hg_log_fn fn, void *user);

/* The library's version, "0.1.0". */
HG_API const char *hg_version(void);

#ifdef __cplusplus
}
#endif
#endif
