// A triangle L with L L^T = A A^T: ‖δ A‖ = ‖δ L‖ takes half the multiplications. Householder's reflections from the right
// (A = L Q), which act on each row of A by itself: a row of L is off by a few roundings of its own length, however
// different the rows are, and whatever A's rank.
#pragma once

#include <cmath>

#include "matmul.h"

namespace elman::ELMAN_ISA {

// Σ x² as it was found, or in double where a float has no room for a square.
static inline double checked(double found, const float* x, long n) {
  if (found > 1e-26 && found < 1e36) return found;
  double again = 0;
  for (long j = 0; j < n; ++j) again += static_cast<double>(x[j]) * x[j];
  return again;
}

static inline double dot(const float* a, const float* b, long n) {
  V sum[2] = {};
  over_vectors(n, [&](long j, int count) { sum[j / W & 1] += load_n(a + j, count) * load_n(b + j, count); });
  return sum_of(sum[0] + sum[1]);
}
static inline double squares(const float* x, long n) { return checked(dot(x, x, n), x, n); }

constexpr int kReflections = 4;  // that go through the rows together

// The reflections H_j = 1 - tau_j v_j v_j^T that clear some rows of A beyond the diagonal.
struct Reflections {
  float* v;  // [kReflections][stride]; from column `from` on, zero before
  long stride, from, end;
  double tau[kReflections], overlap[kReflections][kReflections];  // v_i · v_j
  float diagonal[kReflections][kReflections];                     // what the rows become: L's entries from `from` on

  float dot(int j, const float* row) const {
    V sum[2] = {};
    for (long c = from; c < end; c += W) sum[c / W & 1] += load(v + j * stride + c) * load(row + c);
    return sum_of(sum[0] + sum[1]);
  }

  // Rows first .. first+count of A, of n columns, as they are after all earlier reflections.
  void make(const float* rows, long first, int count, long n) {
    from = first / W * W, end = round_up(n, W);
    std::memcpy(v, rows, static_cast<size_t>(count * stride) * 4);
    for (int j = 0; j < kReflections; ++j) {
      float* x = v + j * stride;
      if (j >= count) std::memset(x, 0, static_cast<size_t>(stride) * 4);
      const long at = first + j;
      const double beyond = j < count ? squares(x + at + 1, n - at - 1) : 0;
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
    for (long c = from; c < end; c += W) store(row + c, load(row + c) + static_cast<float>(factor) * load(v + j * stride + c));
  }

  // row H_0 H_1 …, all at once: the factor of a later one is told from the products with the row as it was.
  void reflect(float* row) const {
    V sum[kReflections] = {};
    for (long c = from; c < end; c += W) {
      const V x = load(row + c);
      for (int j = 0; j < kReflections; ++j) sum[j] += x * load(v + j * stride + c);
    }
    double factor[kReflections];
    for (int j = 0; j < kReflections; ++j) {
      factor[j] = sum_of(sum[j]);
      for (int i = 0; i < j; ++i) factor[j] -= factor[i] * overlap[i][j];
      factor[j] *= tau[j];
    }
    V by[kReflections];
    for (int j = 0; j < kReflections; ++j) by[j] = all(static_cast<float>(factor[j]));
    for (long c = from; c < end; c += W) {
      V x = load(row + c);
      for (int j = 0; j < kReflections; ++j) x -= by[j] * load(v + j * stride + c);
      store(row + c, x);
    }
  }
};

// A [rows,n], its rows `stride` apart and filled up with zeros to whole vectors, becomes L in place. On every thread of the
// pool; `own` is memory of this one's, kReflections * stride floats.
static void to_triangle(Pool& pool, int thread, float* A, long rows, long n, long stride, float* own) {
  Reflections by{own, stride, 0, 0, {}, {}, {}};
  for (long k = 0; k < min(rows, n); k += kReflections) {
    const int count = static_cast<int>(min(kReflections, min(rows, n) - k));
    by.make(A + k * stride, k, count, n);  // each thread for itself: shorter than to wait for another's
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
