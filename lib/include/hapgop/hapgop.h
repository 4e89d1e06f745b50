/* hapgop: convolutional networks on any OpenCL device.
 *
 * A first program (link with `pkg-config --cflags --libs hapgop`):
 *
 *   hg_device *dev = hg_device_open(NULL);                        // $HAPGOP_DEVICE, else the best GPU, else a CPU
 *   hg_scope *s = hg_scope_begin(dev);                            // owns every tensor made until its end
 *   hg_tensor *x = hg_randn(dev, HG_SHAPE(8, 3, 32, 32));
 *   hg_tensor *w = hg_randn(dev, HG_SHAPE(16, 3, 3, 3));
 *   hg_tensor *y = hg_relu(hg_conv2d(x, w, NULL, NULL));
 *   if (!hg_ok(y)) fprintf(stderr, "%s\n", hg_last_error());      // one check for the whole chain
 *   hg_scope_end(s);
 *   hg_device_close(dev);
 */
#ifndef HAPGOP_H
#define HAPGOP_H

#include "hapgop/base.h"
#include "hapgop/device.h"
#include "hapgop/tensor.h"
#include "hapgop/autograd.h"
#include "hapgop/conv.h"
#include "hapgop/ops.h"
#include "hapgop/nn.h"
#include "hapgop/optim.h"
#include "hapgop/data.h"
#include "hapgop/image.h"
#include "hapgop/weights.h"

#endif
