// Sums over a k x k window: which output pixels a home pixel owns, and rows of output pixels taken
// apart by the home pixels that own them.
//
// Vectors run along the home pixels of a row. Output pixel j of home pixel w, in output row Y, is
// place j of row Y: at a whole ratio every home pixel has the same places, at other ratios some own
// one less than others: those places are padding, computed and discarded.
#pragma once

#include <algorithm>

#include "positions.h"
#include "tiles.h"

namespace dysample {

constexpr int kPlaces = 4;  // places of a home pixel that are computed together

struct Kernel {
  Sizes n;
  int64_t k;

  int64_t r() const { return (k - 1) / 2; }
  int64_t taps() const { return k * k; }
  int64_t channels() const { return n.C / n.G; }
  // Most output columns that one home pixel owns.
  int64_t owned() const { return (n.X + n.W - 1) / n.W; }
};

// Rows [top, bottom) and columns [left, right) of a window of `side` columns.
struct Taps {
  int64_t top, bottom, left, right, side;
};

// Output pixels computed together: `columns` places of each home pixel from place j on, in `rows`
// output rows from Y on.
struct Places {
  int64_t Y, j;
  int rows, columns;

  int count() const { return rows * columns; }
};

// Calls f with the places of home row h, a few at a time.
template <class F>
inline void for_each_places(const Kernel& kernel, int64_t h, F&& f) {
  const Sizes& n = kernel.n;
  const int64_t owned = kernel.owned(), end = first_owned(h + 1, n.H, n.Y);
  const int columns = static_cast<int>(std::min<int64_t>(owned, kPlaces));
  const int rows = kPlaces / columns;
  for (int64_t Y = first_owned(h, n.H, n.Y); Y < end; Y += rows)
    for (int64_t j = 0; j < owned; j += columns)
      f(Places{Y, j, static_cast<int>(std::min<int64_t>(rows, end - Y)),
               static_cast<int>(std::min<int64_t>(columns, owned - j))});
}

// Calls f with a constant of value `count`, 1 .. kPlaces.
template <class F>
inline void with_count(int count, F&& f) {
  switch (count) {
    case 1: return f(std::integral_constant<int, 1>());
    case 2: return f(std::integral_constant<int, 2>());
    case 3: return f(std::integral_constant<int, 3>());
    default: return f(std::integral_constant<int, kPlaces>());
  }
}

// Part of a call that one thread computes: channels [c0, c1) of a group, rows [h0, h1) and columns
// [w0, w1) of the low-res map.
struct Part {
  int64_t b, g, c0, c1, h0, h1, w0, w1;
};

// All parts of a call. Their extents depend on the sizes alone, so that any number of threads
// computes the same. k rows of a part in type A stay in the cache, and its weights below 2 MiB (for
// k below 40, where the least strip has more).
class Parts {
 public:
  template <class A>
  static Parts of(const Kernel& kernel, bool all_channels = false) {
    constexpr int64_t L = kLanes<A>, kNear = int64_t{3} << 18, kMost = int64_t{9} << 18;
    const Sizes& n = kernel.n;
    const int64_t channels = std::max<int64_t>(1, kernel.channels());
    const int64_t k = kernel.k, size = k * sizeof(A);
    const int64_t weights = kernel.taps() * kPlaces * static_cast<int64_t>(sizeof(A));
    const int64_t longest = std::min(int64_t{512}, (int64_t{1} << 21) / weights - k - 2 * L);
    const int64_t near = std::min(longest, kNear / (channels * size) - k);
    const int64_t length = std::max(near, 2 * L) / L * L;
    const int64_t width = std::min(n.W, length) + k + 2 * L;
    const int64_t most = std::max(L, kMost / (width * size) / L * L);
    return Parts(n, length, all_channels ? channels : std::min(channels, most));
  }

  int64_t count() const { return n_.B * n_.G * each_group(); }
  int64_t each_group() const { return blocks_ * strips_ * bands_; }

  Part at(int64_t unit) const {
    const int64_t band = unit % bands_, strip = unit / bands_ % strips_;
    const int64_t block = unit / bands_ / strips_ % blocks_;
    const int64_t image = unit / bands_ / strips_ / blocks_;
    return {image / n_.G,         image % n_.G,
            block * block_,       std::min(n_.C / n_.G, (block + 1) * block_),
            n_.H * band / bands_, n_.H * (band + 1) / bands_,
            strip * length_,      std::min(n_.W, (strip + 1) * length_)};
  }

 private:
  Parts(const Sizes& n, int64_t length, int64_t block)
      : n_(n),
        length_(length),
        strips_((n.W + length - 1) / length),
        block_(block),
        blocks_(std::max<int64_t>(1, (n.C / n.G + block - 1) / block)) {
    const int64_t parts = std::max<int64_t>(n.B * n.G * blocks_ * strips_, 1);
    bands_ = std::clamp<int64_t>(32 / parts, 1, (n.H + 15) / 16);
  }

  Sizes n_;
  int64_t length_, strips_, block_, blocks_, bands_;
};

// Length of a row of `count` elements in scratch memory: room for a vector beyond its end, and an
// odd number of cache lines, since rows a power of two apart would compete for the same ones.
template <class A>
inline int64_t row_stride(int64_t count) {
  constexpr int64_t kLineOf = kLine / sizeof(A);
  return ((count + kLanes<A> + kLineOf - 1) / kLineOf | 1) * kLineOf;
}

// Home columns [from, to) and `halo` more on either side: column s of it is from - halo + s.
class Strip {
 public:
  static size_t scratch(int64_t columns) { return Scratch::size_of<int64_t>(columns + 1); }

  Strip(const Kernel& kernel, int64_t from, int64_t to, int64_t halo, Scratch& scratch)
      : whole_(kernel.n.X % kernel.n.W == 0),
        owned_(kernel.owned()),
        count_(to - from + 2 * halo),
        begin_(std::max<int64_t>(0, halo - from)),
        end_(std::min(count_, kernel.n.W - from + halo)) {
    first_ = scratch.take<int64_t>(count_ + 1);
    for (int64_t s = 0; s <= count_; ++s)
      first_[s] = first_owned(from - halo + s, kernel.n.W, kernel.n.X);
  }

  int64_t count() const { return count_; }
  // Columns [begin, end) lie within the map.
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  // Output column of place j, and whether home column s owns it.
  int64_t column(int64_t s, int64_t j) const { return first_[s] + j; }
  bool owns(int64_t s, int64_t j) const { return first_[s] + j < first_[s + 1]; }
  bool whole() const { return whole_; }
  // Whether `columns` places are all that there are, one after the other.
  bool all(int columns) const { return whole_ && columns == owned_; }

 private:
  bool whole_;
  int64_t owned_, count_, begin_, end_;
  int64_t* first_;
};

namespace detail {

template <int L, int... K>
inline void interleave_two(auto& a, auto& b, std::integer_sequence<int, K...>) {
  const auto low = __builtin_shufflevector(a, b, (K / 2 + K % 2 * L)...);
  const auto high = __builtin_shufflevector(a, b, (L / 2 + K / 2 + K % 2 * L)...);
  a = low, b = high;
}

template <int L, int... K>
inline void deinterleave_two(auto& a, auto& b, std::integer_sequence<int, K...>) {
  const auto even = __builtin_shufflevector(a, b, (2 * K)...);
  const auto odd = __builtin_shufflevector(a, b, (2 * K + 1)...);
  a = even, b = odd;
}

}  // namespace detail

// N vectors, 1, 2 or 4, whose lanes are taken in turns, to the order in which that reads them.
template <class A, int N>
inline void interleave(Vec<A>* v) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes<A>>();
  if constexpr (N == 2) detail::interleave_two<kLanes<A>>(v[0], v[1], kAll);
  if constexpr (N == 4) {
    detail::interleave_two<kLanes<A>>(v[0], v[2], kAll);
    detail::interleave_two<kLanes<A>>(v[1], v[3], kAll);
    detail::interleave_two<kLanes<A>>(v[0], v[1], kAll);
    detail::interleave_two<kLanes<A>>(v[2], v[3], kAll);
  }
}

template <class A, int N>
inline void deinterleave(Vec<A>* v) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes<A>>();
  if constexpr (N == 2) detail::deinterleave_two<kLanes<A>>(v[0], v[1], kAll);
  if constexpr (N == 4) {
    detail::deinterleave_two<kLanes<A>>(v[0], v[1], kAll);
    detail::deinterleave_two<kLanes<A>>(v[2], v[3], kAll);
    detail::deinterleave_two<kLanes<A>>(v[0], v[2], kAll);
    detail::deinterleave_two<kLanes<A>>(v[1], v[3], kAll);
  }
}

// Calls f with a constant of value N where that many places can be taken in turns as vectors.
template <class F>
inline bool with_turns(const Strip& strip, int columns, F&& f) {
  if (!strip.all(columns)) return false;
  switch (columns) {
    case 1: f(std::integral_constant<int, 1>()); return true;
    case 2: f(std::integral_constant<int, 2>()); return true;
    case 4: f(std::integral_constant<int, 4>()); return true;
    default: return false;
  }
}

// Starts to fetch a row that is read soon. Rows of different channels lie too far apart for the
// processor to foresee them.
template <class S>
inline void fetch(const S* row, int64_t count) {
  for (int64_t i = 0; i < count; i += kLine / static_cast<int64_t>(sizeof(S)))
    __builtin_prefetch(row + i, 0, 2);
}

// A row of output pixels by place: to[p * stride + s] is place j + p of home column s of the strip,
// and 0 where that column does not own one.
template <class S>
[[gnu::noinline]] void split_places(const S* row, const Strip& strip, int64_t j, int columns,
                                    Compute<S>* to, int64_t stride) {
  using A = Compute<S>;
  constexpr int L = kLanes<A>;
  const int64_t begin = strip.begin(), end = strip.end();
  const bool done = with_turns(strip, columns, [&](auto turns) {
    constexpr int N = turns;
    const S* from = row + strip.column(begin, 0);
    for (int64_t s = begin; s < end; s += L, from += N * L) {
      Vec<A> v[N];
#pragma GCC unroll 4
      for (int q = 0; q < N; ++q) {
        const int64_t left = (end - s) * N - q * L;
        v[q] = left >= L ? load_vector(from + q * L)
                         : load_some(from + q * L, static_cast<int>(std::max<int64_t>(left, 0)));
      }
      deinterleave<A, N>(v);
#pragma GCC unroll 4
      for (int p = 0; p < N; ++p) store(to + p * stride + s, v[p]);
    }
  });
  for (int p = 0; p < columns; ++p) {
    A* line = to + p * stride;
    std::fill(line, line + begin, A(0));
    if (!done)
      for (int64_t s = begin; s < end; ++s)
        line[s] = strip.owns(s, j + p) ? load_one<A>(row + strip.column(s, j + p)) : A(0);
    std::fill(line + end, line + stride, A(0));
  }
}

// The other way round, for home columns [begin, end) of the strip; from[p * stride] is the first.
template <class S>
[[gnu::noinline]] void join_places(const Compute<S>* from, int64_t stride, const Strip& strip,
                                   int64_t begin, int64_t end, int64_t j, int columns, S* row,
                                   bool stream) {
  using A = Compute<S>;
  constexpr int L = kLanes<A>;
  const bool done = with_turns(strip, columns, [&](auto turns) {
    constexpr int N = turns;
    S* to = row + strip.column(begin, 0);
    for (int64_t s = begin; s < end; s += L, to += N * L) {
      Vec<A> v[N];
#pragma GCC unroll 4
      for (int p = 0; p < N; ++p) v[p] = load<Vec<A>>(from + p * stride + s - begin);
      interleave<A, N>(v);
#pragma GCC unroll 4
      for (int q = 0; q < N; ++q) {
        const int64_t left = (end - s) * N - q * L;
        if (left >= L && stream)
          store_past_caches(to + q * L, narrowed<S>(v[q]));
        else if (left >= L)
          store_vector(to + q * L, v[q]);
        else if (left > 0)
          store_some(to + q * L, v[q], static_cast<int>(left));
      }
    }
  });
  if (done) return;
  for (int p = 0; p < columns; ++p)
    for (int64_t s = begin; s < end; ++s)
      if (strip.owns(s, j + p))
        store_one(row + strip.column(s, j + p), from[p * stride + s - begin]);
}

}  // namespace dysample
