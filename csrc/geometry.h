// Where output pixels lie on the low-resolution map; see src/dysample/geometry.py.
#pragma once

#include <cstdint>

namespace dysample {

// Low-res pixel that holds the centre of output pixel Y: floor((Y + 1/2) * in / out).
inline int64_t nearest_index(int64_t Y, int64_t in, int64_t out) {
  return (2 * Y + 1) * in / (2 * out);
}

// Rest of the regular position beyond that pixel's centre, in [-1/2, 1/2).
template <class A>
inline A rest_of_position(int64_t Y, int64_t in, int64_t out) {
  const int64_t whole = nearest_index(Y, in, out);
  return static_cast<A>((2 * Y + 1) * in - (2 * whole + 1) * out) / static_cast<A>(2 * out);
}

// Output pixels whose centre low-res pixel h holds: [first_owned(h), first_owned(h + 1)).
inline int64_t first_owned(int64_t h, int64_t in, int64_t out) {
  if (h <= 0) return 0;
  if (h >= in) return out;
  // The least Y with (2 Y + 1) * in >= 2 h * out.
  return (2 * h * out - in + 2 * in - 1) / (2 * in);
}

// A field of sub-pixels, as a 1x1 convolution leaves it: (B, planes * s * s, H, W), channel
// (plane * s + i) * s + j for sub-pixel (row i, column j); s = 1 is a plain field. It is read at
// the nearest of its sub-pixels for each of (out_height, out_width) output pixels.
struct Field {
  int64_t batch_stride, channel_stride, row_stride, column_stride;
  int64_t height, width, scale;

  int64_t plane_stride() const { return scale * scale * channel_stride; }
  // Element of output row Y within its plane, and what column X adds to it.
  int64_t row(int64_t Y, int64_t out_height) const {
    const int64_t fine = nearest_index(Y, scale * height, out_height);
    return fine % scale * scale * channel_stride + fine / scale * row_stride;
  }
  int64_t column(int64_t X, int64_t out_width) const {
    const int64_t fine = nearest_index(X, scale * width, out_width);
    return fine % scale * channel_stride + fine / scale * column_stride;
  }
};

}  // namespace dysample
