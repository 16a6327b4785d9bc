// Inner products over the channels of each output pixel with the k x k low-res pixels around it:
// see `affinity` in src/dysample/functional.py. Also the gradient of `reassemble` to the weights.

#include "dysample.h"
#include "weights.h"

namespace dysample {
namespace {

constexpr bool kManyRegisters = kVectorBytes == 64;
constexpr int kTogether = kManyRegisters ? kPlaces : 2;  // places whose sums stay in registers
constexpr int64_t kDepth = 16;  // channels summed in registers: partial sums keep rounding small

// Products of `depth` channels for D neighbouring taps and P places of one vector of home pixels:
// added to the totals, or their first terms.
template <class A, int D, int P>
[[gnu::noinline]] void multiply(const A* high, int64_t high_apart, int64_t high_stride,
                                const A* low, int64_t low_apart, int64_t depth, A* totals,
                                int64_t tap_stride, int64_t place_stride, bool first) {
  Vec<A> sums[D][P] = {};
  for (int64_t c = 0; c < depth; ++c, high += high_apart, low += low_apart) {
    Vec<A> value[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) value[p] = load<Vec<A>>(high + p * high_stride);
#pragma GCC unroll 5
    for (int d = 0; d < D; ++d) {
      const Vec<A> near = load<Vec<A>>(low + d);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) sums[d][p] += near * value[p];
    }
  }
#pragma GCC unroll 5
  for (int d = 0; d < D; ++d)
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      A* to = totals + d * tap_stride + p * place_stride;
      store(to, first ? sums[d][p] : load<Vec<A>>(to) + sums[d][p]);
    }
}

template <class S>
struct Products {
  using A = Compute<S>;
  static constexpr int L = kLanes<A>;

  Kernel kernel;
  Field field;  // of the result
  const S* high;
  const S* low;
  Source<A> logits;  // of a softmax before whose weights the result is the gradient; may be null
  A* out;
  bool channels_last;

  void run(const Part& part) const {
    const Sizes& n = kernel.n;
    const int64_t k = kernel.k, r = kernel.r();
    const int64_t columns = part.w1 - part.w0, count = kernel.channels();
    const int64_t low_stride = row_stride<A>(columns + L + 2 * r);
    // Rows of all channels stay in a ring where they fit, and are read again each time where not.
    const bool all = count * k * low_stride * static_cast<int64_t>(sizeof(A)) <= int64_t{3} << 20;
    const int64_t held = (all ? count : std::min(count, kDepth)) + L;
    const int64_t depth = std::min(count, kDepth), high_stride = row_stride<A>(columns);
    Scratch scratch;
    scratch.reserve(Strip::scratch(columns) + Weights<A>::scratch(kernel, columns) +
                    Columns::scratch(columns) + Scratch::size_of<A>(held * k * low_stride) +
                    Scratch::size_of<A>((depth + L) * kPlaces * high_stride) +
                    Scratch::size_of<A>(kernel.taps() * kPlaces * high_stride));
    const Strip strip(kernel, part.w0, part.w1, 0, scratch);
    Weights<A> weights(kernel, field, logits, true, strip, scratch);
    Columns to_columns(kernel, field, strip, scratch);
    A* ring = scratch.take<A>(held * k * low_stride);
    A* values = scratch.take<A>((depth + L) * kPlaces * high_stride);
    A* totals = scratch.take<A>(kernel.taps() * kPlaces * high_stride);
    std::fill(ring, ring + held * k * low_stride, A(0));
    int64_t filled = std::max<int64_t>(0, part.h0 - r);
    for (int64_t h = part.h0; h < part.h1; ++h) {
      const int64_t top = std::max<int64_t>(0, r - h), bottom = std::min(k, n.H - h + r);
      if (all)
        for (; filled < h - r + bottom; ++filled)
          read_low(part, filled, 0, count, ring + filled % k * low_stride, k * low_stride);
      for_each_places(kernel, h, [&](const Places& places) {
        const int P = places.count();
        const int64_t row_size = k * P * high_stride;  // rows of the window off the map give 0
        std::fill(totals, totals + top * row_size, A(0));
        std::fill(totals + bottom * row_size, totals + k * row_size, A(0));
        for (int64_t c = 0; c < count; c += kDepth) {
          const int64_t some = std::min(kDepth, count - c);
          if (!all)
            for (int64_t row = h - r + top; row < h - r + bottom; ++row)
              read_low(part, row, c, some, ring + row % k * low_stride, k * low_stride);
          read_high(part, strip, places, c, some, values, high_stride);
          const A* near = ring + (all ? c * k * low_stride : 0);
          for (int64_t w = 0; w < columns; w += L)
            for (int64_t t = top; t < bottom; ++t)
              multiply_row(values + w, high_stride, near + (h + t - r) % k * low_stride + w,
                           k * low_stride, some, P, totals + t * row_size + w, c == 0);
        }
        if (logits.start != nullptr) {
          weights.stage(part.b, part.g, places);
          through_softmax(weights.data(), totals, P * high_stride);
        }
        write(part, strip, places, to_columns, totals, high_stride);
      });
    }
  }

 private:
  void multiply_row(const A* values, int64_t high_stride, const A* near, int64_t low_apart,
                    int64_t depth, int P, A* totals, bool first) const {
    for (int64_t column = 0; column < kernel.k;) {
      const auto taps = [&](auto D) {
        for (int p = 0; p < P; p += kTogether)
          with_count(std::min(P - p, kTogether), [&](auto some) {
            if constexpr (some <= kTogether)
              multiply<A, D, some>(values + p * high_stride, P * high_stride, high_stride,
                                   near + column, low_apart, depth,
                                   totals + (column * P + p) * high_stride, P * high_stride,
                                   high_stride, first);
          });
        column += D;
      };
      if (kernel.k - column >= 5)
        taps(std::integral_constant<int, 5>());
      else if (kernel.k - column >= 3)
        taps(std::integral_constant<int, 3>());
      else
        taps(std::integral_constant<int, 1>());
    }
  }

  // Channels [c, c + count) of a row of the map: those of a part's columns and their neighbours.
  void read_low(const Part& part, int64_t row, int64_t c, int64_t count, A* to,
                int64_t apart) const {
    const Sizes& n = kernel.n;
    const int64_t left = std::max<int64_t>(0, part.w0 - kernel.r());
    const int64_t right = std::min(n.W, part.w1 + kernel.r());
    const int64_t channel = part.g * kernel.channels() + c;
    to += left - part.w0 + kernel.r();
    if (!channels_last) {
      const S* from = low + ((part.b * n.C + channel) * n.H + row) * n.W + left;
      for (int64_t of = 0; of < count; ++of)
        read_as(from + of * n.H * n.W, right - left, to + of * apart);
      return;
    }
    const S* from = low + ((part.b * n.H + row) * n.W + left) * n.C + channel;
    for (int64_t w = 0; w < right - left; w += L)
      for (int64_t of = 0; of < count; of += L) {
        const auto pixel = [&](int i) {
          return w + i < right - left ? from + (w + i) * n.C + of : nullptr;
        };
        read_square(pixel, count - of, to + of * apart + w, apart);
      }
  }

  // Channels [c, c + count) of some places' pixels.
  void read_high(const Part& part, const Strip& strip, const Places& places, int64_t c,
                 int64_t count, A* to, int64_t stride) const {
    const Sizes& n = kernel.n;
    const int64_t channel = part.g * kernel.channels() + c;
    if (!channels_last) {
      const int64_t first = strip.column(0, 0), last = strip.column(strip.count(), 0);
      for (int64_t of = 0; of < count; ++of)
        for (int i = 0; i < places.rows; ++i) {
          const S* row = high + ((part.b * n.C + channel + of) * n.Y + places.Y + i) * n.X;
          if (c + of + kDepth < kernel.channels())
            fetch(row + kDepth * n.Y * n.X + first, last - first);
          else if (places.Y + i + places.rows < n.Y)
            fetch(row + places.rows * n.X + first, last - first);
          split_places(row, strip, places.j, places.columns,
                       to + (of * places.count() + i * places.columns) * stride, stride);
        }
      return;
    }
    for (int p = 0; p < places.count(); ++p) {
      const int64_t j = places.j + p % places.columns, Y = places.Y + p / places.columns;
      const S* from = high + (part.b * n.Y + Y) * n.X * n.C + channel;
      for (int64_t s = 0; s < strip.count(); s += L)
        for (int64_t of = 0; of < count; of += L) {
          const auto pixel = [&](int i) {
            const bool owned = s + i < strip.count() && strip.owns(s + i, j);
            return owned ? from + strip.column(s + i, j) * n.C + of : nullptr;
          };
          read_square(pixel, count - of, to + (of * places.count() + p) * stride + s,
                      places.count() * stride);
        }
    }
  }

  // kLanes channels of kLanes pixels, turned; a null pixel is 0.
  template <class F>
  static void read_square(F&& pixel, int64_t channels, A* to, int64_t apart) {
    Vec<A> square[L];
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) {
      const S* from = pixel(i);
      if (from != nullptr) fetch(from + kDepth, L);  // what the next block of channels reads
      square[i] = from == nullptr ? Vec<A>{}
                  : channels >= L ? load_vector(from)
                                  : load_some(from, static_cast<int>(channels));
    }
    transpose<A>(square);
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) store(to + i * apart, square[i]);
  }

  // Gradient to logits from weights p and their gradient: p * (gradient - sum of p * gradient).
  void through_softmax(const A* weights, A* totals, int64_t step) const {
    const int64_t end = kernel.taps() * step;
    for (int64_t start = 0; start < step; start += L) {
      Vec<A> mean = {};
      for (int64_t t = start; t < end; t += step)
        mean += load<Vec<A>>(weights + t) * load<Vec<A>>(totals + t);
      for (int64_t t = start; t < end; t += step)
        store(totals + t, load<Vec<A>>(weights + t) * (load<Vec<A>>(totals + t) - mean));
    }
  }

  void write(const Part& part, const Strip& strip, const Places& places, Columns& columns,
             const A* totals, int64_t stride) const {
    const Sizes& n = kernel.n;
    const int64_t plane = field.plane_stride();
    // Each element of the field is one output pixel's.
    const bool direct = columns.plain() && field.height == n.Y;
    if (!direct) columns.locate(places);
    for (int64_t t = 0; t < kernel.taps(); ++t)
      for (int i = 0; i < places.rows; ++i) {
        A* row = out + part.b * field.batch_stride + (part.g * kernel.taps() + t) * plane +
                 field.row(places.Y + i, n.Y);
        const A* from = totals + (t * places.count() + i * places.columns) * stride;
        if (direct)
          join_places(from, stride, strip, 0, strip.count(), places.j, places.columns, row, false);
        else
          add(from, stride, strip, places, columns, row);
      }
  }

  // Several output pixels may read the same element of the field.
  void add(const A* from, int64_t stride, const Strip& strip, const Places& places,
           const Columns& columns, A* row) const {
    for (int p = 0; p < places.columns; ++p, from += stride) {
      const int64_t* at = columns.at(p);
      if (columns.in_line(p) && strip.whole())
        for (int64_t s = 0; s < strip.count(); ++s) row[at[0] + s] += from[s];
      else
        for (int64_t s = 0; s < strip.count(); ++s)
          if (strip.owns(s, places.j + p)) row[at[s]] += from[s];
    }
  }
};

template <class S>
int run(const Products<S>& call, int threads) {
  const Sizes& n = call.kernel.n;
  const Parts parts = Parts::of<Compute<S>>(call.kernel, true);
  // Elements that several output pixels read must be the same thread's.
  const Field& field = call.field;
  const bool shared = field.scale * field.height < n.Y || field.scale * field.width < n.X;
  const int64_t each = shared ? parts.each_group() : 1;
  return for_each_unit(parts.count() / each, threads, [&](int64_t unit) {
    for (int64_t i = 0; i < each; ++i) call.run(parts.at(unit * each + i));
  });
}

}  // namespace
}  // namespace dysample

using namespace dysample;

DYSAMPLE_API int dysample_affinity(const void* high, const void* low, int dtype, void* out,
                                   const int64_t* sizes, int kernel, int channels_last,
                                   int threads) {
  return with_storage(dtype, [&](auto* of) {
    using S = std::remove_pointer_t<decltype(of)>;
    using A = Compute<S>;
    const Kernel of_sizes{sizes_from(sizes), kernel};
    const Sizes& n = of_sizes.n;
    const Field plain{n.G * of_sizes.taps() * n.Y * n.X, n.Y * n.X, n.X, 1, n.Y, n.X, 1};
    const Products<S> call{of_sizes,
                           plain,
                           static_cast<const S*>(high),
                           static_cast<const S*>(low),
                           Source<A>{},
                           static_cast<A*>(out),
                           channels_last != 0};
    return run(call, threads);
  });
}

DYSAMPLE_API int dysample_reassemble_backward_weight(const void* high, const void* x, int dtype,
                                                     const void* weight, int weight_dtype,
                                                     void* to_weight, const int64_t* sizes,
                                                     const int64_t* field, int kernel, int softmax,
                                                     int channels_last, int threads) {
  return with_storage(dtype, [&](auto* of) {
    using S = std::remove_pointer_t<decltype(of)>;
    using A = Compute<S>;
    return with_source<A>(weight_dtype, softmax != 0 ? weight : nullptr, [&](const auto& source) {
      return run(Products<S>{{sizes_from(sizes), kernel},
                             field_from(field),
                             static_cast<const S*>(high),
                             static_cast<const S*>(x),
                             source,
                             static_cast<A*>(to_weight),
                             channels_last != 0},
                 threads);
    });
  });
}
