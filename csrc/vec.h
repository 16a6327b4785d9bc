// Vectors of the widest register that the instruction set has, by the compiler's own extensions:
// one source for SSE2, AVX2, AVX-512 and NEON. A is the type that is computed in, float or double.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace dysample {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class A>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(A));

template <class T, int L>
struct VectorOf {
  typedef T type __attribute__((vector_size(L * sizeof(T))));
};
template <class A>
using Vec = typename VectorOf<A, kLanes<A>>::type;
// Integers as wide as A: what comparisons of Vec<A> give.
template <class A>
using Word = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;
template <class A>
using Ints = typename VectorOf<Word<A>, kLanes<A>>::type;

template <class V, class T>
inline V load(const T* from) {
  V out;
  std::memcpy(&out, from, sizeof(V));
  return out;
}

template <class V, class T>
inline void store(T* to, V value) {
  std::memcpy(to, &value, sizeof(V));
}

template <class U, class T>
inline U bits_as(T value) {
  static_assert(sizeof(U) == sizeof(T));
  U out;
  std::memcpy(&out, &value, sizeof(U));
  return out;
}

template <class A>
inline Vec<A> broadcast(A value) {
  return value - Vec<A>{};
}

// Largest whole number not above x, for |x| far below 2^31. A comparison is -1 where it holds.
template <class A>
inline Ints<A> floor_to_int(Vec<A> x) {
  const Ints<A> cut = __builtin_convertvector(x, Ints<A>);
  return cut + (__builtin_convertvector(cut, Vec<A>) > x);
}

template <class A>
inline A sum_of_lanes(Vec<A> value) {
  A total = 0;
  for (int lane = 0; lane < kLanes<A>; ++lane) total += value[lane];
  return total;
}

namespace detail {

// Lane k of the two halves of one exchange step of a transposition, at distance D.
template <int L, int D, int... K>
inline void exchange(auto& a, auto& b, std::integer_sequence<int, K...>) {
  const auto low = __builtin_shufflevector(a, b, ((K & D) == 0 ? K : L + K - D)...);
  const auto high = __builtin_shufflevector(a, b, ((K & D) == 0 ? K + D : L + K)...);
  a = low;
  b = high;
}

template <int L, int D, class V>
inline void transpose_step(V* rows) {
  if constexpr (D > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i)
      if ((i & D) == 0) exchange<L, D>(rows[i], rows[i + D], std::make_integer_sequence<int, L>());
    transpose_step<L, D / 2>(rows);
  }
}

}  // namespace detail

// Square of kLanes vectors, in registers: lane j of vector i becomes lane i of vector j.
template <class A>
inline void transpose(Vec<A>* rows) {
  detail::transpose_step<kLanes<A>, kLanes<A> / 2>(rows);
}

}  // namespace dysample
