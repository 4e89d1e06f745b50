/* clFFT behind one mutex: making plans is not safe in several threads (clFFT issues 240, 250), and neither are its
 * setup and teardown. It is set up with the first device that uses it and torn down with the last, before the OpenCL
 * loader goes. Strides and distances are always given: the defaults of real transforms are wrong (issues 105, 180).
 * clFFT knows no offsets: it gets sub-buffers. */
#include "blas/fft.h"

#include <clFFT.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MARGIN = 8 }; /* complex numbers between rows: rows of a power of two would share sets of the caches */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int users; /* devices with a state */

typedef struct plan {
    struct plan *next;
    hg_fft what;
    clfftPlanHandle handle;
    size_t temporary; /* bytes */
} plan;

/* The state of HG_SLOT_FFT. */
typedef struct plans {
    plan *first;
} plans;

int64_t hg_fft_pitch(int64_t batch)
{
    return batch + MARGIN;
}

static hg_status fft_error(clfftStatus code, const char *what)
{
    if (code == CLFFT_SUCCESS) return HG_OK;
    if (code == CLFFT_OUT_OF_HOST_MEMORY || code == CLFFT_MEM_OBJECT_ALLOCATION_FAILURE)
        return hg_error(HG_E_MEMORY, "fft: out of memory in clFFT's %s", what);
    return hg_error(HG_E_UNSUPPORTED, "fft: clFFT's %s failed with %d (%s)", what, (int)code,
                    code < 0 ? hg_cl_name((cl_int)code) : "a code of clFFT");
}

static void *set_up(hg_device *dev)
{
    (void)dev;
    plans *s = calloc(1, sizeof *s);
    if (!s) {
        hg_error(HG_E_MEMORY, "fft: out of host memory");
        return NULL;
    }
    clfftSetupData data;
    clfftInitSetupData(&data);
    if (!users && fft_error(clfftSetup(&data), "Setup") != HG_OK) {
        free(s);
        return NULL;
    }
    users++;
    return s;
}

static void tear_down(void *state)
{
    plans *s = state;
    pthread_mutex_lock(&mutex);
    while (s->first) {
        plan *p = s->first;
        s->first = p->next;
        clfftDestroyPlan(&p->handle);
        free(p);
    }
    if (!--users) clfftTeardown();
    pthread_mutex_unlock(&mutex);
    free(s);
}

static clfftStatus describe(clfftPlanHandle handle, const hg_fft *t)
{
    const size_t length = (size_t)t->length, half = length / 2 + 1, pitch = (size_t)hg_fft_pitch(t->batch);
    size_t array[2] = {1, length}, spectrum[2] = {pitch, half * pitch};
    size_t size = t->rank == 1 ? length : length * length;
    clfftDim dim = t->rank == 1 ? CLFFT_1D : CLFFT_2D;
    clfftStatus code = clfftSetPlanPrecision(handle, CLFFT_SINGLE);
    if (code == CLFFT_SUCCESS) code = clfftSetResultLocation(handle, CLFFT_OUTOFPLACE);
    if (code == CLFFT_SUCCESS) code = clfftSetPlanBatchSize(handle, (size_t)t->batch);
    if (code == CLFFT_SUCCESS)
        code = t->inverse ? clfftSetLayout(handle, CLFFT_HERMITIAN_INTERLEAVED, CLFFT_REAL)
                          : clfftSetLayout(handle, CLFFT_REAL, CLFFT_HERMITIAN_INTERLEAVED);
    if (code == CLFFT_SUCCESS) code = clfftSetPlanInStride(handle, dim, t->inverse ? spectrum : array);
    if (code == CLFFT_SUCCESS) code = clfftSetPlanOutStride(handle, dim, t->inverse ? array : spectrum);
    if (code == CLFFT_SUCCESS) code = clfftSetPlanDistance(handle, t->inverse ? 1 : size, t->inverse ? size : 1);
    return code;
}

/* Makes a plan of `p->what`; the mutex is held. */
static hg_status make(hg_device *dev, plan *p)
{
    const size_t lengths[2] = {(size_t)p->what.length, (size_t)p->what.length};
    HG_TRY(fft_error(
        clfftCreateDefaultPlan(&p->handle, dev->context, p->what.rank == 1 ? CLFFT_1D : CLFFT_2D, lengths), "plan"));
    hg_status status = fft_error(describe(p->handle, &p->what), "plan");
    if (status == HG_OK) status = fft_error(clfftBakePlan(p->handle, 1, &dev->queue, NULL, NULL), "BakePlan");
    if (status == HG_OK) status = fft_error(clfftGetTmpBufSize(p->handle, &p->temporary), "GetTmpBufSize");
    if (status != HG_OK) clfftDestroyPlan(&p->handle);
    return status;
}

/* The plan of `t`, made at its first use; the mutex is held. */
static hg_status find(hg_device *dev, const hg_fft *t, plan **found)
{
    plans *s = hg_device_slot(dev, HG_SLOT_FFT, set_up, tear_down);
    if (!s) return hg_last_status();
    for (plan *p = s->first; p; p = p->next) {
        *found = p;
        if (p->what.rank == t->rank && p->what.length == t->length && p->what.batch == t->batch &&
            p->what.inverse == t->inverse)
            return HG_OK;
    }
    plan *p = calloc(1, sizeof *p);
    if (!p) return hg_error(HG_E_MEMORY, "fft: out of host memory");
    p->what = *t;
    hg_status status = make(dev, p);
    if (status != HG_OK) {
        free(p);
        return status;
    }
    p->next = s->first;
    s->first = p;
    *found = p;
    return HG_OK;
}

static cl_mem part_of(cl_mem mem, int64_t offset, int64_t bytes)
{
    cl_buffer_region region = {(size_t)offset, (size_t)bytes};
    cl_int code;
    cl_mem part = clCreateSubBuffer(mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (code == CL_SUCCESS) return part;
    hg_cl_error(code, "fft: a part of a buffer");
    return NULL;
}

static hg_status transform(hg_device *dev, const hg_fft *t, cl_mem from, cl_mem to)
{
    plan *p = NULL;
    HG_TRY(find(dev, t, &p));
    hg_block *temporary = p->temporary ? hg_pool_take(dev, p->temporary) : NULL;
    if (p->temporary && !temporary) return hg_last_status();
    cl_event event = NULL;
    hg_status status =
        fft_error(clfftEnqueueTransform(p->handle, t->inverse ? CLFFT_BACKWARD : CLFFT_FORWARD, 1, &dev->queue, 0, NULL,
                                        dev->profile.on ? &event : NULL, &from, &to,
                                        temporary ? temporary->mem : NULL),
                  "EnqueueTransform");
    if (event) hg_profile_add(&dev->profile, "clfft", event);
    hg_pool_give(dev, temporary);
    return status;
}

hg_status hg_fft_run(hg_device *dev, const hg_fft *t, cl_mem from, int64_t from_offset, cl_mem to, int64_t to_offset)
{
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    int64_t size = t->rank == 1 ? t->length : (int64_t)t->length * t->length;
    int64_t arrays = 4 * t->batch * size, spectra = 8 * hg_fft_pitch(t->batch) * (size / t->length) * (t->length / 2 + 1);
    cl_mem in = part_of(from, from_offset, t->inverse ? spectra : arrays);
    cl_mem out = in ? part_of(to, to_offset, t->inverse ? arrays : spectra) : NULL;
    hg_status status = in && out ? HG_OK : hg_last_status();
    if (status == HG_OK) {
        pthread_mutex_lock(&mutex);
        status = transform(dev, t, in, out);
        pthread_mutex_unlock(&mutex);
    }
    if (in) clReleaseMemObject(in);
    if (out) clReleaseMemObject(out);
    hg_device_leave(dev, outermost);
    return status;
}
