// Which of the libraries this processor can run, and what happens as one is loaded.

#include <pthread.h>

#include "dysample.h"
#include "parallel.h"

// From the start, not from the first call: the pool is torch's, whose threads may be there before,
// and the first call a child's.
[[maybe_unused]] static const int watching =
    pthread_atfork(nullptr, nullptr, [] { dysample::forked.store(true); });

DYSAMPLE_API int dysample_best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const auto avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return 2;
  if (avx2) return 1;
#endif
  return 0;
}
