// The factor L of an LQ decomposition: L is lower triangular, and L L^T = A A^T, so that ‖δ A‖ = ‖δ L‖ takes half the
// multiplications. Householder reflections from the right (A = L Q) act on each row of A alone: the error of a row of L
// is a few roundings of that row's own length, however different the rows are, and whatever the rank of A.
#pragma once

#include <cmath>

#include "pool.h"
#include "sums.h"

namespace elman::ELMAN_ISA {

// Σ x² as summed in float, or summed again in double where squares overflow or underflow in float.
static inline double in_range_or_in_double(double in_float, const float* x, long n) {
  if (in_float > 1e-26 && in_float < 1e36) return in_float;
  double in_double = 0;
  for (long j = 0; j < n; ++j) in_double += static_cast<double>(x[j]) * x[j];
  return in_double;
}

static inline double squared_norm(const float* x, long n) { return in_range_or_in_double(dot(x, x, n), x, n); }

constexpr int kReflections = 4;  // applied to the rows together

// The reflections H_j = 1 - tau_j v_j v_j^T that make zeros right of the diagonal in some rows of A.
struct Reflections {
  float* v;  // [kReflections][stride]; zero before column `from`
  long stride;
  long from = 0, end = 0;
  double tau[kReflections] = {}, overlap[kReflections][kReflections] = {};  // v_i · v_j
  float diagonal[kReflections][kReflections] = {};                          // the rows of L, from column `from` on

  float dot(int j, const float* row) const {
    Vec sum[2] = {};
    for (long c = from; c < end; c += kWidth) sum[c / kWidth & 1] += load(v + j * stride + c) * load(row + c);
    return sum_of(sum[0] + sum[1]);
  }

  // The reflections of rows first .. first + count of A, of n columns, to which all earlier reflections were applied.
  void make(const float* rows, long first, int count, long n) {
    from = first / kWidth * kWidth, end = round_up(n, kWidth);
    std::memcpy(v, rows, static_cast<size_t>(count * stride) * 4);
    for (int j = 0; j < kReflections; ++j) {
      float* x = v + j * stride;
      if (j >= count) std::memset(x, 0, static_cast<size_t>(stride) * 4);
      const long at = first + j;
      const double beyond = j < count ? squared_norm(x + at + 1, n - at - 1) : 0;
      const double alpha = j < count ? x[at] : 0, norm = std::sqrt(alpha * alpha + beyond);
      for (int i = 0; i < j && j < count; ++i) diagonal[j][i] = x[first + i];
      diagonal[j][j] = static_cast<float>(beyond > 0 ? (alpha > 0 ? -norm : norm) : alpha);
      tau[j] = beyond > 0 ? norm / (norm + std::fabs(alpha)) : 0;  // 2 / v·v for v = (x - diagonal) / norm
      for (long c = from; c < at; ++c) x[c] = 0;
      if (beyond > 0) {
        for (long c = at + 1; c < n; ++c) x[c] = static_cast<float>(x[c] / norm);
        x[at] = static_cast<float>((alpha + (alpha > 0 ? norm : -norm)) / norm);
      }
      for (int i = 0; i < j; ++i) overlap[i][j] = dot(i, x);
      for (int i = j + 1; i < count; ++i) add(v + i * stride, j, -tau[j] * dot(j, v + i * stride));
    }
  }

  void add(float* row, int j, double factor) const {
    for (long c = from; c < end; c += kWidth)
      store(row + c, load(row + c) + static_cast<float>(factor) * load(v + j * stride + c));
  }

  // row H_0 H_1 …, all at once: the factor of a later one follows from the products with the unchanged row.
  void reflect(float* row) const {
    Vec sum[kReflections] = {};
    for (long c = from; c < end; c += kWidth) {
      const Vec x = load(row + c);
      for (int j = 0; j < kReflections; ++j) sum[j] += x * load(v + j * stride + c);
    }
    double factor[kReflections];
    for (int j = 0; j < kReflections; ++j) {
      factor[j] = sum_of(sum[j]);
      for (int i = 0; i < j; ++i) factor[j] -= factor[i] * overlap[i][j];
      factor[j] *= tau[j];
    }
    Vec by[kReflections];
    for (int j = 0; j < kReflections; ++j) by[j] = broadcast(static_cast<float>(factor[j]));
    for (long c = from; c < end; c += kWidth) {
      Vec x = load(row + c);
      for (int j = 0; j < kReflections; ++j) x -= by[j] * load(v + j * stride + c);
      store(row + c, x);
    }
  }
};

// Replaces A by L, on every thread of the pool. A has `rows` rows of n columns, `stride` apart and filled up with zeros
// to whole vectors; `own` is memory of this thread's own, kReflections * stride floats.
static void to_triangular_factor(Pool& pool, int thread, float* A, long rows, long n, long stride, float* own) {
  Reflections by{own, stride};
  for (long k = 0; k < min(rows, n); k += kReflections) {
    const int count = static_cast<int>(min(kReflections, min(rows, n) - k));
    by.make(A + k * stride, k, count, n);  // on each thread: faster than waiting for one
    for (long i = k + count; i < rows; ++i)
      if (i % pool.size() == thread) by.reflect(A + i * stride);
    pool.barrier();
    for (int j = 0; j < count; ++j) {
      if ((k + j) % pool.size() != thread) continue;
      float* row = A + (k + j) * stride;
      std::memcpy(row + k, by.diagonal[j], static_cast<size_t>(j + 1) * 4);
      std::memset(row + k + j + 1, 0, static_cast<size_t>(stride - k - j - 1) * 4);
    }
  }
  pool.barrier();
}

}  // namespace elman::ELMAN_ISA
