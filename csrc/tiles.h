// Features of some channels with the channels innermost: pixels are then read and written as whole
// vectors, wherever they lie. For maps stored channel by channel (NCHW).
#pragma once

#include <algorithm>

#include "parallel.h"
#include "storage.h"

namespace dysample {

// Ring of rows of a map, `chunks` blocks of kLanes channels each, with one pixel and one row of
// zeros beyond the map's end. Rows enter in order, the oldest leave; which ones are inside changes
// nothing but the speed, since readers must take others from the map itself.
template <class A>
class Ring {
 public:
  static constexpr int L = kLanes<A>;

  static int64_t elements(int chunks, int rows, int64_t W) {
    return chunks * (rows + 1) * (W + 1) * L;
  }

  // Rows that a ring of about `bytes` holds, a power of two that need not exceed the map's height.
  static int rows_within(size_t bytes, int chunks, int64_t W, int64_t H) {
    int rows = 8;
    while (rows < H && elements(chunks, 2 * rows, W) * sizeof(A) <= bytes) rows *= 2;
    return rows;
  }

  Ring(A* memory, int chunks, int rows, int64_t W) : start_(memory), rows_(rows), W_(W) {
    for (int k = 0; k < chunks; ++k) {
      std::fill_n(chunk(k) + zeros(), row_stride(), A(0));
      for (int row = 0; row < rows; ++row)
        std::fill_n(chunk(k) + row * row_stride() + W * L, L, A(0));
    }
  }

  // Before sums are gathered in it.
  void clear(int chunks) { std::fill_n(start_, chunks * chunk_stride(), A(0)); }

  int rows() const { return rows_; }
  int64_t row_stride() const { return (W_ + 1) * L; }
  int64_t chunk_stride() const { return (rows_ + 1) * row_stride(); }
  A* chunk(int chunk) { return start_ + chunk * chunk_stride(); }
  // Within a chunk: row h of the map, and the row of zeros.
  int64_t row(int64_t h) const { return (h & (rows_ - 1)) * row_stride(); }
  int64_t zeros() const { return rows_ * row_stride(); }

 private:
  A* start_;
  int rows_;
  int64_t W_;
};

// One row (channels, W) of a map with that distance between channels, transposed to (W, kLanes).
// The next row, which lies behind it, is asked for: the walk along a row is too short for the
// processor to foresee its end, and the next channel is pages away. Lanes without a channel are
// zero.
template <class S>
inline void read_row(const S* row, int64_t channel_stride, int channels, int64_t W,
                     Compute<S>* pixels) {
  using A = Compute<S>;
  constexpr int L = kLanes<A>;
  for (int64_t w = 0; w < W; w += L) {
    const int some = static_cast<int>(std::min<int64_t>(L, W - w));
    Vec<A> square[L];
    if (channels == L && some == L) {
#pragma GCC unroll 16
      for (int c = 0; c < L; ++c) {
        square[c] = load_vector(row + c * channel_stride + w);
        __builtin_prefetch(row + c * channel_stride + w + W, 0, 2);
      }
    } else {
#pragma GCC unroll 16
      for (int c = 0; c < L; ++c)
        square[c] = c < channels ? load_some(row + c * channel_stride + w, some) : Vec<A>{};
    }
    transpose<A>(square);
#pragma GCC unroll 16
    for (int p = 0; p < L; ++p)
      if (p < some) store(pixels + (w + p) * L, square[p]);
  }
}

// Adds (W, kLanes) to one row of a map.
template <class A>
inline void add_row(const A* pixels, int channels, int64_t W, A* row, int64_t channel_stride) {
  constexpr int L = kLanes<A>;
  for (int64_t w = 0; w < W; w += L) {
    const int some = static_cast<int>(std::min<int64_t>(L, W - w));
    Vec<A> square[L];
#pragma GCC unroll 16
    for (int p = 0; p < L; ++p)
      square[p] = p < some ? load<Vec<A>>(pixels + (w + p) * L) : Vec<A>{};
    transpose<A>(square);
#pragma GCC unroll 16
    for (int c = 0; c < L; ++c) {
      A* to = row + c * channel_stride + w;
      if (some == L && c < channels)
        store(to, load<Vec<A>>(to) + square[c]);
      else if (c < channels)
        store_some(to, load_some(to, some) + square[c], some);
    }
  }
}

// Blocks of pixels that fill one cache line of a row of the storage type.
template <class S>
constexpr int kBlocks = kLine / static_cast<int>(sizeof(S)) / kLanes<Compute<S>>;

// Writes kBlocks squares of kLanes pixels, channels in the lanes, to one line of each channel's
// row; `count` pixels of them lie within the row.
template <class S>
inline void write_line(Vec<Compute<S>> (*squares)[kLanes<Compute<S>>], S* row,
                       int64_t channel_stride, int channels, int64_t count, bool stream) {
  using A = Compute<S>;
  constexpr int L = kLanes<A>;
#pragma GCC unroll 4
  for (int b = 0; b < kBlocks<S>; ++b) transpose<A>(squares[b]);
#pragma GCC unroll 16
  for (int c = 0; c < L; ++c) {
    if (c == channels) return;
    S* to = row + c * channel_stride;
#pragma GCC unroll 4
    for (int b = 0; b < kBlocks<S>; ++b) {
      const int64_t some = count - b * L;
      if (some >= L && stream)
        store_past_caches(to + b * L, narrowed<S>(squares[b][c]));
      else if (some >= L)
        store_vector(to + b * L, squares[b][c]);
      else if (some > 0)
        store_some(to + b * L, squares[b][c], static_cast<int>(some));
    }
  }
}

// One row of one channel in the type that is computed in. The next row, which lies behind it, is
// asked for, as in `read_row`.
template <class S>
inline void read_as(const S* row, int64_t count, Compute<S>* to) {
  constexpr int L = kLanes<Compute<S>>;
  int64_t X = 0;
  for (; X + L <= count; X += L) {
    __builtin_prefetch(row + count + X, 0, 2);
    store(to + X, load_vector(row + X));
  }
  for (; X < count; ++X) to[X] = load_one<Compute<S>>(row + X);
}

// kLanes pixels of each channel's row the other way round; pixels beyond `count` are zero.
template <class S>
inline void read_line(const S* row, int64_t channel_stride, int channels, int64_t count,
                      Vec<Compute<S>>* square) {
  using A = Compute<S>;
  constexpr int L = kLanes<A>;
#pragma GCC unroll 16
  for (int c = 0; c < L; ++c) {
    const S* from = row + c * channel_stride;
    square[c] = c >= channels ? Vec<A>{}
                : count >= L  ? load_vector(from)
                              : load_some(from, static_cast<int>(count));
  }
  transpose<A>(square);
}

}  // namespace dysample
