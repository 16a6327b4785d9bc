// Work split over the threads that torch uses, and memory that each of them keeps.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace dysample {

// In a forked child the threads of the parent's pool are gone and waiting for them would hang:
// children work alone. cpu.cpp watches for forks.
inline std::atomic<bool> forked{false};

// Memory of one thread, kept from call to call: fresh pages cost more than small kernels. What long
// rows or wide windows took beyond kKept is given back at the end of the call.
class Scratch {
 public:
  Scratch() : used_(0) {}

  // At the end of a thread's part of a call.
  static void give_back() {
    if (kept().size > kKept) kept().release();
  }

  // Room for `bytes` in all `take`s that follow; what earlier ones gave out ends here.
  void reserve(size_t bytes) {
    Block& block = kept();
    bytes += kAlignment;
    if (bytes > block.size) {
      block.release();
      block.start = std::malloc(bytes);
      if (block.start == nullptr) throw std::bad_alloc();
      block.size = bytes;
    }
    used_ = (kAlignment - reinterpret_cast<uintptr_t>(block.start) % kAlignment) % kAlignment;
  }

  template <class T>
  T* take(size_t count) {
    T* out = reinterpret_cast<T*>(static_cast<char*>(kept().start) + used_);
    used_ += size_of<T>(count);
    return out;
  }

  template <class T>
  static size_t size_of(size_t count) {
    return (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  }

 private:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kKept = size_t{8} << 20;
  struct Block {
    void* start = nullptr;
    size_t size = 0;
    ~Block() { release(); }
    void release() {
      std::free(start);
      start = nullptr, size = 0;
    }
  };
  static Block& kept() {
    thread_local Block block;
    return block;
  }
  size_t used_;
};

// Calls f(unit) for every unit, each exactly once. Units must be independent: which thread runs
// one, and how many there are, changes no bit of the result.
template <class F>
inline int for_each_unit(int64_t units, int threads, F&& f) {
  const bool alone = forked.load();
#if defined(_OPENMP)
  // Inside somebody else's parallel region its other threads are busy with their own calls.
  if (threads > 1 && units > 1 && !alone && !omp_in_parallel()) {
    std::atomic<int> status{0};
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(dynamic, 1) nowait
      for (int64_t unit = 0; unit < units; ++unit) {
        try {
          f(unit);
        } catch (const std::bad_alloc&) {
          status.store(1);
        }
      }
      Scratch::give_back();
    }
    return status.load();
  }
#endif
  (void)alone;
  int status = 0;
  try {
    for (int64_t unit = 0; unit < units; ++unit) f(unit);
  } catch (const std::bad_alloc&) {
    status = 1;
  }
  Scratch::give_back();
  return status;
}

}  // namespace dysample
