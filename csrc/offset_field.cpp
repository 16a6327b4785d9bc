// DySample's offset field: a 1x1 convolution to few channels, times a factor or a sigmoid of a
// second one. See `offset_field` in src/dysample/functional.py.

#include <algorithm>
#include <memory>

#include "dysample.h"
#include "exp.h"
#include "parallel.h"
#include "stream.h"

namespace dysample {
namespace {

// Accumulators that the registers hold beside their operands: 24 of 32, 12 of 16.
constexpr int kOuter = kVectorBytes == 64 ? 8 : 4;
constexpr int kInner = 3;
constexpr int kPixels = kVectorBytes == 64 ? 12 : 6;
constexpr int kPair = 2;

template <class S>
struct OffsetField {
  using A = Compute<S>;
  static constexpr int L = kLanes<A>;
  static constexpr int kTile = kInner * L;

  int64_t B, C, P, O;  // images, channels in, pixels of an image, channels out
  const S* x;
  const A *weight, *bias, *scope_weight, *scope_bias;  // (O, C) and (O); null where there is none
  A factor;
  A *field, *linear, *gate;  // linear and gate are null unless a gradient will be asked for

  int64_t outputs() const { return scope_weight == nullptr ? O : 2 * O; }
  int64_t padded(int64_t step) const { return (outputs() + step - 1) / step * step; }

  A weight_of(int64_t o, int64_t c) const {
    if (o >= outputs()) return 0;
    return o < O ? weight[o * C + c] : scope_weight[(o - O) * C + c];
  }
  A bias_of(int64_t o) const {
    if (o < O) return bias == nullptr ? A(0) : bias[o];
    return o < outputs() && scope_bias != nullptr ? scope_bias[o - O] : A(0);
  }

  // Weights of `step` outputs after the other, channel by channel: (outputs / step, C, step).
  std::unique_ptr<A[]> packed(int64_t step) const {
    std::unique_ptr<A[]> out(new A[padded(step) * C]);
    for (int64_t o = 0; o < padded(step); ++o)
      for (int64_t c = 0; c < C; ++c)
        out[o / step * step * C + c * step + o % step] = weight_of(o, c);
    return out;
  }

  // Channels one after the other: kTile pixels [p, p + kTile) of image b.
  void planar(int64_t b, int64_t p, const A* panels) const {
    Scratch scratch;
    const int64_t count = padded(kOuter);
    scratch.reserve(Scratch::size_of<A>(C * kTile) + Scratch::size_of<A>(count * kTile));
    A* tile = scratch.take<A>(C * kTile);
    A* result = scratch.take<A>(count * kTile);
    const int64_t some = std::min<int64_t>(kTile, P - p);
    const S* from = x + b * C * P + p;
    for (int64_t c = 0; c < C; ++c) {
      const S* row = from + c * P;
      for (int i = 0; i < kInner; ++i) {
        const int64_t left = some - i * L;
        // The next tile: its lines are pages away from each other.
        __builtin_prefetch(row + 2 * kTile + i * L, 0, 2);
        store(tile + c * kTile + i * L,
              left >= L ? load_vector(row + i * L)
                        : load_some(row + i * L, static_cast<int>(std::max<int64_t>(left, 0))));
      }
    }
    for (int64_t start = 0; start < some; start += kInner * L)
      for (int64_t o = 0; o < count; o += kOuter)
        multiply(tile + start, panels + o * C, o, result + o * kTile + start);
    for (int64_t o = 0; o < O; ++o) {
      const int64_t to = (b * O + o) * P + p;
      for (int64_t i = 0; i < some; i += L)
        finish(result + o * kTile + i, result + (O + o) * kTile + i, to + i,
               static_cast<int>(std::min<int64_t>(L, some - i)));
    }
  }

  // Channels innermost: kPixels pixels [p, p + kPixels) of all images' pixels.
  void interleaved(int64_t p, const A* panels) const {
    Scratch scratch;
    constexpr int kStep = kPair * L;
    const int64_t count = padded(kStep);
    scratch.reserve(Scratch::size_of<A>(kPixels * C) + Scratch::size_of<A>(kPixels * (count + L)));
    A* tile = scratch.take<A>(kPixels * C);
    A* result = scratch.take<A>(kPixels * (count + L));
    const int some = static_cast<int>(std::min<int64_t>(kPixels, B * P - p));
    for (int i = 0; i < kPixels; ++i) {
      const S* from = x + (p + std::min(i, some - 1)) * C;
      int64_t c = 0;
      for (; c + L <= C; c += L) store(tile + i * C + c, load_vector(from + c));
      for (; c < C; ++c) tile[i * C + c] = load_one<A>(from + c);
    }
    for (int64_t o = 0; o < count; o += kStep) {
      Vec<A> sums[kPixels][kPair];
      for (int j = 0; j < kPair; ++j) {
        A start[L];
        for (int lane = 0; lane < L; ++lane) start[lane] = bias_of(o + j * L + lane);
        for (int i = 0; i < kPixels; ++i) sums[i][j] = load<Vec<A>>(start);
      }
      const A* weights = panels + o * C;
      for (int64_t c = 0; c < C; ++c) {
        const Vec<A> first = load<Vec<A>>(weights + c * kStep);
        const Vec<A> second = load<Vec<A>>(weights + c * kStep + L);
#pragma GCC unroll 12
        for (int i = 0; i < kPixels; ++i) {
          sums[i][0] += first * tile[i * C + c];
          sums[i][1] += second * tile[i * C + c];
        }
      }
      for (int i = 0; i < kPixels; ++i)
        for (int j = 0; j < kPair; ++j) store(result + i * count + o + j * L, sums[i][j]);
    }
    for (int i = 0; i < some; ++i)
      for (int64_t o = 0; o < O; o += L)
        finish(result + i * count + o, result + i * count + O + o, (p + i) * O + o,
               static_cast<int>(std::min<int64_t>(L, O - o)));
  }

 private:
  void multiply(const A* tile, const A* weights, int64_t o, A* result) const {
    Vec<A> sums[kOuter][kInner];
    for (int j = 0; j < kOuter; ++j)
      for (int i = 0; i < kInner; ++i) sums[j][i] = broadcast(bias_of(o + j));
    for (int64_t c = 0; c < C; ++c) {
      Vec<A> pixels[kInner];
      for (int i = 0; i < kInner; ++i) pixels[i] = load<Vec<A>>(tile + c * kTile + i * L);
#pragma GCC unroll 8
      for (int j = 0; j < kOuter; ++j)
#pragma GCC unroll 3
        for (int i = 0; i < kInner; ++i) sums[j][i] += pixels[i] * weights[c * kOuter + j];
    }
    for (int j = 0; j < kOuter; ++j)
      for (int i = 0; i < kInner; ++i) store(result + j * kTile + i * L, sums[j][i]);
  }

  // The first `some` lanes of the sums of both convolutions, to the results' element `to`.
  void finish(const A* sums, const A* scopes, int64_t to, int some) const {
    const Vec<A> sum = load<Vec<A>>(sums);
    Vec<A> open = broadcast(factor);
    if (scope_weight != nullptr) open = 2 * factor / (1 + exp<A>(-load<Vec<A>>(scopes)));
    write(field + to, sum * open, some);
    if (linear != nullptr) write(linear + to, sum, some);
    if (gate != nullptr) write(gate + to, open, some);
  }

  static void write(A* to, Vec<A> value, int some) {
    if (some == L)
      store(to, value);
    else
      store_some(to, value, some);
  }
};

template <class S>
int run(const OffsetField<S>& call, bool channels_last, int threads) {
  using Call = OffsetField<S>;
  const int64_t step = channels_last ? kPixels : Call::kTile;
  const int64_t tiles = ((channels_last ? call.B * call.P : call.P) + step - 1) / step;
  std::unique_ptr<Compute<S>[]> panels;
  try {
    panels = call.packed(channels_last ? kPair * Call::L : kOuter);
  } catch (const std::bad_alloc&) {
    return 1;
  }
  constexpr int64_t kTogether = 8;  // tiles a unit of work
  const int64_t units = (tiles + kTogether - 1) / kTogether;
  return for_each_unit(channels_last ? units : call.B * units, threads, [&](int64_t unit) {
    const int64_t first = unit % units * kTogether;
    for (int64_t tile = first; tile < std::min(first + kTogether, tiles); ++tile)
      if (channels_last)
        call.interleaved(tile * step, panels.get());
      else
        call.planar(unit / units, tile * step, panels.get());
  });
}

}  // namespace
}  // namespace dysample

using namespace dysample;

DYSAMPLE_API int dysample_offset_field(const void* x, int x_dtype, const void* weight,
                                       const void* bias, const void* scope_weight,
                                       const void* scope_bias, double factor, void* field,
                                       void* linear, void* gate, const int64_t* sizes,
                                       int channels_last, int threads) {
  return with_storage(x_dtype, [&](auto* of) {
    using S = std::remove_pointer_t<decltype(of)>;
    using A = Compute<S>;
    const auto in = [](const void* start) { return static_cast<const A*>(start); };
    const auto to = [](void* start) { return static_cast<A*>(start); };
    const OffsetField<S> call{
        sizes[0],   sizes[1],   sizes[2],         sizes[3],       static_cast<const S*>(x),
        in(weight), in(bias),   in(scope_weight), in(scope_bias), static_cast<A>(factor),
        to(field),  to(linear), to(gate)};
    return run(call, channels_last != 0, threads);
  });
}
