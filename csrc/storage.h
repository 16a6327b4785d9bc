// How elements lie in memory: float64, float32, and 16-bit types that are only stored, never
// computed in.
#pragma once

#include <cmath>

#include "part.h"

namespace dysample {

// Numbers of the dtypes in the plain C interface.
enum Dtype : int { kFloat32 = 0, kFloat64 = 1, kBfloat16 = 2, kFloat16 = 3 };

struct Bfloat16 {
  uint16_t bits;
};
using Float16 = _Float16;

// What elements of a storage type are computed in.
template <class S>
using Compute = std::conditional_t<std::is_same_v<S, double>, double, float>;

namespace detail {

// The upper half of each word, rounded to nearest, ties to even; NaN stays NaN. Works on one word
// and on vectors of them.
template <class U>
inline U round_to_bfloat16(U word) {
  const U rounded = word + 0x7fff + ((word >> 16) & 1);
  if constexpr (std::is_same_v<U, uint32_t>)
    return (word & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : rounded;
  else
    return (word & 0x7fffffff) > 0x7f800000 ? (U{} + 0x7fc00000) : rounded;
}

}  // namespace detail

template <class A, class S>
inline A load_one(const S* from) {
  if constexpr (std::is_same_v<S, Bfloat16>)
    return static_cast<A>(bits_as<float>(static_cast<uint32_t>(from->bits) << 16));
  else
    return static_cast<A>(*from);
}

template <class A, class S>
inline void store_one(S* to, A value) {
  if constexpr (std::is_same_v<S, Bfloat16>)
    to->bits = static_cast<uint16_t>(
        detail::round_to_bfloat16(bits_as<uint32_t>(static_cast<float>(value))) >> 16);
  else
    *to = static_cast<S>(value);
}

// Elements as they are stored, as many as a vector of what they are computed in has lanes.
template <class S>
using Stored = typename VectorOf<std::conditional_t<std::is_same_v<S, Bfloat16>, uint16_t, S>,
                                 kLanes<Compute<S>>>::type;

template <class S>
inline Vec<Compute<S>> widened(Stored<S> value) {
  using A = Compute<S>;
  if constexpr (std::is_same_v<S, A>) {
    return value;
  } else if constexpr (std::is_same_v<S, Bfloat16>) {
    using U32 = typename VectorOf<uint32_t, kLanes<A>>::type;
    return bits_as<Vec<A>>(__builtin_convertvector(value, U32) << 16);
  } else {
    return __builtin_convertvector(value, Vec<A>);
  }
}

template <class S>
inline Stored<S> narrowed(Vec<Compute<S>> value) {
  if constexpr (std::is_same_v<S, Compute<S>>) {
    return value;
  } else if constexpr (std::is_same_v<S, Bfloat16>) {
    using U32 = typename VectorOf<uint32_t, kLanes<float>>::type;
    const U32 rounded = detail::round_to_bfloat16(bits_as<U32>(value)) >> 16;
    return __builtin_convertvector(rounded, Stored<S>);
  } else {
    return __builtin_convertvector(value, Stored<S>);
  }
}

// A vector of neighbours in memory, in the type they are computed in.
template <class S>
inline Vec<Compute<S>> load_vector(const S* from) {
  return widened<S>(load<Stored<S>>(from));
}

template <class S>
inline void store_vector(S* to, Vec<Compute<S>> value) {
  store(to, narrowed<S>(value));
}

// The first `count` lanes alone; the others are loaded as 0.
template <class S>
inline Vec<Compute<S>> load_some(const S* from, int count) {
  return widened<S>(load_part<Stored<S>>(from, count * static_cast<int>(sizeof(S))));
}

template <class S>
inline void store_some(S* to, Vec<Compute<S>> value, int count) {
  store_part(to, narrowed<S>(value), count * static_cast<int>(sizeof(S)));
}

// Calls f with a null pointer to the storage type that a number of the interface stands for.
template <class F>
inline int with_storage(int dtype, F&& f) {
  switch (dtype) {
    case kFloat32: return f(static_cast<float*>(nullptr));
    case kFloat64: return f(static_cast<double*>(nullptr));
    case kBfloat16: return f(static_cast<Bfloat16*>(nullptr));
    case kFloat16: return f(static_cast<Float16*>(nullptr));
    default: return 2;
  }
}

}  // namespace dysample
