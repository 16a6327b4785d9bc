// Sampling positions of one row of output pixels: low-res corner pixels and their weights.
#pragma once

#include <algorithm>

#include "geometry.h"
#include "parallel.h"
#include "stream.h"

namespace dysample {

// Sizes of one call, as in the documentation: groups of channels, high-res (Y, X).
struct Sizes {
  int64_t B, C, H, W, G, Y, X;
};

inline Sizes sizes_from(const int64_t* n) { return {n[0], n[1], n[2], n[3], n[4], n[5], n[6]}; }
inline Field field_from(const int64_t* f) { return {f[0], f[1], f[2], f[3], f[4], f[5], f[6]}; }

// Offsets of any storage type, read at `start` plus each of `columns`.
template <class A>
struct Offsets {
  const void* start;
  void (*read)(const void* offsets, int64_t start, const int64_t* columns, int64_t count, A* to);

  template <class O>
  static void read_as(const void* offsets, int64_t start, const int64_t* columns, int64_t count,
                      A* to) {
    const O* from = static_cast<const O*>(offsets) + start;
    for (int64_t i = 0; i < count; ++i) to[i] = load_one<A>(from + columns[i]);
  }
};

// Calls f with the offsets of the storage type that a number of the interface stands for.
template <class A, class F>
inline int with_offsets(int dtype, const void* start, F&& f) {
  return with_storage(dtype, [&](auto* of) {
    return f(Offsets<A>{start, &Offsets<A>::template read_as<std::remove_pointer_t<decltype(of)>>});
  });
}

template <class A>
class Positions {
 public:
  using I = Word<A>;
  static constexpr int kMaxRows = 8;

  // Row length rounded up to whole cache lines of every storage type, in elements.
  static int64_t padded(int64_t X) {
    constexpr int kStep = kLine / 2;
    return (X + kStep - 1) / kStep * kStep;
  }

  // Bytes of scratch memory for `rows` rows of positions.
  static size_t scratch(const Sizes& n, int rows) {
    const size_t X = padded(n.X);
    return Scratch::size_of<int64_t>(X) + Scratch::size_of<I>(X) + 3 * Scratch::size_of<A>(X) +
           rows * (2 * Scratch::size_of<I>(X) + 4 * Scratch::size_of<A>(X));
  }

  // from_centre: every pixel starts at the centre of its low-res pixel. line: pixels that are taken
  // together, see `pixel`.
  Positions(const Sizes& n, const Field& field, bool from_centre, int rows, int line,
            Scratch& scratch)
      : n_(n), field_(field), from_centre_(from_centre), line_(line), X_(padded(n.X)) {
    column_ = scratch.take<int64_t>(X_);
    home_ = scratch.take<I>(X_);
    rest_ = scratch.take<A>(X_);
    move_x_ = scratch.take<A>(X_);
    move_y_ = scratch.take<A>(X_);
    for (int64_t place = 0; place < X_; ++place) {
      const int64_t X = pixel(place);
      column_[place] = field.column(X, n.X);
      home_[place] = static_cast<I>(nearest_index(X, n.W, n.X));
      rest_[place] = from_centre ? A(0) : rest_of_position<A>(X, n.W, n.X);
    }
    for (int row = 0; row < rows; ++row) {
      Row& r = rows_[row];
      r.x = scratch.take<I>(X_), r.y = scratch.take<I>(X_);
      r.right = scratch.take<A>(X_), r.down = scratch.take<A>(X_);
      r.live_x = scratch.take<A>(X_), r.live_y = scratch.take<A>(X_);
    }
  }

  // Row of pixels: the corner (x, y) above and left of the position, the shares of the corners to
  // its right and below it, and whether the position still moves with the offset (1) or is
  // clamped to the border (0).
  struct Row {
    I *x, *y;
    A *right, *down, *live_x, *live_y;
    I top, bottom;  // least and largest y
  };

  const Row& row(int slot) const { return rows_[slot]; }

  // Output column at a place of the row: the same number, but that the last line of pixels ends
  // with the row, even if it repeats some of the line before. A row shorter than a line is filled
  // up with its last pixel.
  int64_t pixel(int64_t place) const {
    if (n_.X < line_) return std::min(place, n_.X - 1);
    return std::min(place / line_ * line_, n_.X - line_) + place % line_;
  }

  int64_t padded_width() const { return X_; }
  const int64_t* columns() const { return column_; }

  // Row Y of group g of image b.
  void compute(int slot, int64_t Y, const Offsets<A>& offsets, int64_t b, int64_t g) {
    constexpr int L = kLanes<A>;
    const int64_t start = b * field_.batch_stride + g * field_.plane_stride() + field_.row(Y, n_.Y);
    offsets.read(offsets.start, start, column_, X_, move_x_);
    offsets.read(offsets.start, start + n_.G * field_.plane_stride(), column_, X_, move_y_);
    const I home_y = static_cast<I>(nearest_index(Y, n_.H, n_.Y));
    const A rest_y = from_centre_ ? A(0) : rest_of_position<A>(Y, n_.H, n_.Y);
    Row& r = rows_[slot];
    Ints<A> top = Ints<A>{} + static_cast<I>(n_.H), bottom = Ints<A>{};
    for (int64_t X = 0; X < X_; X += L) {
      axis(load<Vec<A>>(move_x_ + X) + load<Vec<A>>(rest_ + X), load<Ints<A>>(home_ + X),
           static_cast<I>(n_.W), r.x + X, r.right + X, r.live_x + X);
      const Ints<A> y = axis(load<Vec<A>>(move_y_ + X) + rest_y, Ints<A>{} + home_y,
                             static_cast<I>(n_.H), r.y + X, r.down + X, r.live_y + X);
      top = y < top ? y : top;
      bottom = y > bottom ? y : bottom;
    }
    r.top = top[0], r.bottom = bottom[0];
    for (int lane = 1; lane < L; ++lane) {
      r.top = top[lane] < r.top ? top[lane] : r.top;
      r.bottom = bottom[lane] > r.bottom ? bottom[lane] : r.bottom;
    }
  }

 private:
  static Ints<A> axis(Vec<A> shift, Ints<A> home, I length, I* at, A* share, A* live) {
    // Bounded before it becomes an integer: NaN ends at the first pixel, infinity at the border.
    const A far = static_cast<A>(length + 2);
    shift = shift > -far ? shift : broadcast<A>(-far);
    shift = shift < far ? shift : broadcast<A>(far);
    // Floor of the shift, not of the position: large pixel numbers leave few bits for the share.
    const Ints<A> whole = floor_to_int<A>(shift);
    Vec<A> part = shift - __builtin_convertvector(whole, Vec<A>);
    Ints<A> pixel = home + whole;
    const Ints<A> clamped = (pixel < 0) | (pixel >= length - 1);
    const Ints<A> still = clamped | ((pixel == 0) & (part == 0));
    pixel = pixel < 0 ? Ints<A>{} : pixel;
    pixel = pixel > length - 1 ? Ints<A>{} + (length - 1) : pixel;
    part = clamped ? Vec<A>{} : part;
    store(at, pixel);
    store(share, part);
    store(live, still ? Vec<A>{} : broadcast<A>(1));
    return pixel;
  }

  Sizes n_;
  Field field_;
  bool from_centre_;
  int64_t line_, X_;
  int64_t* column_;
  I* home_;
  A *rest_, *move_x_, *move_y_;
  Row rows_[kMaxRows];
};

}  // namespace dysample
