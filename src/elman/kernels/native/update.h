// The update of a parameter.
#pragma once

#include "kernels.h"
#include "ranges.h"

namespace elman::ELMAN_ISA {

static inline Vec square_root(Vec x) {
#if defined(__AVX512F__)
  return (Vec)_mm512_sqrt_ps((__m512)x);
#else
  Vec result;
  for (int i = 0; i < kWidth; ++i) result[i] = __builtin_sqrtf(x[i]);
  return result;
#endif
}

// SGD or Adam, on all of w or on some of its rows; each row belongs to one thread.
static void update(Pool& pool, const Update& call) {
  pool.run([&](int thread) {
    // Without `rows`, w is one long row and the threads share its columns; with them, they share the rows.
    const Range mine = share(call.rows ? call.n : divide_up(call.width, kWidth), thread, pool.size());
    const long first = call.rows ? mine.begin : 0, last = call.rows ? mine.end : 1;
    for (long r = first; r < last; ++r) {
      const long at = call.rows ? call.rows[r] * call.width : 0;
      const long begin = call.rows ? 0 : mine.begin * kWidth,
                 end = call.rows ? call.width : min(mine.end * kWidth, call.width);
      const float* g = call.g + r * call.width;
      for (long i = begin; i < end; i += kWidth) {
        const int n = static_cast<int>(min(end - i, kWidth));
        const Vec gradient = load_n(g + i, n) * call.scale;
        const Vec w = load_n(call.w + at + i, n);
        if (!call.m) {
          store_n(call.w + at + i, w - gradient * call.rate, n);
          continue;
        }
        const Vec m = load_n(call.m + at + i, n) * call.beta_1 + gradient * (1.0f - call.beta_1);
        const Vec v = load_n(call.v + at + i, n) * call.beta_2 + gradient * gradient * (1.0f - call.beta_2);
        store_n(call.m + at + i, m, n);
        store_n(call.v + at + i, v, n);
        store_n(call.w + at + i, w - call.rate * m / (square_root(v) + call.eps), n);
      }
    }
  });
}

}  // namespace elman::ELMAN_ISA
