// ∂J/∂h^(i) of all losses together, summed in double: what the contributions of a decomposition are held against.
#pragma once

#include <cmath>

#include "matmul.h"

namespace elman::ELMAN_ISA {

typedef double D __attribute__((vector_size(W * 4)));  // W / 2 doubles, as many as a register holds

static inline D doubles(const float* p) {
#if defined(__AVX512F__)
  return (D)_mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif defined(__AVX2__)
  return (D)_mm256_cvtps_pd(_mm_loadu_ps(p));
#else
  return D{p[0], p[1]};
#endif
}

// The columns of `panels` panels of W_h: gamma[..count] += dz W_h.
template <int panels, int vectors>
static void add_product(const double* dz, long Dh, const float* packed, double* gamma, long count) {
  constexpr int each = 2 * vectors;
  D sum[panels * each] = {};
  for (long k = 0; k < Dh; ++k)
#pragma GCC unroll 4
    for (int p = 0; p < panels; ++p)
#pragma GCC unroll 4
      for (int j = 0; j < each; ++j)
        sum[p * each + j] += dz[k] * doubles(packed + p * kPanel * Dh + (k * each + j) * (W / 2));
  double made[panels * vectors * W];
  std::memcpy(made, sum, sizeof made);
  for (long j = 0; j < count; ++j) gamma[j] += made[j];
}

static void add_products(const double* dz, long Dh, const float* packed, Range panels, double* gamma) {
  for (long p = panels.begin; p < panels.end;) {
    const float* from = packed + p * kPanel * Dh;
    const long count = Dh - p * kPanel;
    if (p + 2 <= panels.end && count >= 2 * kPanel) add_product<2, 2>(dz, Dh, from, gamma + p * kPanel, 2 * kPanel), p += 2;
    else if (count > W) add_product<1, 2>(dz, Dh, from, gamma + p * kPanel, min(count, kPanel)), ++p;
    else add_product<1, 1>(dz, Dh, from, gamma + p * kPanel, count), ++p;
  }
}

// γ[t] = dh[t] + dz[t+1] W_h with dz[t] = γ[t] ∘ slope[t]: in place of dh, [T,B,Dh]. False where it leaves [-limit, limit],
// or is not finite; γ is of no use then. Each thread owns columns; there is a barrier a step.
static bool state_gradient(Pool& pool, const StateGradient& q) {
  const long Dh = q.Dh, panels = divide_up(Dh, kPanel), step = q.B * Dh;
  float* packed = pool.scratch(-1, 0, static_cast<size_t>(packed_size<Float32>(Dh, Dh)));
  std::vector<char> within(static_cast<size_t>(pool.size()), 1);
  pool.run([&](int thread) {
    const Range mine = share(panels, thread, pool.size());
    const Range columns{mine.begin * kPanel, min(mine.end * kPanel, Dh)};
    pack_b<Float32>(q.W_h, Dh, Dh, Dh, packed, mine.begin, mine.end);
    bool good = true;
    for (long t = q.T - 1; t >= 0; --t) {
      for (long b = 0; b < q.B; ++b) {
        double *gamma = q.gamma + t * step + b * Dh, *dz = q.dz + t * step + b * Dh;
        if (t < q.T - 1) add_products(dz + step, Dh, packed, mine, gamma);
        for (long j = columns.begin; j < columns.end; ++j) {
          good = good && std::fabs(gamma[j]) <= q.limit;
          dz[j] = gamma[j] * q.slope[t * step + b * Dh + j];
        }
      }
      pool.barrier();
    }
    within[static_cast<size_t>(thread)] = good;
  });
  for (const char each : within)
    if (!each) return false;
  return true;
}

}  // namespace elman::ELMAN_ISA
