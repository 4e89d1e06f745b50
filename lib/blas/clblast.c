/* Products on GPU-class devices: CLBlast behind one mutex, since its caches are filled without one that holds: two
 * threads that build the same kernel at once get "object already in cache" (CLBlast issue 486). */
#include <clblast_c.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include "blas/gemm.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    int code;
    const char *name;
} own_codes[] = {
    {-1024, "NotImplemented"},       {-1022, "InvalidMatrixA"},           {-1021, "InvalidMatrixB"},
    {-1020, "InvalidMatrixC"},       {-1017, "InvalidDimension"},         {-1016, "InvalidLeadDimA"},
    {-1015, "InvalidLeadDimB"},      {-1014, "InvalidLeadDimC"},          {-1011, "InsufficientMemoryA"},
    {-1010, "InsufficientMemoryB"},  {-1009, "InsufficientMemoryC"},      {-2050, "InsufficientMemoryTemp"},
    {-2049, "InvalidBatchCount"},    {-2048, "InvalidOverrideKernel"},    {-2047, "MissingOverrideParameter"},
    {-2046, "InvalidLocalMemUsage"}, {-2045, "NoHalfPrecision"},          {-2044, "NoDoublePrecision"},
    {-2043, "InvalidVectorScalar"},  {-2042, "InsufficientMemoryScalar"}, {-2041, "DatabaseError"},
    {-2040, "UnknownError"},         {-2039, "UnexpectedError"},
};

static hg_status clblast_error(CLBlastStatusCode code, const char *what)
{
    if (code == CLBlastSuccess) return HG_OK;
    for (size_t i = 0; i < sizeof own_codes / sizeof *own_codes; i++)
        if (own_codes[i].code == (int)code)
            return hg_error(HG_E_DRIVER, "gemm: CLBlast's %s failed with CLBlast%s (%d)", what, own_codes[i].name,
                            (int)code);
    char text[64];
    snprintf(text, sizeof text, "gemm: CLBlast's %s", what);
    return hg_cl_error((cl_int)code, text);
}

/* A kernel without sub-group tricks, good on most GPUs, for devices whose own entry is wrong. */
static CLBlastStatusCode override_parameters(cl_device_id id)
{
    const char *names[] = {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB",
                           "NDIMC", "NWG",  "SA",  "SB",  "STRM",  "STRN",  "VWM", "VWN"};
    const size_t values[] = {0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 1, 1, 0, 0, 4, 4};
    return CLBlastOverrideParameters(id, "Xgemm", CLBlastPrecisionSingle, sizeof names / sizeof *names, names, values);
}

static void *prepare(hg_device *dev)
{
    if (dev->quirks & HG_QUIRK_CLBLAST_INTEL_GEMMK1)
        if (clblast_error(override_parameters(dev->id), "OverrideParameters") != HG_OK) return NULL;
    return dev;
}

/* CLBlast's programs hold on to the context. */
static void forget(void *state)
{
    (void)state;
    pthread_mutex_lock(&mutex);
    CLBlastClearCache();
    pthread_mutex_unlock(&mutex);
}

static CLBlastStatusCode gemm(hg_device *dev, const hg_gemm_problem *p, cl_event *event)
{
    CLBlastTranspose ta = p->trans_a ? CLBlastTransposeYes : CLBlastTransposeNo;
    CLBlastTranspose tb = p->trans_b ? CLBlastTransposeYes : CLBlastTransposeNo;
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
    size_t ao = (size_t)p->a.offset, bo = (size_t)p->b.offset, co = (size_t)p->c.offset;
    size_t lda = (size_t)p->a.ld, ldb = (size_t)p->b.ld, ldc = (size_t)p->c.ld;
    if (p->f64)
        return CLBlastDgemm(CLBlastLayoutRowMajor, ta, tb, m, n, k, p->alpha, p->a.mem, ao, lda, p->b.mem, bo, ldb,
                            p->beta, p->c.mem, co, ldc, &dev->queue, event);
    return CLBlastSgemm(CLBlastLayoutRowMajor, ta, tb, m, n, k, (float)p->alpha, p->a.mem, ao, lda, p->b.mem, bo, ldb,
                        (float)p->beta, p->c.mem, co, ldc, &dev->queue, event);
}

static CLBlastStatusCode gemm_batch(hg_device *dev, const hg_gemm_problem *p, cl_event *event)
{
    CLBlastTranspose ta = p->trans_a ? CLBlastTransposeYes : CLBlastTransposeNo;
    CLBlastTranspose tb = p->trans_b ? CLBlastTransposeYes : CLBlastTransposeNo;
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k, batch = (size_t)p->batch;
    size_t ao = (size_t)p->a.offset, bo = (size_t)p->b.offset, co = (size_t)p->c.offset;
    size_t lda = (size_t)p->a.ld, ldb = (size_t)p->b.ld, ldc = (size_t)p->c.ld;
    size_t as = (size_t)p->a.step, bs = (size_t)p->b.step, cs = (size_t)p->c.step;
    if (p->f64)
        return CLBlastDgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, m, n, k, p->alpha, p->a.mem, ao, lda, as,
                                          p->b.mem, bo, ldb, bs, p->beta, p->c.mem, co, ldc, cs, batch, &dev->queue,
                                          event);
    return CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, m, n, k, (float)p->alpha, p->a.mem, ao, lda, as,
                                      p->b.mem, bo, ldb, bs, (float)p->beta, p->c.mem, co, ldc, cs, batch, &dev->queue,
                                      event);
}

/* One product, or the batch at once. */
static hg_status call(hg_device *dev, const hg_gemm_problem *p)
{
    cl_event event = NULL, *wanted = dev->profile.on ? &event : NULL;
    CLBlastStatusCode code = p->batch > 1 ? gemm_batch(dev, p, wanted) : gemm(dev, p, wanted);
    if (event) hg_profile_add(&dev->profile, "clblast gemm", event);
    return clblast_error(code, p->batch > 1 ? "GemmStridedBatched" : "Gemm");
}

/* Its kernels count elements of a matrix and offsets in int. */
static bool fits_int(const hg_matrix *x, int64_t rows, int64_t batch)
{
    return x->offset + rows * x->ld + batch * x->step <= INT_MAX;
}

hg_status hg_gemm_clblast(hg_device *dev, const hg_gemm_problem *p)
{
    if (!fits_int(&p->a, p->trans_a ? p->k : p->m, p->batch) || !fits_int(&p->b, p->trans_b ? p->n : p->k, p->batch) ||
        !fits_int(&p->c, p->m, p->batch))
        return hg_error(HG_E_UNSUPPORTED, "gemm: a matrix reaches beyond 2^31 elements of its buffer, which CLBlast "
                                          "cannot address; use a smaller batch");
    pthread_mutex_lock(&mutex);
    hg_status status = hg_device_slot(dev, HG_SLOT_BLAS, prepare, forget) ? HG_OK : hg_last_status();
    if (status == HG_OK && p->batch > 1 && p->a.step && p->b.step) {
        status = call(dev, p);
    } else {
        hg_gemm_problem q = *p; /* its batches need a step each */
        q.batch = 1;
        for (int64_t z = 0; z < p->batch && status == HG_OK; z++) {
            q.a.offset = p->a.offset + z * p->a.step;
            q.b.offset = p->b.offset + z * p->b.step;
            q.c.offset = p->c.offset + z * p->c.step;
            status = call(dev, &q);
        }
    }
    pthread_mutex_unlock(&mutex);
    return status;
}
