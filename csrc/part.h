// The first bytes of a vector to and from memory, where a row or a group of channels ends within
// it. Nothing behind them is touched.
#pragma once

#include "vec.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dysample {
namespace detail {

// Words of a vector that ends before `bytes` of it: never through memory, where pieces just written
// cannot be read as a whole until they have arrived.
inline uint64_t load_word(const char* from, int bytes) {
  if (bytes >= 8) return load<uint64_t>(from);
  uint64_t word = 0;
  if (bytes & 1) word = static_cast<unsigned char>(from[bytes - 1]);
  if (bytes & 2) word = word << 16 | load<uint16_t>(from + (bytes & 4));
  if (bytes & 4) word = word << 32 | load<uint32_t>(from);
  return word;
}

inline void store_word(char* to, uint64_t word, int bytes) {
  if (bytes >= 8) return store(to, word);
  if (bytes & 4) {
    store(to, static_cast<uint32_t>(word));
    word >>= 32, to += 4;
  }
  if (bytes & 2) {
    store(to, static_cast<uint16_t>(word));
    word >>= 16, to += 2;
  }
  if (bytes & 1) *to = static_cast<char>(word);
}

#if defined(__AVX2__)
// Ones in the first of eight words.
inline __m256i first_words(int count) {
  static constexpr int32_t kOnes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return load<__m256i>(kOnes + 8 - count);
}
#endif

}  // namespace detail

// A vector whose first `bytes`, of whole elements, come from memory; the others are 0.
template <class V>
inline V load_part(const void* from, int bytes) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  if constexpr (sizeof(V) == 64)
    return bits_as<V>(_mm512_maskz_loadu_epi8(_cvtu64_mask64(_bzhi_u64(~0ull, bytes)), from));
  if constexpr (sizeof(V) == 32)
    return bits_as<V>(_mm256_maskz_loadu_epi8(_cvtu32_mask32(_bzhi_u32(~0u, bytes)), from));
#elif defined(__AVX2__)
  if constexpr (sizeof(V) == 32)
    return bits_as<V>(
        _mm256_maskload_epi32(static_cast<const int*>(from), detail::first_words(bytes / 4)));
#endif
  using Words = typename VectorOf<uint64_t, sizeof(V) / 8>::type;
  Words words = {};
  for (int word = 0; word < static_cast<int>(sizeof(V)) / 8; ++word)
    if (bytes > 8 * word)
      words[word] = detail::load_word(static_cast<const char*>(from) + 8 * word, bytes - 8 * word);
  return bits_as<V>(words);
}

// Writes the first `bytes`, of whole elements, of a vector.
template <class V>
inline void store_part(void* to, V value, int bytes) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  if constexpr (sizeof(V) == 64)
    return _mm512_mask_storeu_epi8(to, _cvtu64_mask64(_bzhi_u64(~0ull, bytes)),
                                   bits_as<__m512i>(value));
  if constexpr (sizeof(V) == 32)
    return _mm256_mask_storeu_epi8(to, _cvtu32_mask32(_bzhi_u32(~0u, bytes)),
                                   bits_as<__m256i>(value));
#endif
  // AVX2 has masked stores too, which some processors take ten times as long for.
  using Words = typename VectorOf<uint64_t, sizeof(V) / 8>::type;
  const Words words = bits_as<Words>(value);
  for (int word = 0; word < static_cast<int>(sizeof(V)) / 8; ++word)
    if (bytes > 8 * word)
      detail::store_word(static_cast<char*>(to) + 8 * word, words[word], bytes - 8 * word);
}

}  // namespace dysample
