// Weights of the taps of a kernel, read from a field of any storage type.
#pragma once

#include "exp.h"
#include "places.h"

namespace dysample {

// Elements of a field of any storage type, read row by row.
template <class A>
struct Source {
  const void* start;
  // Elements at `from` plus each of `columns`.
  void (*gather)(const void* start, int64_t from, const int64_t* columns, int64_t count, A* to);
  void (*copy)(const void* start, int64_t from, int64_t count, A* to);
  // A row of output pixels by place: see split_places.
  void (*split)(const void* start, int64_t from, const Strip& strip, const Places& places, A* to,
                int64_t stride);

  template <class O>
  static Source of(const void* start) {
    return {start,
            [](const void* all, int64_t from, const int64_t* columns, int64_t count, A* to) {
              const O* first = static_cast<const O*>(all) + from;
              for (int64_t i = 0; i < count; ++i) to[i] = load_one<A>(first + columns[i]);
            },
            [](const void* all, int64_t from, int64_t count, A* to) {
              const O* first = static_cast<const O*>(all) + from;
              if constexpr (std::is_same_v<Compute<O>, A>)
                read_as(first, count, to);
              else
                for (int64_t i = 0; i < count; ++i) to[i] = load_one<A>(first + i);
            },
            [](const void* all, int64_t from, const Strip& strip, const Places& places, A* to,
               int64_t stride) {
              const O* first = static_cast<const O*>(all) + from;
              if constexpr (std::is_same_v<Compute<O>, A>) {
                split_places(first, strip, places.j, places.columns, to, stride);
              } else {
                for (int p = 0; p < places.columns; ++p)
                  for (int64_t s = 0; s < stride; ++s) {
                    const bool owned = s < strip.count() && strip.owns(s, places.j + p);
                    to[p * stride + s] =
                        owned ? load_one<A>(first + strip.column(s, places.j + p)) : A(0);
                  }
              }
            }};
  }
};

// Calls f with the elements of the storage type that a number of the interface stands for.
template <class A, class F>
inline int with_source(int dtype, const void* start, F&& f) {
  return with_storage(dtype, [&](auto* of) {
    return f(Source<A>::template of<std::remove_pointer_t<decltype(of)>>(start));
  });
}

// Where the places of a strip lie in a row of a field.
class Columns {
 public:
  static size_t scratch(int64_t columns) { return kPlaces * Scratch::size_of<int64_t>(columns); }

  Columns(const Kernel& kernel, const Field& field, const Strip& strip, Scratch& scratch)
      : n_(kernel.n), field_(field), strip_(strip) {
    for (int64_t*& line : at_) line = scratch.take<int64_t>(strip.count());
  }

  // A row of the field holds the output columns as they are.
  bool plain() const {
    return field_.scale == 1 && field_.width == n_.X && field_.column_stride == 1;
  }

  void locate(const Places& places) {
    if (places.j == j_) return;
    j_ = places.j;
    for (int p = 0; p < places.columns; ++p) {
      in_line_[p] = true;
      for (int64_t s = strip_.begin(); s < strip_.end(); ++s) {
        const int64_t X = std::min(strip_.column(s, j_ + p), n_.X - 1);
        at_[p][s] = field_.column(X, n_.X);
        in_line_[p] &= at_[p][s] - at_[p][strip_.begin()] == s - strip_.begin();
      }
    }
  }

  // Element of place j + p of each home column, and whether they follow each other.
  const int64_t* at(int p) const { return at_[p]; }
  bool in_line(int p) const { return in_line_[p]; }

 private:
  Sizes n_;
  Field field_;
  const Strip& strip_;
  int64_t j_ = -1;
  int64_t* at_[kPlaces];
  bool in_line_[kPlaces];
};

// Weights of some places of a home row and a strip; 0 for padding and outside the map.
template <class A>
class Weights {
 public:
  static size_t scratch(const Kernel& kernel, int64_t columns) {
    return Columns::scratch(columns) +
           Scratch::size_of<A>(kernel.taps() * kPlaces * row_stride<A>(columns));
  }

  // softmax: of the taps, instead of the field's elements themselves.
  Weights(const Kernel& kernel, const Field& field, const Source<A>& source, bool softmax,
          const Strip& strip, Scratch& scratch)
      : kernel_(kernel),
        field_(field),
        source_(source),
        softmax_(softmax),
        strip_(strip),
        columns_(kernel, field, strip, scratch),
        stride_(row_stride<A>(strip.count())) {
    data_ = scratch.take<A>(kernel.taps() * kPlaces * stride_);
  }

  // Rows one after the other: tap t of place p is row t * places.count() + p.
  const A* data() const { return data_; }
  int64_t stride() const { return stride_; }

  void stage(int64_t b, int64_t g, const Places& places) {
    const int64_t plane = field_.plane_stride(), taps = kernel_.taps();
    const int count = places.count();
    if (!columns_.plain()) columns_.locate(places);
    for (int i = 0; i < places.rows; ++i) {
      const int64_t row =
          b * field_.batch_stride + g * taps * plane + field_.row(places.Y + i, kernel_.n.Y);
      for (int64_t t = 0; t < taps; ++t) {
        A* to = data_ + (t * count + i * places.columns) * stride_;
        if (columns_.plain())
          source_.split(source_.start, row + t * plane, strip_, places, to, stride_);
        else
          read(row + t * plane, places, to);
      }
    }
    if (softmax_) take_softmax(count);
  }

 private:
  void read(int64_t row, const Places& places, A* to) const {
    const int64_t begin = strip_.begin(), end = strip_.end();
    for (int p = 0; p < places.columns; ++p, to += stride_) {
      std::fill(to, to + begin, A(0));
      const int64_t* at = columns_.at(p) + begin;
      if (columns_.in_line(p))
        source_.copy(source_.start, row + at[0], end - begin, to + begin);
      else
        source_.gather(source_.start, row, at, end - begin, to + begin);
      std::fill(to + end, to + stride_, A(0));
      if (!strip_.whole())
        for (int64_t s = begin; s < end; ++s)
          if (!strip_.owns(s, places.j + p)) to[s] = 0;
    }
  }

  void take_softmax(int count) {
    const int64_t step = count * stride_, end = kernel_.taps() * step;
    for (int64_t start = 0; start < step; start += kLanes<A>) {
      A* first = data_ + start;
      Vec<A> most = load<Vec<A>>(first), total = {};
      for (int64_t t = step; t < end; t += step) {
        const Vec<A> logit = load<Vec<A>>(first + t);
        most = logit > most ? logit : most;
      }
      for (int64_t t = 0; t < end; t += step) {
        const Vec<A> power = exp<A>(load<Vec<A>>(first + t) - most);
        total += power;
        store(first + t, power);
      }
      // Divided, not multiplied by 1 / total, which would be one more rounding.
      for (int64_t t = 0; t < end; t += step) store(first + t, load<Vec<A>>(first + t) / total);
    }
  }

  Kernel kernel_;
  Field field_;
  Source<A> source_;
  bool softmax_;
  const Strip& strip_;
  Columns columns_;
  int64_t stride_;
  A* data_;
};

}  // namespace dysample
