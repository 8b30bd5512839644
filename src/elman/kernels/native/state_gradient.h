// ∂J/∂h^(i) and ∂J/∂z^(i) of all losses together, summed in float64: the totals that the contributions are compared
// with.
#pragma once

#include <cmath>
#include <vector>

#include "kernels.h"
#include "product.h"

namespace elman::ELMAN_ISA {

typedef double DoubleVec __attribute__((vector_size(kWidth * 4)));  // kWidth / 2 doubles, as many as a register holds

static inline DoubleVec load_as_doubles(const float* x) {
#if defined(__AVX512F__)
  return (DoubleVec)_mm512_cvtps_pd(_mm256_loadu_ps(x));
#elif defined(__AVX2__)
  return (DoubleVec)_mm256_cvtps_pd(_mm_loadu_ps(x));
#else
  return DoubleVec{x[0], x[1]};
#endif
}

// gamma += dz W_h, for `count` columns of some panels of the packed W_h, each of `vectors` vectors.
template <int panels, int vectors>
static void add_product(const double* dz, long Dh, const float* W_h, double* gamma, long count) {
  constexpr int each = 2 * vectors;
  DoubleVec sum[panels * each] = {};
  for (long k = 0; k < Dh; ++k)
#pragma GCC unroll 4
    for (int p = 0; p < panels; ++p)
#pragma GCC unroll 4
      for (int j = 0; j < each; ++j)
        sum[p * each + j] +=
            dz[k] * load_as_doubles(W_h + p * Float32MicroKernel::kColumns * Dh + (k * each + j) * (kWidth / 2));
  double sums[panels * vectors * kWidth];
  std::memcpy(sums, sum, sizeof sums);
  for (long j = 0; j < count; ++j) gamma[j] += sums[j];
}

static void add_products(const double* dz, long Dh, const float* packed, Range panels, double* gamma) {
  constexpr int kColumns = Float32MicroKernel::kColumns;
  for (long p = panels.begin; p < panels.end;) {
    const float* W_h = packed + p * kColumns * Dh;
    double* columns = gamma + p * kColumns;
    const long count = Dh - p * kColumns;
    if (p + 2 <= panels.end && count >= 2 * kColumns) {
      add_product<2, 2>(dz, Dh, W_h, columns, 2 * kColumns);
      p += 2;
      continue;
    }
    if (count > kColumns / 2) add_product<1, 2>(dz, Dh, W_h, columns, min(count, kColumns));
    else add_product<1, 1>(dz, Dh, W_h, columns, count);
    ++p;
  }
}

// γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ σ'(z[t]). False where an entry of γ is not within the limit or not
// finite; the results are then of no use. Each thread owns columns, with a barrier each step.
static bool state_gradient(Pool& pool, const StateGradient& call) {
  enum class Shared { W_h, count };
  using Kernel = Float32MicroKernel;
  const long Dh = call.Dh, step = call.B * Dh;
  float* W_h = pool.reserve_shared(Shared::W_h, packed_floats<Kernel>(Dh, Dh));
  std::vector<char> within_limit(static_cast<size_t>(pool.size()), 1);
  pool.run([&](int thread) {
    const Range mine = share(panels_of<Kernel>(Dh), thread, pool.size());
    const Range columns{mine.begin * Kernel::kColumns, min(mine.end * Kernel::kColumns, Dh)};
    pack_right<Kernel>({call.W_h, Dh, Dh, Dh}, W_h, mine);
    bool good = true;
    for (long t = call.T - 1; t >= 0; --t) {
      for (long b = 0; b < call.B; ++b) {
        const long row = t * step + b * Dh;
        double *gamma = call.gamma + row, *dz = call.dz + row;
        if (t < call.T - 1) add_products(dz + step, Dh, W_h, mine, gamma);
        for (long j = columns.begin; j < columns.end; ++j) {
          good = good && std::fabs(gamma[j]) <= call.limit;
          dz[j] = gamma[j] * call.derivative[row + j];
        }
      }
      pool.barrier();
    }
    within_limit[static_cast<size_t>(thread)] = good;
  });
  for (const char each : within_limit)
    if (!each) return false;
  return true;
}

}  // namespace elman::ELMAN_ISA
