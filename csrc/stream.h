// Stores of results larger than the caches: past them, on pages as large as the system gives.
#pragma once

#include <cstdint>

#include "storage.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace dysample {

constexpr int kLine = 64;  // bytes of a cache line

// Below about this size a result is read again from the cache sooner than from memory.
constexpr int64_t kStreamedBytes = int64_t{1} << 20;

template <class V>
inline void store_past_caches(void* to, V value) {
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) {
    _mm512_stream_si512(static_cast<__m512i*>(to), bits_as<__m512i>(value));
    return;
  }
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(V) == 32) {
    _mm256_stream_si256(static_cast<__m256i*>(to), bits_as<__m256i>(value));
    return;
  }
#endif
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 16) {
    _mm_stream_si128(static_cast<__m128i*>(to), bits_as<__m128i>(value));
    return;
  }
#endif
  std::memcpy(to, &value, sizeof(V));
}

// Before another thread reads what was stored past the caches.
inline void finish_streaming() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// First touches of a fresh result fault once a page: with pages of 4 KiB that takes longer than a
// kernel does.
inline void ask_for_huge_pages(void* start, int64_t bytes) {
#if defined(__linux__)
  constexpr uintptr_t kHuge = uintptr_t{1} << 21;
  const auto first = (reinterpret_cast<uintptr_t>(start) + kHuge - 1) / kHuge * kHuge;
  const auto last = (reinterpret_cast<uintptr_t>(start) + bytes) / kHuge * kHuge;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  (void)start, (void)bytes;
#endif
}

}  // namespace dysample
