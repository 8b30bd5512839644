// Sums: of products, of squares, of rows, of columns.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels.h"
#include "ranges.h"

namespace elman::ELMAN_ISA {

static inline double dot(const float* a, const float* b, long n) {
  Vec sum[2] = {};
  over_vectors(n, [&](long j, int count) { sum[j / kWidth & 1] += load_n(a + j, count) * load_n(b + j, count); });
  return sum_of(sum[0] + sum[1]);
}

// Σ x²: runs of 4096 floats, whose sums are added in float64, so that the result does not depend on the threads.
static double sum_of_squares(Pool& pool, const float* x, long n) {
  constexpr long kRun = 4096;
  const long runs = divide_up(n, kRun);
  std::vector<double> part(static_cast<size_t>(runs));
  pool.run([&](int thread) {
    const Range mine = share(runs, thread, pool.size());
    for (long r = mine.begin; r < mine.end; ++r) {
      Vec sum0{}, sum1{}, sum2{}, sum3{};
      const long end = min((r + 1) * kRun, n);
      long i = r * kRun;
      for (; i + 4 * kWidth <= end; i += 4 * kWidth) {
        const Vec a = load(x + i), b = load(x + i + kWidth), c = load(x + i + 2 * kWidth), d = load(x + i + 3 * kWidth);
        sum0 += a * a, sum1 += b * b, sum2 += c * c, sum3 += d * d;
      }
      for (; i < end; i += kWidth) {
        const Vec a = load_n(x + i, static_cast<int>(min(end - i, kWidth)));
        sum0 += a * a;
      }
      part[static_cast<size_t>(r)] = sum_of((sum0 + sum1) + (sum2 + sum3));
    }
  });
  double total = 0;
  for (const double each : part) total += each;
  return total;
}

// out[r] = Σ values[order[k]] over start[r] <= k < start[r+1], which is never empty.
static void sum_rows(Pool& pool, const float* values, const int64_t* order, const int64_t* start, long rows, long width,
                     float* out) {
  pool.run([&](int thread) {
    // Even shares of `values`, cut at whole rows of `out`. Each row of values is read from end to end: memory is
    // fastest so.
    const auto first = [&](int t) {
      return std::lower_bound(start, start + rows, start[rows] * t / pool.size()) - start;
    };
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
    const Range mine = share(divide_up(width, kWidth), thread, pool.size());
    const long begin = mine.begin * kWidth, end = min(mine.end * kWidth, width);
    for (long j = begin; j < end; ++j) out[j] = 0;
    constexpr long kRun = 8;  // rows at a time: fewer passes over `out`
    for (long r = 0; r < rows; r += kRun)
      for (long j = begin; j < end; j += kWidth) {
        const int n = static_cast<int>(min(end - j, kWidth));
        Vec sum{};
        for (long i = r; i < min(r + kRun, rows); ++i) sum += load_n(x + i * width + j, n);
        store_n(out + j, load_n(out + j, n) + sum, n);
      }
  });
}

}  // namespace elman::ELMAN_ISA
