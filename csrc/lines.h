// A row of output pixels, split into lines that fit into windows and others.
#pragma once

#include "window.h"

namespace dysample {

#if !defined(__AVX512F__)
template <class A>
struct Window {};
#endif

template <class A>
struct Lines {
  static constexpr int L = kLanes<A>;

  int64_t *fitting, *others;  // first places of the lines that fit, and of the others
  Window<A>* windows;         // of the lines that fit
  int fits = 0, rest = 0;

  static size_t scratch(int64_t X) {
    return 2 * Scratch::size_of<int64_t>(count(X)) + Scratch::size_of<Window<A>>(count(X));
  }

  Lines(int64_t X, Scratch& scratch) {
    fitting = scratch.take<int64_t>(count(X));
    others = scratch.take<int64_t>(count(X));
    windows = scratch.take<Window<A>>(count(X));
  }

  // Lines of `pixels` each, a whole number of kLanes. Those of one vector may fit into a window: for
  // narrower types the conversions would cost more than transposing saves.
  void split(const typename Positions<A>::Row& at, int pixels, const Sizes& n) {
    fits = rest = 0;
    for (int64_t place = 0; place < n.X; place += pixels) {
      bool fit = false;
      if constexpr (kHasWindows)
        fit = pixels == L && n.X >= L && windows[fits].fit(at, place, n.H, n.W);
      if (fit)
        fitting[fits++] = place;
      else
        others[rest++] = place;
    }
  }

 private:
  static int64_t count(int64_t X) { return Positions<A>::padded(X) / L; }
};

}  // namespace dysample
