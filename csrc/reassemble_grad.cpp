// Weighted sums over the output pixels around each low-res pixel: the gradient of `reassemble` to
// the features, and of `affinity` to the key. Work is split by low-res pixels, which different
// threads never share: sums run in one order, whatever the number of threads.

#include "dysample.h"
#include "weights.h"

namespace dysample {
namespace {

constexpr bool kManyRegisters = kVectorBytes == 64;
constexpr int kSums = kManyRegisters ? 4 : 2;  // vectors of features that stay in registers

// Adds to D rows of targets, for one vector of low-res pixels and kSums channels, what the output
// pixels of one home row give them. Those of P places lie in rows that start k / 2 home pixels
// before the targets; `weights` is the first tap's row likewise.
template <class A, int D>
[[gnu::noinline]] void gather_taps(const A* values, int64_t value_stride, const A* weights,
                                   int64_t weight_stride, int64_t k, int P, A* const* targets,
                                   int64_t apart) {
  Vec<A> sums[D][kSums] = {};
  for (int64_t column = 0; column < k; ++column) {
    const A* from = values + (k - 1 - column);
    const A* tap = weights + column * P * weight_stride + (k - 1 - column);
    for (int p = 0; p < P; ++p, from += value_stride, tap += weight_stride) {
      Vec<A> value[kSums];
#pragma GCC unroll 4
      for (int c = 0; c < kSums; ++c) value[c] = load<Vec<A>>(from + c * P * value_stride);
#pragma GCC unroll 5
      for (int d = 0; d < D; ++d) {
        const Vec<A> weight = load<Vec<A>>(tap + d * k * P * weight_stride);
#pragma GCC unroll 4
        for (int c = 0; c < kSums; ++c) sums[d][c] += weight * value[c];
      }
    }
  }
#pragma GCC unroll 5
  for (int d = 0; d < D; ++d)
#pragma GCC unroll 4
    for (int c = 0; c < kSums; ++c) {
      A* to = targets[d] + c * apart;
      store(to, load<Vec<A>>(to) + sums[d][c]);
    }
}

// Adds N vectors of channels of one home pixel's P output pixels to the low-res pixels around it.
template <class A, int P, int N>
[[gnu::noinline]] void spread_taps(const A* values, int64_t value_stride, const A* weights,
                                   int64_t weight_stride, const Taps& taps, A* const* rows,
                                   int64_t step) {
  constexpr int L = kLanes<A>;
  Vec<A> value[N][P];
#pragma GCC unroll 4
  for (int v = 0; v < N; ++v)
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) value[v][p] = load<Vec<A>>(values + p * value_stride + v * L);
  for (int64_t row = taps.top; row < taps.bottom; ++row) {
    A* to = rows[row] + taps.left * step;
    const A* tap = weights + (row * taps.side + taps.left) * P * weight_stride;
    for (int64_t column = taps.left; column < taps.right; ++column, to += step) {
      Vec<A> sums[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) sums[v] = load<Vec<A>>(to + v * L);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p, tap += weight_stride) {
        const Vec<A> weight = broadcast<A>(*tap);
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) sums[v] += weight * value[v][p];
      }
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) store(to + v * L, sums[v]);
    }
  }
}

template <class S>
struct Backward {
  using A = Compute<S>;
  static constexpr int L = kLanes<A>;

  Kernel kernel;
  Field field;
  const S* high;
  Source<A> source;
  A* to_x;
  bool softmax;

  // Channels stored one by one.
  void planar(const Part& part) const {
    const Sizes& n = kernel.n;
    const int64_t k = kernel.k, r = kernel.r(), columns = part.w1 - part.w0;
    const int64_t count = part.c1 - part.c0, stride = row_stride<A>(columns);
    const int64_t apart = (k + 1) * stride, ring_size = (count + kSums) * apart;
    const int64_t value_stride = row_stride<A>(columns + L + 2 * r);
    Scratch scratch;
    scratch.reserve(Strip::scratch(columns + 2 * r) + Weights<A>::scratch(kernel, columns + 2 * r) +
                    Scratch::size_of<A>(ring_size) + Scratch::size_of<A*>(k) +
                    Scratch::size_of<A>(kSums * kPlaces * value_stride));
    const Strip strip(kernel, part.w0, part.w1, r, scratch);
    Weights<A> weights(kernel, field, source, softmax, strip, scratch);
    A* ring = scratch.take<A>(ring_size);
    A** rows = scratch.take<A*>(k);
    A* values = scratch.take<A>(kSums * kPlaces * value_stride);
    std::fill(ring, ring + ring_size, A(0));
    std::fill(values, values + kSums * kPlaces * value_stride, A(0));
    const int64_t channel = part.b * n.C + part.g * kernel.channels() + part.c0;
    const S* from = high + channel * n.Y * n.X;
    const int64_t first_column = strip.column(strip.begin(), 0);
    const int64_t last_column = strip.column(strip.end(), 0);
    const auto flush = [&](int64_t row) {
      for (int64_t c = 0; c < count; ++c)
        add_and_clear(ring + c * apart + row % k * stride, columns,
                      to_x + ((channel + c) * n.H + row) * n.W + part.w0);
    };
    int64_t done = part.h0;
    const int64_t last = std::min(n.H, part.h1 + r);
    for (int64_t h = std::max<int64_t>(0, part.h0 - r); h < last; ++h) {
      for_each_places(kernel, h, [&](const Places& places) {
        weights.stage(part.b, part.g, places);
        const int P = places.count();
        for (int64_t c = 0; c < count; c += kSums) {
          for (int v = 0; v < std::min<int64_t>(kSums, count - c); ++v)
            for (int i = 0; i < places.rows; ++i) {
              const S* row = from + ((c + v) * n.Y + places.Y + i) * n.X;
              if (c + v + kSums < count)
                fetch(row + kSums * n.Y * n.X + first_column, last_column - first_column);
              split_places(row, strip, places.j, places.columns,
                           values + (v * P + i * places.columns) * value_stride, value_stride);
            }
          for (int64_t w = 0; w < columns; w += L) {
            for (int64_t t = 0; t < k; ++t) {
              const int64_t row = h + t - r;  // rows of other parts go to one that nobody reads
              const int64_t slot = row < part.h0 || row >= part.h1 ? k : row % k;
              rows[t] = ring + c * apart + slot * stride + w;
            }
            for (int64_t t = 0; t < k;) {
              const A* first = weights.data() + t * k * P * weights.stride() + w;
              const auto gather = [&](auto some) {
                gather_taps<A, some>(values + w, value_stride, first, weights.stride(), k, P,
                                     rows + t, apart);
                t += some;
              };
              if (k - t >= 5)
                gather(std::integral_constant<int, 5>());
              else if (k - t >= 3)
                gather(std::integral_constant<int, 3>());
              else
                gather(std::integral_constant<int, 1>());
            }
          }
        }
      });
      for (; done < std::min(part.h1, h == last - 1 ? part.h1 : h - r + 1); ++done) flush(done);
    }
  }

  // Channels innermost.
  void interleaved(const Part& part) const {
    const Sizes& n = kernel.n;
    const int64_t k = kernel.k, r = kernel.r(), columns = part.w1 - part.w0;
    const int64_t count = part.c1 - part.c0, channel = part.g * kernel.channels() + part.c0;
    // Whole vectors are added to the map itself.
    const bool in_place = count % L == 0;
    const int64_t value_stride = row_stride<A>(count), pixel = in_place ? n.C : value_stride;
    const int64_t ring_size = in_place ? 0 : k * columns * pixel;
    Scratch scratch;
    scratch.reserve(Strip::scratch(columns + 2 * r) + Weights<A>::scratch(kernel, columns + 2 * r) +
                    Scratch::size_of<A>(ring_size) + 2 * Scratch::size_of<A*>(k) +
                    Scratch::size_of<A>(kPlaces * value_stride));
    const Strip strip(kernel, part.w0, part.w1, r, scratch);
    Weights<A> weights(kernel, field, source, softmax, strip, scratch);
    A* ring = scratch.take<A>(ring_size);
    A** rows = scratch.take<A*>(k);
    A** near = scratch.take<A*>(k);
    A* values = scratch.take<A>(kPlaces * value_stride);
    std::fill(ring, ring + ring_size, A(0));
    std::fill(values, values + kPlaces * value_stride, A(0));
    const auto target = [&](int64_t row) {
      return to_x + ((part.b * n.H + row) * n.W + part.w0) * n.C + channel;
    };
    const auto flush = [&](int64_t row) {
      for (int64_t w = 0; w < columns; ++w)
        add_and_clear(ring + (row % k * columns + w) * pixel, count, target(row) + w * n.C);
    };
    int64_t done = part.h0;
    const int64_t last = std::min(n.H, part.h1 + r);
    for (int64_t h = std::max<int64_t>(0, part.h0 - r); h < last; ++h) {
      const int64_t top = std::max<int64_t>(0, part.h0 - h + r);
      const int64_t bottom = std::min(k, part.h1 - h + r);
      for (int64_t t = top; t < bottom; ++t) {
        const int64_t row = h + t - r;
        rows[t] = in_place ? target(row) : ring + row % k * columns * pixel;
      }
      for_each_places(kernel, h, [&](const Places& places) {
        weights.stage(part.b, part.g, places);
        with_count(places.count(), [&](auto of_places) {
          constexpr int P = of_places;
          for (int64_t s = strip.begin(); s < strip.end(); ++s) {
            const Taps taps{top, bottom, std::max<int64_t>(0, 2 * r - s),
                            std::min(k, columns + 2 * r - s), k};
            for (int p = 0; p < P; ++p) {
              const int64_t j = places.j + p % places.columns, Y = places.Y + p / places.columns;
              A* line = values + p * value_stride;
              if (strip.owns(s, j))
                read_as(high + ((part.b * n.Y + Y) * n.X + strip.column(s, j)) * n.C + channel,
                        count, line);
              else
                std::fill(line, line + count, A(0));
            }
            const auto spread = [&](auto vectors, int64_t c) {
              for (int64_t t = top; t < bottom; ++t) near[t] = rows[t] + (s - 2 * r) * pixel + c;
              spread_taps<A, P, vectors>(values + c, value_stride, weights.data() + s,
                                         weights.stride(), taps, near, pixel);
            };
            int64_t c = 0;
            for (; c + kSums * L <= count; c += kSums * L)
              spread(std::integral_constant<int, kSums>(), c);
            for (; c < count; c += L) spread(std::integral_constant<int, 1>(), c);
          }
        });
      });
      if (!in_place)
        for (; done < std::min(part.h1, h == last - 1 ? part.h1 : h - r + 1); ++done) flush(done);
    }
  }

 private:
  static void add_and_clear(A* from, int64_t count, A* to) {
    for (int64_t i = 0; i < count; ++i) to[i] += from[i];
    std::fill(from, from + count, A(0));
  }
};

}  // namespace
}  // namespace dysample

using namespace dysample;

DYSAMPLE_API int dysample_reassemble_backward(const void* high, int high_dtype, const void* weight,
                                              int weight_dtype, void* to_x, const int64_t* sizes,
                                              const int64_t* field, int kernel, int softmax,
                                              int channels_last, int threads) {
  return with_storage(high_dtype, [&](auto* of) {
    using S = std::remove_pointer_t<decltype(of)>;
    using A = Compute<S>;
    return with_source<A>(weight_dtype, weight, [&](const auto& source) {
      const Backward<S> call{{sizes_from(sizes), kernel}, field_from(field),
                             static_cast<const S*>(high), source,
                             static_cast<A*>(to_x),       softmax != 0};
      const Parts parts = Parts::of<A>(call.kernel);
      return for_each_unit(parts.count(), threads, [&](int64_t unit) {
        if (channels_last)
          call.interleaved(parts.at(unit));
        else
          call.planar(parts.at(unit));
      });
    });
  });
}
