// How elements lie in memory: float64, float32, and 16-bit types that are only stored, never
// computed in.
#pragma once

#include <cmath>

#include "vec.h"

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

template <class U, class T>
inline U bits_as(T value) {
  static_assert(sizeof(U) == sizeof(T));
  U out;
  std::memcpy(&out, &value, sizeof(U));
  return out;
}

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
    return static_cast<A>(detail::bits_as<float>(static_cast<uint32_t>(from->bits) << 16));
  else
    return static_cast<A>(*from);
}

template <class A, class S>
inline void store_one(S* to, A value) {
  if constexpr (std::is_same_v<S, Bfloat16>)
    to->bits = static_cast<uint16_t>(
        detail::round_to_bfloat16(detail::bits_as<uint32_t>(static_cast<float>(value))) >> 16);
  else
    *to = static_cast<S>(value);
}

// A vector of neighbours in memory, in the type they are computed in.
template <class S>
inline Vec<Compute<S>> load_vector(const S* from) {
  using A = Compute<S>;
  constexpr int L = kLanes<A>;
  if constexpr (std::is_same_v<S, A>) {
    return load<Vec<A>>(from);
  } else if constexpr (std::is_same_v<S, Bfloat16>) {
    using U32 = typename VectorOf<uint32_t, L>::type;
    const auto half = load<typename VectorOf<uint16_t, L>::type>(from);
    return detail::bits_as<Vec<A>>(__builtin_convertvector(half, U32) << 16);
  } else {
    return __builtin_convertvector(load<typename VectorOf<S, L>::type>(from), Vec<A>);
  }
}

template <class S>
inline auto narrowed(Vec<Compute<S>> value) {
  constexpr int L = kLanes<Compute<S>>;
  if constexpr (std::is_same_v<S, Compute<S>>) {
    return value;
  } else if constexpr (std::is_same_v<S, Bfloat16>) {
    using U32 = typename VectorOf<uint32_t, L>::type;
    const U32 rounded = detail::round_to_bfloat16(detail::bits_as<U32>(value)) >> 16;
    return __builtin_convertvector(rounded, typename VectorOf<uint16_t, L>::type);
  } else {
    return __builtin_convertvector(value, typename VectorOf<S, L>::type);
  }
}

template <class S>
inline void store_vector(S* to, Vec<Compute<S>> value) {
  store(to, narrowed<S>(value));
}

// The first `count` lanes alone, where a row or a group of channels ends within a vector.
template <class S>
inline Vec<Compute<S>> load_some(const S* from, int count) {
  using A = Compute<S>;
  A lanes[kLanes<A>] = {};
  for (int lane = 0; lane < count; ++lane) lanes[lane] = load_one<A>(from + lane);
  return load<Vec<A>>(lanes);
}

template <class S>
inline void store_some(S* to, Vec<Compute<S>> value, int count) {
  for (int lane = 0; lane < count; ++lane) store_one(to + lane, value[lane]);
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
