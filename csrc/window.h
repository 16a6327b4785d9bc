// Samples of kLanes neighbouring output pixels that all lie within a small window of the map: three
// rows of kLanes pixels. Each channel is then read as whole vectors and permuted within registers,
// without transposing it first or the result afterwards. Needs permutations of two registers, and
// pays where they cost no more than a load: AVX-512.
#pragma once

#include "positions.h"

namespace dysample {

#if defined(__AVX512F__)

constexpr bool kHasWindows = true;

template <class A>
struct Window {
  static constexpr int L = kLanes<A>;
  using Mask = std::conditional_t<sizeof(A) == 4, __mmask16, __mmask8>;

  int64_t first, second, third;  // elements of a plane where the rows start
  Ints<A> left, right;           // places of the corners in two rows, one behind the other
  Mask has_right, has_down;      // lanes whose neighbours lie on the map
  Vec<A> to_right, to_down;      // shares, as in Positions

  // Whether the pixels at places [place, place + kLanes) of a row fit, and if so their window.
  bool fit(const typename Positions<A>::Row& at, int64_t place, int64_t H, int64_t W) {
    if (W < L) return false;
    const Ints<A> x = load<Ints<A>>(at.x + place), y = load<Ints<A>>(at.y + place);
    const int64_t from_x = least(x), to_x = -least(-x), from_y = least(y), to_y = -least(-y);
    const int64_t start = std::min(from_x, W - L);
    if (to_y - from_y > 1 || std::min(to_x + 1, W - 1) - start >= L) return false;
    first = from_y * W + start;
    second = std::min(from_y + 1, H - 1) * W + start;
    third = std::min(from_y + 2, H - 1) * W + start;
    left = (y - static_cast<Word<A>>(from_y)) * L + (x - static_cast<Word<A>>(start));
    right = left + 1;
    has_right = lanes(x + 1 < static_cast<Word<A>>(W));
    has_down = lanes(y + 1 < static_cast<Word<A>>(H));
    to_right = load<Vec<A>>(at.right + place);
    to_down = load<Vec<A>>(at.down + place);
    return true;
  }

  // The corners above left, above right, below left and below right of one channel's plane; those
  // off the map are 0.
  void corners(const A* plane, Vec<A>* corner) const {
    const auto top = load<Vec<A>>(plane + first), middle = load<Vec<A>>(plane + second),
               bottom = load<Vec<A>>(plane + third);
    corner[0] = pick(static_cast<Mask>(~0u), top, left, middle);
    corner[1] = pick(has_right, top, right, middle);
    corner[2] = pick(has_down, middle, left, bottom);
    corner[3] = pick(has_right & has_down, middle, right, bottom);
  }

 private:
  static Vec<A> pick(Mask mask, Vec<A> low, Ints<A> at, Vec<A> high) {
    const auto places = bits_as<__m512i>(at);
    if constexpr (sizeof(A) == 4)
      return bits_as<Vec<A>>(_mm512_maskz_permutex2var_ps(
          mask, bits_as<__m512>(low), places, bits_as<__m512>(high)));
    else
      return bits_as<Vec<A>>(_mm512_maskz_permutex2var_pd(
          mask, bits_as<__m512d>(low), places, bits_as<__m512d>(high)));
  }

  static int64_t least(Ints<A> of) {
    return least_of<L / 2>(of, std::make_integer_sequence<int, L>());
  }

  // The least of each lane and the one D behind it, again and again, until any has the least of all.
  template <int D, int... K>
  static int64_t least_of(Ints<A> of, std::integer_sequence<int, K...> lanes) {
    if constexpr (D == 0) {
      return of[0];
    } else {
      const Ints<A> other = __builtin_shufflevector(of, of, ((K + D) % L)...);
      return least_of<D / 2>(other < of ? other : of, lanes);
    }
  }

  static Mask lanes(Ints<A> truth) {
    if constexpr (sizeof(A) == 4)
      return _mm512_movepi32_mask(bits_as<__m512i>(truth));
    else
      return _mm512_movepi64_mask(bits_as<__m512i>(truth));
  }
};

#else

constexpr bool kHasWindows = false;

#endif

}  // namespace dysample
