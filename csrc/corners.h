// Corner pixels of one row of positions as places in a ring of rows, shared by both passes.
#pragma once

#include "positions.h"
#include "tiles.h"

namespace dysample {

constexpr size_t kRingBytes = size_t{1} << 18;
constexpr int kChunks = 4;  // blocks of channels that share their positions

template <class A>
struct Corners {
  using I = Word<A>;
  static constexpr int L = kLanes<A>;

  // kLanes pixels of a row: elements of a chunk where the upper left corner starts and the one
  // below it, and the weights of the corners above left, above right, below left and below right.
  struct Block {
    I above[L], below[L];
    A weight[4][L];
  };
  Block* blocks;
  int64_t* far;  // places in the row whose rows of the map are not in the ring
  int64_t count = 0;

  static size_t scratch(int64_t X) {
    const int64_t places = Positions<A>::padded(X);
    return Scratch::size_of<Block>(places / L) + Scratch::size_of<int64_t>(places);
  }

  Corners(int64_t X, Scratch& scratch) {
    blocks = scratch.take<Block>(Positions<A>::padded(X) / L);
    far = scratch.take<int64_t>(Positions<A>::padded(X));
  }

  // Rows [oldest, filled) of the map are in the ring; far pixels are pointed at its zeros.
  void locate(const typename Positions<A>::Row& at, const Ring<A>& ring, int64_t oldest,
              int64_t filled, int64_t places, int64_t height) {
    const I mask = static_cast<I>(ring.rows() - 1), stride = static_cast<I>(ring.row_stride());
    const Ints<A> zeros = Ints<A>{} + static_cast<I>(ring.zeros());
    const I H = static_cast<I>(height), low = static_cast<I>(oldest), high = static_cast<I>(filled);
    Ints<A> any = {};
    for (int64_t X = 0; X < places; X += L) {
      Block& block = blocks[X / L];
      const Ints<A> px = load<Ints<A>>(at.x + X) * L, y = load<Ints<A>>(at.y + X), next = y + 1;
      const Ints<A> absent = (y < low) | (y >= high) | ((next >= high) & (next < H));
      any |= absent;
      store(block.above, (absent ? zeros : (y & mask) * stride) + px);
      store(block.below, ((absent | (next == H)) ? zeros : (next & mask) * stride) + px);
      const Vec<A> right = load<Vec<A>>(at.right + X), left = 1 - right;
      const Vec<A> down = load<Vec<A>>(at.down + X), up = 1 - down;
      store(block.weight[0], left * up);
      store(block.weight[1], right * up);
      store(block.weight[2], left * down);
      store(block.weight[3], right * down);
    }
    count = 0;
    I found = 0;
    for (int lane = 0; lane < L; ++lane) found |= static_cast<I>(any[lane]);
    if (found == 0) return;
    for (int64_t X = 0; X < places; ++X) {
      const int64_t y = at.y[X], next = std::min(y + 1, height - 1);
      if (y < oldest || next >= filled) far[count++] = X;
    }
  }
};

}  // namespace dysample
