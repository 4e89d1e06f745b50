/* Launching kernels: one function, typed arguments. */
#ifndef HG_CL_LAUNCH_H
#define HG_CL_LAUNCH_H

#include "cl/program.h"
#include "kernels.h"

typedef struct hg_arg {
    size_t size;                /* 0: `size_value` bytes of local memory */
    union {
        cl_mem mem;
        cl_int i32;
        cl_uint u32;
        cl_long i64;
        cl_ulong u64;
        cl_float f32;
        cl_double f64;
        cl_long8 i64x8;
        size_t local_bytes;
    } value;
    bool local;
} hg_arg;

#define HG_ARG_MEM(v) ((hg_arg){.size = sizeof(cl_mem), .value.mem = (v)})
#define HG_ARG_I32(v) ((hg_arg){.size = 4, .value.i32 = (cl_int)(v)})
#define HG_ARG_U32(v) ((hg_arg){.size = 4, .value.u32 = (cl_uint)(v)})
#define HG_ARG_I64(v) ((hg_arg){.size = 8, .value.i64 = (cl_long)(v)})
#define HG_ARG_U64(v) ((hg_arg){.size = 8, .value.u64 = (cl_ulong)(v)})
#define HG_ARG_F32(v) ((hg_arg){.size = 4, .value.f32 = (cl_float)(v)})
#define HG_ARG_F64(v) ((hg_arg){.size = 8, .value.f64 = (cl_double)(v)})
#define HG_ARG_LOCAL(bytes) ((hg_arg){.local = true, .value.local_bytes = (bytes)})

/* A REAL argument of a kernel: double if `is_f64`. */
static inline hg_arg hg_arg_real(bool is_f64, double v)
{
    return is_f64 ? HG_ARG_F64(v) : HG_ARG_F32(v);
}

typedef struct hg_range {
    cl_uint dims;
    size_t global[3], local[3];     /* global is a multiple of local; local[0] = 0: the driver chooses */
} hg_range;

/* For kernels that use HG_FOR(i, n) of common.clh. */
hg_range hg_range_elements(const hg_device *dev, int64_t n);
/* For kernels where a work-group of HG_LANES work-items computes one of x * y results together. */
hg_range hg_range_teams(const hg_device *dev, int64_t x, int64_t y);
/* One work-item for each of x * y * z results, in groups of 1 on a CPU, of `local` items (or hg_lanes() if that is
 * less) along x on a GPU; the kernel checks its bounds along x. */
hg_range hg_range_items(const hg_device *dev, int64_t x, int64_t y, int64_t z, size_t local);

/* Work-items of a team, as HG_LANES in common.clh: 1 on a CPU; on a GPU 256, or the largest power of two that its
 * work-groups may have. */
int hg_lanes(const hg_device *dev);

/* Queues the kernel `name` of `source` built with `options` (NULL for none). An empty range does nothing. */
hg_status hg_launch(hg_device *dev, const hg_source *source, const char *options, const char *name, hg_range range,
                    const hg_arg *args, int nargs);
#define HG_ARGS(...) ((hg_arg[]){__VA_ARGS__}), (int)(sizeof((hg_arg[]){__VA_ARGS__}) / sizeof(hg_arg))

#endif
