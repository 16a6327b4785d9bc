// Bilinear samples at regular positions moved by an offset: gradients to the features and to the
// offset. Work is split by image and group, where no two units touch the same element: sums run in
// one order, whatever the number of threads.

#include <algorithm>

#include "corners.h"
#include "dysample.h"

namespace dysample {
namespace {

// Gradient of one pixel's position: a sum over the channels, which are the lanes of a vector.
template <class A>
struct Slope {
  Vec<A> x = {}, y = {};

  // Adds what a block of channels says, whose result has the gradient `high`.
  void add(Vec<A> high, Vec<A> a, Vec<A> b, Vec<A> c, Vec<A> d, A right, A down) {
    const Vec<A> along = b - a, below = c - a, twist = (d - c) - along;
    x += high * (along + twist * down);
    y += high * (below + twist * right);
  }
};

// Sums of the lanes of kLanes vectors.
template <class A>
inline Vec<A> totals(Vec<A>* of) {
  transpose<A>(of);
  Vec<A> total = of[0];
#pragma GCC unroll 16
  for (int lane = 1; lane < kLanes<A>; ++lane) total += of[lane];
  return total;
}

constexpr int kAhead = 8;  // prefetch distance, in output pixels

template <class S>
struct Backward {
  using A = Compute<S>;
  using Row = typename Positions<A>::Row;
  static constexpr int L = kLanes<A>;

  Sizes n;
  Field field;
  const S* x;
  Offsets<A> offsets;
  const S* high;  // gradient of the result
  A* to_x;        // zeroed, or null where it is not asked for
  A* to_offset;   // likewise, with the layout of the field
  bool from_centre;

  int64_t channels() const { return n.C / n.G; }

  // One group of one image, channels stored one after the other.
  template <bool kToX, bool kToOffset>
  void planar(int64_t b, int64_t g) const {
    const int64_t W = n.W, H = n.H, plane = H * W, high_plane = n.Y * n.X;
    const int all = static_cast<int>((channels() + L - 1) / L);
    const int chunks = std::min(all, kChunks);
    const int ring_rows = Ring<A>::rows_within(kRingBytes, chunks, W, H);
    const size_t ring_size = Ring<A>::elements(chunks, ring_rows, W);
    // Not a power of two: rows of different channels must not compete for the same cache lines.
    const int64_t high_stride = Positions<A>::padded(n.X) + kLine / sizeof(A);
    Scratch scratch;
    scratch.reserve(Positions<A>::scratch(n, 1) + Corners<A>::scratch(n.X) +
                    2 * Scratch::size_of<A>(ring_size) +
                    2 * Scratch::size_of<A>(Positions<A>::padded(n.X)) +
                    Scratch::size_of<A>(chunks * L * high_stride));
    Positions<A> positions(n, field, from_centre, 1, 1, scratch);
    Corners<A> corners(n.X, scratch);
    A* memory = scratch.take<A>(ring_size);
    A* to_memory = scratch.take<A>(ring_size);
    A* slope_x = scratch.take<A>(positions.padded_width());
    A* slope_y = scratch.take<A>(positions.padded_width());
    A* high_rows = scratch.take<A>(chunks * L * high_stride);
    for (int first = 0; first < all; first += chunks) {
      const int some = std::min(chunks, all - first);
      const int64_t channel = g * channels() + first * L;
      const int64_t left = (g + 1) * channels() - channel;
      const auto width = [&](int k) {
        return static_cast<int>(std::min<int64_t>(L, left - k * L));
      };
      Ring<A> ring(memory, some, ring_rows, W);
      Ring<A> to_ring(to_memory, some, ring_rows, W);
      if constexpr (kToX) to_ring.clear(some);
      const S* features = x + (b * n.C + channel) * plane;
      A* to_features = kToX ? to_x + (b * n.C + channel) * plane : nullptr;
      const S* result = high + (b * n.C + channel) * high_plane;
      const auto flush = [&](int64_t h) {
        for (int k = 0; k < some; ++k) {
          A* row = to_ring.chunk(k) + to_ring.row(h);
          add_row(row, width(k), W, to_features + k * L * plane + h * W, plane);
          std::fill(row, row + to_ring.row_stride(), A(0));
        }
      };
      int64_t filled = -1, begin = 0;
      for (int64_t Y = 0; Y < n.Y; ++Y) {
        positions.compute(0, Y, offsets, b, g);
        const Row& at = positions.row(0);
        const int64_t home = nearest_index(Y, H, n.Y);
        if (filled < 0) begin = filled = std::max<int64_t>({0, at.top, home - ring_rows / 2});
        const int64_t wanted = std::min<int64_t>({H, at.bottom + 2, home + ring_rows / 2});
        for (; filled < wanted; ++filled) {
          if (kToX && filled - ring_rows >= begin) flush(filled - ring_rows);
          for (int k = 0; k < some; ++k)
            read_row(features + k * L * plane + filled * W, plane, width(k), W,
                     ring.chunk(k) + ring.row(filled));
        }
        corners.locate(at, ring, std::max(begin, filled - ring_rows), filled, n.X, H);
        // Channel by channel: lines of one row follow each other, those of channels lie far apart.
        for (int64_t c = 0; c < std::min<int64_t>(left, some * L); ++c)
          read_as(result + c * high_plane + Y * n.X, n.X, high_rows + c * high_stride);
        for (int64_t X = 0; X < n.X; X += L) {
          Vec<A> squares[kChunks][L], slopes_x[L], slopes_y[L];
          for (int k = 0; k < some; ++k)
            read_line(high_rows + k * L * high_stride + X, high_stride, width(k), n.X - X,
                      squares[k]);
          const typename Corners<A>::Block& block = corners.blocks[X / L];
          for (int p = 0; p < L; ++p) {
            const A right = at.right[X + p], down = at.down[X + p];
            const A *above = ring.chunk(0) + block.above[p],
                    *below = ring.chunk(0) + block.below[p];
            A *to_above = to_ring.chunk(0) + block.above[p],
              *to_below = to_ring.chunk(0) + block.below[p];
            Slope<A> slope;
            for (int k = 0; k < some; ++k) {
              const int64_t at_chunk = k * ring.chunk_stride();
              if constexpr (kToOffset)
                slope.add(squares[k][p], load<Vec<A>>(above + at_chunk),
                          load<Vec<A>>(above + at_chunk + L), load<Vec<A>>(below + at_chunk),
                          load<Vec<A>>(below + at_chunk + L), right, down);
              if constexpr (kToX)
                scatter(squares[k][p], to_above + at_chunk, to_above + at_chunk + L,
                        to_below + at_chunk, to_below + at_chunk + L, right, down);
            }
            slopes_x[p] = slope.x, slopes_y[p] = slope.y;
          }
          if constexpr (kToOffset) {
            store(slope_x + X, totals<A>(slopes_x));
            store(slope_y + X, totals<A>(slopes_y));
          }
        }
        for (int64_t i = 0; i < corners.count; ++i)
          far<kToX, kToOffset>(features, to_features, result + Y * n.X, corners.far[i], left, some,
                               at, slope_x, slope_y);
        if constexpr (kToOffset) add_slopes(b, g, Y, positions, slope_x, slope_y);
      }
      if constexpr (kToX)
        for (int64_t h = std::max(begin, filled - ring_rows); h < filled; ++h) flush(h);
    }
  }

  // One group of one image, channels innermost.
  template <bool kToX, bool kToOffset>
  void interleaved(int64_t b, int64_t g) const {
    const int64_t count = channels(), pixel = n.C, row = n.W * n.C;
    Scratch scratch;
    scratch.reserve(Positions<A>::scratch(n, 1) +
                    2 * Scratch::size_of<A>(Positions<A>::padded(n.X)) +
                    Scratch::size_of<S>(count + L) + Scratch::size_of<A>(count + L));
    Positions<A> positions(n, field, from_centre, 1, 1, scratch);
    A* slope_x = scratch.take<A>(positions.padded_width());
    A* slope_y = scratch.take<A>(positions.padded_width());
    S* zeros = scratch.take<S>(count + L);
    A* nowhere = scratch.take<A>(count + L);
    std::memset(static_cast<void*>(zeros), 0, (count + L) * sizeof(S));
    std::fill(nowhere, nowhere + count + L, A(0));
    const Row& at = positions.row(0);
    const int64_t image = b * n.H * row + g * count;
    for (int64_t Y = 0; Y < n.Y; ++Y) {
      positions.compute(0, Y, offsets, b, g);
      const S* result = high + (b * n.Y + Y) * n.X * n.C + g * count;
      for (int64_t X0 = 0; X0 < n.X; X0 += L) {
        Vec<A> slopes_x[L] = {}, slopes_y[L] = {};
        const int some = static_cast<int>(std::min<int64_t>(L, n.X - X0));
        for (int p = 0; p < some; ++p) {
          const int64_t X = X0 + p, start = image + at.y[X] * row + at.x[X] * pixel;
          const bool right = at.x[X] + 1 < n.W, down = at.y[X] + 1 < n.H, both = right && down;
          const S *a = x + start, *b_ = right ? a + pixel : zeros, *c = down ? a + row : zeros,
                  *d = both ? a + row + pixel : zeros;
          A *to_a = kToX ? to_x + start : nowhere, *to_b = kToX && right ? to_a + pixel : nowhere,
            *to_c = kToX && down ? to_a + row : nowhere,
            *to_d = kToX && both ? to_a + row + pixel : nowhere;
          const S* from = result + X * n.C;
          Slope<A> slope;
          int64_t k = 0;
          for (; k + L <= count; k += L) {
            const Vec<A> value = load_vector(from + k);
            // A group's channels are pieces of a pixel: the processor does not foresee the next.
            __builtin_prefetch(from + kAhead * n.C + k);
            __builtin_prefetch(c + kAhead / 2 * n.C + k);
            if constexpr (kToX) __builtin_prefetch(to_c + kAhead / 2 * n.C + k, 1);
            if constexpr (kToOffset)
              slope.add(value, load_vector(a + k), load_vector(b_ + k), load_vector(c + k),
                        load_vector(d + k), at.right[X], at.down[X]);
            if constexpr (kToX)
              scatter(value, to_a + k, to_b + k, to_c + k, to_d + k, at.right[X], at.down[X]);
          }
          if (k < count) {
            const int rest = static_cast<int>(count - k);
            const Vec<A> value = load_some(from + k, rest);
            if constexpr (kToOffset)
              slope.add(value, load_some(a + k, rest), load_some(b_ + k, rest),
                        load_some(c + k, rest), load_some(d + k, rest), at.right[X], at.down[X]);
            if constexpr (kToX)
              scatter_some(value, rest, to_a + k, to_b + k, to_c + k, to_d + k, at.right[X],
                           at.down[X]);
          }
          slopes_x[p] = slope.x, slopes_y[p] = slope.y;
        }
        if constexpr (kToOffset) {
          store(slope_x + X0, totals<A>(slopes_x));
          store(slope_y + X0, totals<A>(slopes_y));
        }
      }
      if constexpr (kToOffset) add_slopes(b, g, Y, positions, slope_x, slope_y);
    }
  }

 private:
  // Adds a result's gradient to its four corners; V is one value or a vector of channels.
  template <class V>
  static void scatter(V value, A* a, A* b, A* c, A* d, A right, A down) {
    const A left = 1 - right, up = 1 - down;
    store(a, load<V>(a) + value * (left * up));
    store(b, load<V>(b) + value * (right * up));
    store(c, load<V>(c) + value * (left * down));
    store(d, load<V>(d) + value * (right * down));
  }

  // The first channels of a vector alone.
  static void scatter_some(Vec<A> value, int count, A* a, A* b, A* c, A* d, A right, A down) {
    const A left = 1 - right, up = 1 - down;
    store_some(a, load_some(a, count) + value * (left * up), count);
    store_some(b, load_some(b, count) + value * (right * up), count);
    store_some(c, load_some(c, count) + value * (left * down), count);
    store_some(d, load_some(d, count) + value * (right * down), count);
  }

  // A pixel whose rows are not in the ring, straight from and to the maps.
  template <bool kToX, bool kToOffset>
  void far(const S* features, A* to_features, const S* result, int64_t X, int64_t left, int chunks,
           const Row& at, A* slope_x, A* slope_y) const {
    const int64_t px = at.x[X], py = at.y[X], plane = n.H * n.W, start = py * n.W + px;
    const bool right = px + 1 < n.W, down = py + 1 < n.H, both = right && down;
    A total_x = 0, total_y = 0;
    for (int64_t c = 0; c < std::min<int64_t>(left, chunks * L); ++c) {
      const A value = load_one<A>(result + c * n.Y * n.X + X);
      const S* at_a = features + c * plane + start;
      if constexpr (kToOffset) {
        const A v00 = load_one<A>(at_a), v01 = right ? load_one<A>(at_a + 1) : A(0),
                v10 = down ? load_one<A>(at_a + n.W) : A(0),
                v11 = both ? load_one<A>(at_a + n.W + 1) : A(0);
        total_x += value * ((v01 - v00) * (1 - at.down[X]) + (v11 - v10) * at.down[X]);
        total_y += value * ((v10 - v00) * (1 - at.right[X]) + (v11 - v01) * at.right[X]);
      }
      if constexpr (kToX) {
        A* to_a = to_features + c * plane + start;
        A nowhere = 0;
        scatter(value, to_a, right ? to_a + 1 : &nowhere, down ? to_a + n.W : &nowhere,
                both ? to_a + n.W + 1 : &nowhere, at.right[X], at.down[X]);
      }
    }
    if constexpr (kToOffset) slope_x[X] = total_x, slope_y[X] = total_y;
  }

  // Several output pixels may read the same element of the field.
  void add_slopes(int64_t b, int64_t g, int64_t Y, const Positions<A>& positions, const A* slope_x,
                  const A* slope_y) const {
    const Row& at = positions.row(0);
    A* along_x = to_offset + b * field.batch_stride + g * field.plane_stride() + field.row(Y, n.Y);
    A* along_y = along_x + n.G * field.plane_stride();
    for (int64_t X = 0; X < n.X; ++X) {
      // A condition, not a product: clamped positions ignore even an infinite slope.
      if (at.live_x[X] != 0) along_x[positions.columns()[X]] += slope_x[X];
      if (at.live_y[X] != 0) along_y[positions.columns()[X]] += slope_y[X];
    }
  }
};

template <class S>
int run(const Backward<S>& call, bool channels_last, int threads) {
  return for_each_unit(call.n.B * call.n.G, threads, [&](int64_t unit) {
    const int64_t b = unit / call.n.G, g = unit % call.n.G;
    const auto part = [&]<bool kToX, bool kToOffset>() {
      if (channels_last)
        call.template interleaved<kToX, kToOffset>(b, g);
      else
        call.template planar<kToX, kToOffset>(b, g);
    };
    if (call.to_x != nullptr && call.to_offset != nullptr)
      part.template operator()<true, true>();
    else if (call.to_x != nullptr)
      part.template operator()<true, false>();
    else if (call.to_offset != nullptr)
      part.template operator()<false, true>();
  });
}

}  // namespace
}  // namespace dysample

using namespace dysample;

DYSAMPLE_API int dysample_point_sample_backward(const void* x, const void* high, int x_dtype,
                                                const void* offset, int offset_dtype, void* to_x,
                                                void* to_offset, const int64_t* sizes,
                                                const int64_t* field, int channels_last,
                                                int from_centre, int threads) {
  return with_storage(x_dtype, [&](auto* of) {
    using S = std::remove_pointer_t<decltype(of)>;
    using A = Compute<S>;
    return with_offsets<A>(offset_dtype, offset, [&](auto offsets) {
      const Backward<S> call{sizes_from(sizes),           field_from(field),
                             static_cast<const S*>(x),    offsets,
                             static_cast<const S*>(high), static_cast<A*>(to_x),
                             static_cast<A*>(to_offset),  from_centre != 0};
      return run(call, channels_last != 0, threads);
    });
  });
}
