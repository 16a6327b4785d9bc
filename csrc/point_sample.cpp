// Bilinear samples at regular positions moved by an offset: see `point_sample` in
// src/dysample/functional.py. Forward pass.

#include <algorithm>
#include <vector>

#include "corners.h"
#include "dysample.h"

namespace dysample {
namespace {

constexpr int kRows = 4;  // output rows at a time, so that a tile's rows stay near

constexpr int64_t kAhead = 4;  // prefetch distance, in low-res pixels

// Shares are numbers or vectors; corners: above left, above right, below left, below right.
template <class A, class Share>
inline Vec<A> blend(const Vec<A>* corner, Share right, Share down) {
  const Share left = 1 - right, up = 1 - down;
  return corner[0] * (left * up) + corner[1] * (right * up) + corner[2] * (left * down) +
         corner[3] * (right * down);
}

template <class S>
struct Forward {
  using A = Compute<S>;
  using I = Word<A>;
  using Row = typename Positions<A>::Row;
  static constexpr int L = kLanes<A>;
  static constexpr int kPixels = kBlocks<S> * L;  // of a line

  Sizes n;
  Field field;
  const S* x;
  Offsets<A> offsets;
  S* out;
  bool from_centre, stream;

  int64_t channels() const { return n.C / n.G; }

  // One group of one image, output rows [from, to), channels stored one after the other.
  void planar(int64_t b, int64_t g, int64_t from, int64_t to) const {
    const int64_t W = n.W, H = n.H;
    const int all = static_cast<int>((channels() + L - 1) / L);
    const int chunks = std::min(all, kChunks);
    const int ring_rows = Ring<A>::rows_within(kRingBytes, chunks, W, H);
    Scratch scratch;
    scratch.reserve(Positions<A>::scratch(n, kRows) + kRows * Corners<A>::scratch(n.X) +
                    Scratch::size_of<A>(Ring<A>::elements(chunks, ring_rows, W)));
    Positions<A> positions(n, field, from_centre, kRows, kPixels, scratch);
    A* memory = scratch.take<A>(Ring<A>::elements(chunks, ring_rows, W));
    std::vector<Corners<A>> corners;
    for (int r = 0; r < kRows; ++r) corners.emplace_back(n.X, scratch);
    for (int first = 0; first < all; first += chunks) {
      const int some = std::min(chunks, all - first);
      const int64_t channel = g * channels() + first * L;
      const int64_t left = (g + 1) * channels() - channel;
      const S* features = x + (b * n.C + channel) * H * W;
      S* result = out + (b * n.C + channel) * n.Y * n.X;
      Ring<A> ring(memory, some, ring_rows, W);
      int64_t filled = -1, begin = 0;
      for (int64_t Y0 = from; Y0 < to; Y0 += kRows) {
        const int rows = static_cast<int>(std::min<int64_t>(kRows, to - Y0));
        I top = static_cast<I>(H), bottom = 0;
        for (int r = 0; r < rows; ++r) {
          positions.compute(r, Y0 + r, offsets, b, g);
          top = std::min(top, positions.row(r).top);
          bottom = std::max(bottom, positions.row(r).bottom);
        }
        const int64_t home = nearest_index(Y0, H, n.Y);
        if (filled < 0) begin = filled = std::max<int64_t>({0, top, home - ring_rows / 2});
        const int64_t wanted = std::min<int64_t>({H, bottom + 2, home + ring_rows / 2});
        for (; filled < wanted; ++filled)
          for (int k = 0; k < some; ++k)
            read_row(features + k * L * H * W + filled * W, H * W, width(left, k), W,
                     ring.chunk(k) + ring.row(filled));
        const int64_t oldest = std::max(begin, filled - ring_rows);
        for (int r = 0; r < rows; ++r)
          corners[r].locate(positions.row(r), ring, oldest, filled, positions.padded_width(), H);
        for (int k = 0; k < some; ++k)
          for (int r = 0; r < rows; ++r) {
            S* row = result + k * L * n.Y * n.X + (Y0 + r) * n.X;
            sample_row(ring.chunk(k), positions, corners[r], row, width(left, k));
            sample_far(features + k * L * H * W, positions, r, corners[r], row, width(left, k));
          }
      }
    }
    if (stream) finish_streaming();
  }

  // One image, output rows [from, to), channels innermost. Groups of a pixel follow each other, so
  // that memory is walked through in order.
  void interleaved(int64_t b, int64_t from, int64_t to) const {
    Scratch scratch;
    constexpr int kMost = Positions<A>::kMaxRows;
    scratch.reserve(Positions<A>::scratch(n, kMost) + Scratch::size_of<S>(channels() + L));
    Positions<A> positions(n, field, from_centre, kMost, 1, scratch);
    S* zeros = scratch.take<S>(channels() + L);
    std::memset(static_cast<void*>(zeros), 0, (channels() + L) * sizeof(S));
    for (int64_t Y = from; Y < to; ++Y)
      for (int64_t g0 = 0; g0 < n.G; g0 += kMost) {
        const int some = static_cast<int>(std::min<int64_t>(kMost, n.G - g0));
        for (int g = 0; g < some; ++g) positions.compute(g, Y, offsets, b, g0 + g);
        const S* features = x + b * n.H * n.W * n.C + g0 * channels();
        S* row = out + (b * n.Y + Y) * n.X * n.C + g0 * channels();
        for (int64_t X = 0; X < n.X; ++X)
          for (int g = 0; g < some; ++g) {
            const Row& at = positions.row(g);
            const S* here = features + (at.y[X] * n.W + at.x[X]) * n.C + g * channels();
            const bool right = at.x[X] + 1 < n.W, down = at.y[X] + 1 < n.H;
            const S* corners[4] = {here, right ? here + n.C : zeros,
                                   down ? here + n.W * n.C : zeros,
                                   right && down ? here + (n.W + 1) * n.C : zeros};
            sample_pixel(corners, at.right[X], at.down[X], row + X * n.C + g * channels());
          }
      }
    if (stream) finish_streaming();
  }

 private:
  int width(int64_t channels_left, int chunk) const {
    return static_cast<int>(std::min<int64_t>(L, channels_left - chunk * L));
  }

  void sample_row(const A* tile, const Positions<A>& positions, const Corners<A>& corners, S* row,
                  int channels) const {
    for (int64_t place = 0; place < n.X; place += kPixels) {
      const int64_t X = positions.pixel(place);
      const typename Corners<A>::Block* blocks = corners.blocks + place / L;
      Vec<A> squares[kBlocks<S>][L];
#pragma GCC unroll 4
      for (int k = 0; k < kBlocks<S>; ++k)
#pragma GCC unroll 16
        for (int p = 0; p < L; ++p) {
          const auto& at = blocks[k];
          const A *above = tile + at.above[p], *below = tile + at.below[p];
          squares[k][p] =
              load<Vec<A>>(above) * at.weight[0][p] + load<Vec<A>>(above + L) * at.weight[1][p] +
              load<Vec<A>>(below) * at.weight[2][p] + load<Vec<A>>(below + L) * at.weight[3][p];
        }
      write_line(squares, row + X, n.Y * n.X, channels, n.X - X, stream && X == place);
    }
  }

  // Samples further from their pixel than the ring reaches, straight from the map.
  void sample_far(const S* features, const Positions<A>& positions, int slot,
                  const Corners<A>& corners, S* row, int channels) const {
    const Row& at = positions.row(slot);
    for (int64_t i = 0; i < corners.count; ++i) {
      const int64_t place = corners.far[i], X = positions.pixel(place);
      const int64_t x = at.x[place], y = at.y[place];
      const bool right = x + 1 < n.W, down = y + 1 < n.H;
      for (int c = 0; c < channels; ++c) {
        const S* a = features + (c * n.H + y) * n.W + x;
        const Vec<A> corner[4] = {broadcast(load_one<A>(a)),
                                  broadcast(right ? load_one<A>(a + 1) : A(0)),
                                  broadcast(down ? load_one<A>(a + n.W) : A(0)),
                                  broadcast(right && down ? load_one<A>(a + n.W + 1) : A(0))};
        const Vec<A> out = blend<A>(corner, at.right[place], at.down[place]);
        store_one(row + c * n.Y * n.X + X, out[0]);
      }
    }
  }

  void sample_pixel(const S* const* at, A right, A down, S* to) const {
    const int64_t count = channels();
    int64_t k = 0;
    for (; k + L <= count; k += L) {
      const Vec<A> corner[4] = {load_vector(at[0] + k), load_vector(at[1] + k),
                                load_vector(at[2] + k), load_vector(at[3] + k)};
      const Vec<A> value = blend<A>(corner, right, down);
      __builtin_prefetch(at[2] + kAhead * n.C + k);
      if (stream)
        store_past_caches(to + k, narrowed<S>(value));
      else
        store_vector(to + k, value);
    }
    if (k < count) {
      const int some = static_cast<int>(count - k);
      const Vec<A> corner[4] = {load_some(at[0] + k, some), load_some(at[1] + k, some),
                                load_some(at[2] + k, some), load_some(at[3] + k, some)};
      store_some(to + k, blend<A>(corner, right, down), some);
    }
  }
};

template <class S>
int run(Forward<S> call, bool channels_last, int threads) {
  const Sizes& n = call.n;
  const int64_t bytes = n.B * n.C * n.Y * n.X * sizeof(S);
  call.stream = bytes > kStreamedBytes && reinterpret_cast<uintptr_t>(call.out) % kLine == 0 &&
                (channels_last ? n.C / n.G : n.X) * sizeof(S) % kLine == 0;
  if (bytes > 4 * kStreamedBytes) ask_for_huge_pages(call.out, bytes);
  // Bands of rows depend on the sizes alone, so that any number of threads gives the same bits.
  const int64_t parts = channels_last ? n.B : n.B * n.G;
  const int64_t bands = std::clamp<int64_t>(32 / std::max<int64_t>(parts, 1), 1, (n.Y + 63) / 64);
  return for_each_unit(parts * bands, threads, [&](int64_t unit) {
    const int64_t part = unit / bands, band = unit % bands;
    const int64_t from = n.Y * band / bands, to = n.Y * (band + 1) / bands;
    if (channels_last)
      call.interleaved(part, from, to);
    else
      call.planar(part / n.G, part % n.G, from, to);
  });
}

}  // namespace
}  // namespace dysample

using namespace dysample;

DYSAMPLE_API int dysample_point_sample(const void* x, int x_dtype, const void* offset,
                                       int offset_dtype, void* out, const int64_t* sizes,
                                       const int64_t* field, int channels_last, int from_centre,
                                       int threads) {
  return with_storage(x_dtype, [&](auto* of) {
    using S = std::remove_pointer_t<decltype(of)>;
    return with_offsets<Compute<S>>(offset_dtype, offset, [&](auto offsets) {
      const Forward<S> call{sizes_from(sizes),
                            field_from(field),
                            static_cast<const S*>(x),
                            offsets,
                            static_cast<S*>(out),
                            from_centre != 0,
                            false};
      return run(call, channels_last != 0, threads);
    });
  });
}
