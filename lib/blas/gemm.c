#include "blas/gemm.h"

#include <limits.h>

#include "base/checked.h"
#include "cl/launch.h"

int hg_gemm_epilogue(const hg_gemm_problem *p)
{
    return (p->bias_along == HG_BIAS_COLUMNS ? 1 : p->bias_along == HG_BIAS_ROWS ? 2 : 0) | (p->relu ? 4 : 0);
}

hg_status hg_gemm_finish(hg_device *dev, const hg_gemm_problem *p, double alpha, cl_mem partial, int64_t slices,
                         double beta)
{
    hg_range range = {3, {1, (size_t)p->m, (size_t)p->batch}, {1, 1, 1}};
    if (!hg_is_cpu(dev)) range = hg_range_items(dev, hg_min_i64(p->n, 4096), p->m, p->batch, 64);
    return hg_launch(dev, &hg_source_gemm_finish, p->f64 ? "-DHG_F64=1" : NULL, "gemm_finish", range,
                     HG_ARGS(HG_ARG_I32(p->m), HG_ARG_I32(p->n), HG_ARG_I32(slices), hg_arg_real(p->f64, alpha),
                             HG_ARG_MEM(partial ? partial : p->c.mem), hg_arg_real(p->f64, beta), HG_ARG_MEM(p->c.mem),
                             HG_ARG_I64(p->c.offset), HG_ARG_I64(p->c.ld), HG_ARG_I64(p->c.step),
                             HG_ARG_I32(hg_gemm_epilogue(p)), HG_ARG_MEM(p->bias ? p->bias : p->c.mem),
                             HG_ARG_I64(p->bias_offset)));
}

/* Elements of `mem`, from its start, that `rows` x `columns` matrices reach; false on overflow. */
static bool reach(const hg_matrix *x, int64_t rows, int64_t columns, int64_t batch, int64_t *out)
{
    int64_t last_row, last_matrix, end;
    return hg_mul_i64(rows - 1, x->ld, &last_row) && hg_mul_i64(batch - 1, x->step, &last_matrix) &&
           hg_add_i64(x->offset, last_row, &end) && hg_add_i64(end, last_matrix, &end) && hg_add_i64(end, columns, out);
}

static hg_status check_buffer(cl_mem mem, const char *name, int64_t elements, bool f64)
{
    size_t size = 0;
    cl_int code = clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof size, &size, NULL);
    if (code != CL_SUCCESS) return hg_error(HG_E_ARG, "gemm: %s is no buffer: %s", name, hg_cl_name(code));
    if ((uint64_t)elements > size / (f64 ? 8 : 4))
        return hg_error(HG_E_ARG, "gemm: %s ends at element %lld of a buffer of %zu", name, (long long)elements,
                        size / (f64 ? 8 : 4));
    return HG_OK;
}

static hg_status check_matrix(const hg_matrix *x, const char *name, int64_t rows, int64_t columns,
                              const hg_gemm_problem *p)
{
    int64_t elements;
    if (x->offset < 0 || x->step < 0)
        return hg_error(HG_E_ARG, "gemm: %s has offset %lld and batch step %lld; they count forwards", name,
                        (long long)x->offset, (long long)x->step);
    if (x->ld < columns)
        return hg_error(HG_E_ARG, "gemm: %s is %lld x %lld in memory, but its leading dimension is %lld", name,
                        (long long)rows, (long long)columns, (long long)x->ld);
    if (!reach(x, rows, columns, p->batch, &elements))
        return hg_error(HG_E_ARG, "gemm: the size of %s overflows 64 bits", name);
    return check_buffer(x->mem, name, elements, p->f64);
}

static hg_status check(hg_device *dev, const hg_gemm_problem *p)
{
    if (p->m < 0 || p->n < 0 || p->k < 0 || p->batch < 0)
        return hg_error(HG_E_ARG, "gemm: negative size in m %lld, n %lld, k %lld, batch %lld", (long long)p->m,
                        (long long)p->n, (long long)p->k, (long long)p->batch);
    int64_t limit = INT_MAX / 2; /* kernels count rows and columns, padded to tiles, in int */
    if (p->m > limit || p->n > limit || p->k > limit || p->batch > limit)
        return hg_error(HG_E_ARG, "gemm: %lld x %lld x %lld, batch %lld: each is at most %lld; split the product",
                        (long long)p->m, (long long)p->n, (long long)p->k, (long long)p->batch, (long long)limit);
    if (p->f64 && !dev->info.fp64)
        return hg_error(HG_E_UNSUPPORTED, "gemm: %s has no double precision (cl_khr_fp64); use f32", dev->info.name);
    if (!p->m || !p->n || !p->batch) return HG_OK;
    HG_TRY(check_matrix(&p->c, "C", p->m, p->n, p));
    if (p->batch > 1 && p->c.step < (p->m - 1) * p->c.ld + p->n)
        return hg_error(HG_E_ARG, "gemm: the matrices of C overlap: %lld x %lld with leading dimension %lld, step %lld",
                        (long long)p->m, (long long)p->n, (long long)p->c.ld, (long long)p->c.step);
    if (p->bias_along != HG_BIAS_NONE)
        HG_TRY(
            check_buffer(p->bias, "the bias", p->bias_offset + (p->bias_along == HG_BIAS_ROWS ? p->m : p->n), p->f64));
    if (!p->k) return HG_OK;
    HG_TRY(check_matrix(&p->a, "A", p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k, p));
    return check_matrix(&p->b, "B", p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n, p);
}

/* On a GPU: CLBlast where it is tuned, or where our tiles cannot. */
static bool by_tiles(const hg_device *dev, const hg_gemm_problem *p)
{
    return hg_gemm_gpu_takes(dev, p) && !hg_gemm_clblast_knows(dev);
}

static hg_status run(hg_device *dev, const hg_gemm_problem *p)
{
    HG_TRY(check(dev, p));
    if (!p->m || !p->n || !p->batch) return HG_OK;
    if (!p->k || p->alpha == 0) return hg_gemm_finish(dev, p, 0, NULL, 0, p->beta);
    if (hg_is_cpu(dev)) return hg_gemm_cpu(dev, p);
    if (by_tiles(dev, p)) return hg_gemm_gpu(dev, p);
    HG_TRY(hg_gemm_clblast(dev, p));
    return hg_gemm_epilogue(p) ? hg_gemm_finish(dev, p, 0, NULL, 0, 1) : HG_OK;
}

hg_status hg_gemm(hg_device *dev, const hg_gemm_problem *p)
{
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status = run(dev, p);
    hg_device_leave(dev, outermost);
    return status;
}

const char *hg_gemm_algorithm(hg_device *dev, const hg_gemm_problem *p)
{
    if (hg_is_cpu(dev)) return hg_gemm_cpu_algorithm(dev, p);
    return by_tiles(dev, p) ? hg_gemm_gpu_algorithm(dev, p) : "clblast";
}
