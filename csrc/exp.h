// The exponential of a vector.
#pragma once

#include <cmath>

#include "vec.h"

namespace dysample {

// exp(x) within about 1 ulp, subnormal results, infinities and NaN included.
template <class A>
inline Vec<A> exp(Vec<A> x) {
  if constexpr (std::is_same_v<A, float>) {
    // Beyond these bounds the result is 0 or infinite; a NaN passes the first as -104.
    Vec<A> bounded = x > -104.0f ? x : broadcast<A>(-104.0f);
    bounded = bounded < 89.0f ? bounded : broadcast<A>(89.0f);
    // exp(x) = 2^n exp(rest), |rest| <= ln(2) / 2. The first part of ln(2) has so few digits that
    // its product with n is exact.
    const Ints<A> n = floor_to_int<A>(bounded * 1.44269504f + 0.5f);
    const Vec<A> whole = __builtin_convertvector(n, Vec<A>);
    const Vec<A> rest = (bounded - whole * 0x1.62e4p-1f) - whole * 0x1.7f7d1cp-20f;
    // Taylor's series to degree 7: the next term is below a tenth of an ulp.
    Vec<A> sum = rest * (1.0f / 5040) + 1.0f / 720;
    sum = sum * rest + 1.0f / 120;
    sum = sum * rest + 1.0f / 24;
    sum = sum * rest + 1.0f / 6;
    sum = sum * rest + 0.5f;
    sum = sum * rest * rest + rest + 1.0f;
    // In two steps: 2^n itself may be too small or too large for a float.
    const Ints<A> half = n >> 1;
    const Ints<A> first = (half + 127) << 23, second = (n - half + 127) << 23;
    Vec<A> scale_first, scale_second;
    std::memcpy(&scale_first, &first, sizeof(first));
    std::memcpy(&scale_second, &second, sizeof(second));
    const Vec<A> result = sum * scale_first * scale_second;
    return x == x ? result : x;
  } else {
    for (int lane = 0; lane < kLanes<A>; ++lane) x[lane] = std::exp(x[lane]);
    return x;
  }
}

}  // namespace dysample
