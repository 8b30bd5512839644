// The parameters' update, and the sum of rows that goes before it for the embedding.
#pragma once

#include <algorithm>

#include "matmul.h"

namespace elman::ELMAN_ISA {

// Σ x², in float64 over runs of 4096 floats, so that the threads do not change the result.
static double sum_of_squares(Pool& pool, const float* x, long n) {
  constexpr long kRun = 4096;
  const long runs = divide_up(n, kRun);
  std::vector<double> part(static_cast<size_t>(runs));
  pool.run([&](int thread) {
    const Range mine = share(runs, thread, pool.size());
    for (long r = mine.begin; r < mine.end; ++r) {
      V sum0{}, sum1{}, sum2{}, sum3{};
      const long end = min((r + 1) * kRun, n);
      long i = r * kRun;
      for (; i + 4 * W <= end; i += 4 * W) {
        const V a = load(x + i), b = load(x + i + W), c = load(x + i + 2 * W), d = load(x + i + 3 * W);
        sum0 += a * a, sum1 += b * b, sum2 += c * c, sum3 += d * d;
      }
      for (; i < end; i += W) {
        const V a = load_n(x + i, static_cast<int>(min(end - i, W)));
        sum0 += a * a;
      }
      part[static_cast<size_t>(r)] = sum_of((sum0 + sum1) + (sum2 + sum3));
    }
  });
  double total = 0;
  for (const double each : part) total += each;
  return total;
}

static inline V square_root(V x) {
#if defined(__AVX512F__)
  return (V)_mm512_sqrt_ps((__m512)x);
#else
  V result;
  for (int i = 0; i < W; ++i) result[i] = __builtin_sqrtf(x[i]);
  return result;
#endif
}

// SGD or Adam over the rows given; each row belongs to one thread.
static void step(Pool& pool, const Step& q) {
  pool.run([&](int thread) {
    // Without `rows` the one long row is cut; with them, their list is.
    const Range mine = share(q.rows ? q.n : divide_up(q.width, W), thread, pool.size());
    const long first = q.rows ? mine.begin : 0, last = q.rows ? mine.end : 1;
    for (long r = first; r < last; ++r) {
      const long at = q.rows ? q.rows[r] * q.width : 0;
      const long begin = q.rows ? 0 : mine.begin * W, end = q.rows ? q.width : min(mine.end * W, q.width);
      const float* g = q.g + r * q.width;
      for (long i = begin; i < end; i += W) {
        const int n = static_cast<int>(min(end - i, W));
        const V gradient = load_n(g + i, n) * q.scale;
        const V w = load_n(q.w + at + i, n);
        if (!q.m) {
          store_n(q.w + at + i, w - gradient * q.rate, n);
          continue;
        }
        const V m = load_n(q.m + at + i, n) * q.beta_1 + gradient * (1.0f - q.beta_1);
        const V v = load_n(q.v + at + i, n) * q.beta_2 + gradient * gradient * (1.0f - q.beta_2);
        store_n(q.m + at + i, m, n);
        store_n(q.v + at + i, v, n);
        store_n(q.w + at + i, w - q.rate * m / (square_root(v) + q.eps), n);
      }
    }
  });
}

// out[r] = Σ values[order[k]] over start[r] <= k < start[r+1], of which there is at least one.
static void sum_rows(Pool& pool, const float* values, const int64_t* order, const int64_t* start, long rows, long width,
                     float* out) {
  pool.run([&](int thread) {
    // Even shares of `values`, cut at whole rows of `out`; each row of values from end to end, as memory likes it best.
    const auto first = [&](int t) { return std::lower_bound(start, start + rows, start[rows] * t / pool.size()) - start; };
    const long end = first(thread + 1);
    for (long r = first(thread); r < end; ++r) {
      float* sum = out + r * width;
      std::memcpy(sum, values + order[start[r]] * width, static_cast<size_t>(width) * 4);
      for (int64_t k = start[r] + 1; k < start[r + 1]; ++k) {
        const float* row = values + order[k] * width;
        over_vectors(width, [&](long j, int n) { store_n(sum + j, load_n(sum + j, n) + load_n(row + j, n), n); });
      }
    }
  });
}

// out[j] = Σ over the rows of x[row][j]; each column belongs to one thread.
static void sum_columns(Pool& pool, const float* x, long rows, long width, float* out) {
  pool.run([&](int thread) {
    const Range mine = share(divide_up(width, W), thread, pool.size());
    const long begin = mine.begin * W, end = min(mine.end * W, width);
    for (long j = begin; j < end; ++j) out[j] = 0;
    constexpr long kRun = 8;  // rows at a time: fewer passes over `out`
    for (long r = 0; r < rows; r += kRun)
      for (long j = begin; j < end; j += W) {
        const int n = static_cast<int>(min(end - j, W));
        V sum{};
        for (long i = r; i < min(r + kRun, rows); ++i) sum += load_n(x + i * width + j, n);
        store_n(out + j, load_n(out + j, n) + sum, n);
      }
  });
}

}  // namespace elman::ELMAN_ISA
