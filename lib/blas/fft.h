/* Fourier transforms of many small real arrays at once. */
#ifndef HG_BLAS_FFT_H
#define HG_BLAS_FFT_H

#include "cl/device.h"

/* Bytes that the places of arrays and spectra in their buffers are multiples of. */
enum { HG_FFT_ALIGN = 4096 };

/* A batch of `batch` arrays of length (x length) floats, one behind another, and their spectra: frequency by frequency,
 * each a row of hg_fft_pitch(batch) complex numbers (real and imaginary part), array after array. Of the last dimension
 * length / 2 + 1 frequencies are kept, the others are their conjugates. */
typedef struct hg_fft {
    int32_t rank, length; /* 1 or 2; a product of 2, 3, 5, 7 */
    int64_t batch;
    bool inverse; /* from spectra to arrays, divided by their size; the spectra may be overwritten */
} hg_fft;

int64_t hg_fft_pitch(int64_t batch);

/* Queues the transform from `from` to `to`; offsets in bytes. The plan is made at its first use, which takes seconds,
 * and kept with the device.
 * Errors: HG_E_UNSUPPORTED if clFFT or the device cannot do it; HG_E_MEMORY, HG_E_DRIVER. */
hg_status hg_fft_run(hg_device *dev, const hg_fft *t, cl_mem from, int64_t from_offset, cl_mem to, int64_t to_offset);

#endif
