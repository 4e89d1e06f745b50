/* Batches of images as the loader brings them to the device: y[n][c][h][w] = table[c][x[n][h][w'][c]], where w' is w,
 * or W - 1 - w if the byte behind the image says that left and right change places.
 * CPU: a work-item takes rows of y; GPU: elements. No local memory, some 20 registers. */
#include "common.clh"

__kernel void image_batch(long images, long channels, long height, long width, __global const float *restrict table,
                          long to, __global const uchar *restrict x, long xo, __global float *restrict y, long yo)
{
    const INDEX C = (INDEX)channels, H = (INDEX)height, W = (INDEX)width, bytes = H * W * C + 1;
    table += to;
    x += xo;
    y += yo;
#if HG_CPU
    HG_FOR(row, images * channels * height)
    {
        INDEX n = row / (C * H), c = row / H % C, h = row % H;
        __global const uchar *image = x + n * bytes;
        int flip = image[bytes - 1];
        __global const uchar *from = image + (h * W + (flip ? W - 1 : 0)) * C + c;
        INDEX step = flip ? -C : C;
        __global const float *value = table + c * 256;
        __global float *to_row = y + row * W;
        for (INDEX w = 0; w < W; w++) to_row[w] = value[from[w * step]];
    }
#else
    HG_FOR(i, images * channels * height * width)
    {
        INDEX row = i / W, w = i - row * W, n = row / (C * H), c = row / H % C, h = row % H;
        __global const uchar *image = x + n * bytes;
        if (image[bytes - 1]) w = W - 1 - w;
        y[i] = table[c * 256 + image[(h * W + w) * C + c]];
    }
#endif
}
