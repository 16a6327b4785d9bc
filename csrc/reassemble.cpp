// Weighted sums of the k x k low-res neighbours of each output pixel: see `reassemble` in
// src/dysample/functional.py. Also the gradient of `affinity` to the query.

#include "dysample.h"
#include "weights.h"

namespace dysample {
namespace {

constexpr bool kManyRegisters = kVectorBytes == 64;

// Vectors of features whose sums for P places stay in registers.
template <int P>
constexpr int kSums = kManyRegisters ? std::min(8, 16 / P) : std::min(6, 12 / P);

// Sums over the taps for P places and N vectors of features: vectors of channels of one home pixel,
// whose weights are numbers, or of home pixels of one channel, whose weights are vectors too.
template <class A, int P, int N, bool kChannels>
[[gnu::noinline]] void sum_taps(const A* const* rows, const Taps& taps, int64_t step, int64_t apart,
                                const A* weights, int64_t weight_stride, A* to, int64_t to_stride,
                                int64_t to_apart) {
  Vec<A> sums[N][P] = {};
  for (int64_t row = taps.top; row < taps.bottom; ++row) {
    const A* from = rows[row] + taps.left * step;
    const A* tap = weights + (row * taps.side + taps.left) * P * weight_stride;
    for (int64_t column = taps.left; column < taps.right; ++column, from += step) {
      Vec<A> near[N];
#pragma GCC unroll 16
      for (int v = 0; v < N; ++v) near[v] = load<Vec<A>>(from + v * apart);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p, tap += weight_stride) {
        const Vec<A> weight = kChannels ? broadcast<A>(*tap) : load<Vec<A>>(tap);
#pragma GCC unroll 16
        for (int v = 0; v < N; ++v) sums[v][p] += weight * near[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < N; ++v)
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) store(to + p * to_stride + v * to_apart, sums[v][p]);
}

template <class S>
struct Forward {
  using A = Compute<S>;
  static constexpr int L = kLanes<A>;
  static constexpr int64_t kTurn = 128;  // home pixels whose sums are held before they are stored

  Kernel kernel;
  Field field;
  const S* x;
  Source<A> source;
  S* out;
  bool softmax, stream;

  // Channels stored one by one.
  void planar(const Part& part) const {
    const Sizes& n = kernel.n;
    const int64_t k = kernel.k, r = kernel.r(), columns = part.w1 - part.w0;
    const int64_t stride = row_stride<A>(columns + L + 2 * r), count = part.c1 - part.c0;
    const int64_t ring_size = (count + kSums<1>)*k * stride;
    Scratch scratch;
    scratch.reserve(Strip::scratch(columns) + Weights<A>::scratch(kernel, columns) +
                    Scratch::size_of<A>(ring_size) + Scratch::size_of<const A*>(k) +
                    Scratch::size_of<A>(kSums<1> * kPlaces * kTurn));
    const Strip strip(kernel, part.w0, part.w1, 0, scratch);
    Weights<A> weights(kernel, field, source, softmax, strip, scratch);
    A* ring = scratch.take<A>(ring_size);
    const A** rows = scratch.take<const A*>(k);
    A* sums = scratch.take<A>(kSums<1> * kPlaces * kTurn);
    std::fill(ring, ring + ring_size, A(0));
    const int64_t channel = part.b * n.C + part.g * kernel.channels() + part.c0;
    const S* features = x + channel * n.H * n.W;
    S* result = out + channel * n.Y * n.X;
    const int64_t left = std::max<int64_t>(0, part.w0 - r), right = std::min(n.W, part.w1 + r);
    int64_t filled = std::max<int64_t>(0, part.h0 - r);
    for (int64_t h = part.h0; h < part.h1; ++h) {
      for (; filled < std::min(n.H, h + r + 1); ++filled)
        for (int64_t c = 0; c < count; ++c) {
          const S* row = features + (c * n.H + filled) * n.W + left;
          if (filled + 1 < n.H) fetch(row + n.W, right - left);
          read_as(row, right - left, ring + (c * k + filled % k) * stride + left - part.w0 + r);
        }
      const int64_t top = std::max<int64_t>(0, r - h), bottom = std::min(k, n.H - h + r);
      for_each_places(kernel, h, [&](const Places& places) {
        weights.stage(part.b, part.g, places);
        with_count(places.count(), [&](auto of_places) {
          constexpr int P = of_places, N = kSums<P>;
          for (int64_t begin = 0; begin < columns; begin += kTurn)
            for (int64_t c = 0; c < count; c += N) {
              const int64_t end = std::min(begin + kTurn, columns);
              for (int64_t w = begin; w < end; w += L) {
                for (int64_t t = top; t < bottom; ++t)
                  rows[t] = ring + (c * k + (h + t - r) % k) * stride + w;
                sum_taps<A, P, N, false>(rows, {top, bottom, 0, k, k}, 1, k * stride,
                                         weights.data() + w, weights.stride(), sums + w - begin,
                                         kTurn, P * kTurn);
              }
              for (int v = 0; v < std::min<int64_t>(N, count - c); ++v)
                for (int i = 0; i < places.rows; ++i)
                  join_places(sums + (v * P + i * places.columns) * kTurn, kTurn, strip, begin, end,
                              places.j, places.columns,
                              result + ((c + v) * n.Y + places.Y + i) * n.X, stream);
            }
        });
      });
    }
    if (stream) finish_streaming();
  }

  // Channels innermost.
  void interleaved(const Part& part) const {
    const Sizes& n = kernel.n;
    const int64_t k = kernel.k, r = kernel.r(), columns = part.w1 - part.w0;
    const int64_t count = part.c1 - part.c0, channel = part.g * kernel.channels() + part.c0;
    const int64_t left = std::max<int64_t>(0, part.w0 - r), right = std::min(n.W, part.w1 + r);
    // Whole vectors in the type that is computed in are read from the map itself.
    const bool in_place = std::is_same_v<S, A> && count % L == 0;
    const int64_t pixel = in_place ? n.C : row_stride<A>(count);
    const int64_t ring_size = in_place ? 0 : k * (right - left) * pixel;
    const int64_t apart = row_stride<A>(count);
    Scratch scratch;
    scratch.reserve(Strip::scratch(columns) + Weights<A>::scratch(kernel, columns) +
                    Scratch::size_of<A>(ring_size) + 2 * Scratch::size_of<const A*>(k) +
                    Scratch::size_of<A>(kPlaces * apart));
    const Strip strip(kernel, part.w0, part.w1, 0, scratch);
    Weights<A> weights(kernel, field, source, softmax, strip, scratch);
    A* ring = scratch.take<A>(ring_size);
    const A** rows = scratch.take<const A*>(k);
    const A** near = scratch.take<const A*>(k);
    A* sums = scratch.take<A>(kPlaces * apart);
    int64_t filled = std::max<int64_t>(0, part.h0 - r);
    for (int64_t h = part.h0; h < part.h1; ++h) {
      const int64_t top = std::max<int64_t>(0, r - h), bottom = std::min(k, n.H - h + r);
      const auto features = [&](int64_t row) {
        return x + (part.b * n.H + row) * n.W * n.C + channel;
      };
      if (!in_place)
        for (; filled < h - r + bottom; ++filled)
          for (int64_t w = left; w < right; ++w)
            read_as(features(filled) + w * n.C, count,
                    ring + (filled % k * (right - left) + w - left) * pixel);
      for (int64_t t = top; t < bottom; ++t) {
        const int64_t row = h + t - r;
        if constexpr (std::is_same_v<S, A>)
          rows[t] = in_place ? features(row) + (part.w0 - r) * pixel
                             : ring + (row % k * (right - left) + part.w0 - r - left) * pixel;
        else
          rows[t] = ring + (row % k * (right - left) + part.w0 - r - left) * pixel;
      }
      for_each_places(kernel, h, [&](const Places& places) {
        weights.stage(part.b, part.g, places);
        with_count(places.count(), [&](auto of_places) {
          constexpr int P = of_places, N = kSums<P>;
          for (int64_t s = 0; s < columns; ++s) {
            const int64_t w = part.w0 + s;
            const int64_t first = std::max<int64_t>(0, r - w), last = std::min(k, n.W - w + r);
            const auto sum = [&](auto vectors, int64_t c) {
              for (int64_t t = top; t < bottom; ++t) near[t] = rows[t] + s * pixel + c;
              sum_taps<A, P, vectors, true>(near, {top, bottom, first, last, k}, pixel, L,
                                            weights.data() + s, weights.stride(), sums + c, apart,
                                            L);
            };
            int64_t c = 0;
            for (; c + N * L <= count; c += N * L) sum(std::integral_constant<int, N>(), c);
            for (; c < count; c += L) sum(std::integral_constant<int, 1>(), c);
            for (int p = 0; p < P; ++p) {
              const int64_t j = places.j + p % places.columns, Y = places.Y + p / places.columns;
              if (strip.owns(s, j))
                put(sums + p * apart, count,
                    out + ((part.b * n.Y + Y) * n.X + strip.column(s, j)) * n.C + channel);
            }
          }
        });
      });
    }
    if (stream) finish_streaming();
  }

 private:
  void put(const A* sums, int64_t count, S* to) const {
    int64_t c = 0;
    for (; c + L <= count; c += L) {
      const Vec<A> value = load<Vec<A>>(sums + c);
      if (stream)
        store_past_caches(to + c, narrowed<S>(value));
      else
        store_vector(to + c, value);
    }
    for (; c < count; ++c) store_one(to + c, sums[c]);
  }
};

template <class S>
int run(Forward<S> call, bool channels_last, int threads) {
  const Sizes& n = call.kernel.n;
  const int64_t bytes = n.B * n.C * n.Y * n.X * sizeof(S);
  call.stream = bytes > kStreamedBytes && reinterpret_cast<uintptr_t>(call.out) % kLine == 0 &&
                (channels_last ? call.kernel.channels() : n.X) * sizeof(S) % kLine == 0;
  if (bytes > 4 * kStreamedBytes) ask_for_huge_pages(call.out, bytes);
  const Parts parts = Parts::of<Compute<S>>(call.kernel);
  return for_each_unit(parts.count(), threads, [&](int64_t unit) {
    if (channels_last)
      call.interleaved(parts.at(unit));
    else
      call.planar(parts.at(unit));
  });
}

}  // namespace
}  // namespace dysample

using namespace dysample;

DYSAMPLE_API int dysample_reassemble(const void* x, int x_dtype, const void* weight,
                                     int weight_dtype, void* out, const int64_t* sizes,
                                     const int64_t* field, int kernel, int softmax,
                                     int channels_last, int threads) {
  return with_storage(x_dtype, [&](auto* of) {
    using S = std::remove_pointer_t<decltype(of)>;
    return with_source<Compute<S>>(weight_dtype, weight, [&](const auto& source) {
      return run(Forward<S>{{sizes_from(sizes), kernel},
                            field_from(field),
                            static_cast<const S*>(x),
                            source,
                            static_cast<S*>(out),
                            softmax != 0,
                            false},
                 channels_last != 0, threads);
    });
  });
}
