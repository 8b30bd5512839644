// A product of two whole matrices on all threads, and the two kernels of the recurrence.
#pragma once

#include <functional>

#include "kernels.h"
#include "product.h"

namespace elman::ELMAN_ISA {

constexpr long kDeep = 256;                    // lanes of k in one pass: a panel of B stays in the first-level cache
constexpr long kAcross = 32;                   // panels whose sums stand in the core's cache before they are written
constexpr long kFewRows = 16 * kMaxRows;        // of a product, up to which its columns are split
constexpr long kSums = kAcross * kPanel + 16;  // a row of them; no power of two

// m rows of sums, ld apart, to rows of N in memory: row by row, as the processor fetches ahead best. (A piece of 32 columns
// of each row at a time waits for memory: a quarter of the time of the recurrence at Dh = 512.)
static inline void write_rows(float* out, const float* sums, long ld, int m, long N, bool more) {
  for (int i = 0; i < m; ++i)
    over_vectors(N, [&](long j, int n) {
      const V c = load(sums + i * ld + j);
      store_n(out + i * N + j, more ? load_n(out + i * N + j, n) + c : c, n);
    });
}

// Rows of the result over the threads, and B packed once by all of them; or, of few rows, columns over the threads, each of
// which then reads no more of B than it has packed.
template <class P>
static void product_by_parts(Pool& pool, const Product& q) {
  const long KL = lanes<P>(q.K), panels = divide_up(q.N, kPanel), stride = row_stride<P>(q.K);
  const bool by_columns = q.M <= kFewRows && panels >= 2 * pool.size();
  float* packed = pool.scratch(-1, 0, static_cast<size_t>(packed_size<P>(q.K, q.N)));
  for (int t = 0; t < pool.size(); ++t) {
    pool.scratch(t, 0, static_cast<size_t>(kMaxRows * (q.a_transposed ? KL : stride) + 2 * W));
    pool.scratch(t, 1, static_cast<size_t>(kMaxRows * kSums));
  }
  pool.run([&](int thread) {
    const Range mine = share(panels, thread, pool.size());
    if (q.b_transposed) pack_b_transposed<P>(q.b, q.K, q.K, q.N, packed, mine.begin, mine.end);
    else pack_b<P>(q.b, q.N, q.K, q.N, packed, mine.begin, mine.end);
    if (!by_columns) pool.barrier();
    float *left = pool.scratch(thread, 0, 0), *sums = pool.scratch(thread, 1, 0);
    const Range rows = by_columns ? Range{0, q.M} : share(q.M, thread, pool.size());
    const Range across = by_columns ? mine : Range{0, panels};
    over_row_blocks(rows.begin, rows.end, [&](long from, int m) {
      if (q.a_transposed) pack_columns<P>(q.a + from, q.M, q.K, m, left);
      else pack_rows<P>(q.a + from * q.K, q.K, m, q.K, left, stride);
      for (long p = across.begin; p < across.end; p += kAcross) {
        const long last = min(p + kAcross, across.end), n0 = p * kPanel, n1 = min(last * kPanel, q.N);
        for (long k0 = 0; k0 < KL; k0 += kDeep) {
          const long deep = min(KL - k0, kDeep);
          if (q.a_transposed) rows_into<P, false>(sums, kSums, k0 > 0, m, deep, left + k0 * m, m, packed, KL, k0, q.N, p, last);
          else rows_into<P, true>(sums, kSums, k0 > 0, m, deep, left + k0, stride, packed, KL, k0, q.N, p, last);
        }
        for (int i = 0; i < m; ++i) {
          float* out = q.out + (from + i) * q.N + n0;
          over_vectors(n1 - n0, [&](long j, int n) {
            V c = load(sums + i * kSums + j);
            if (q.bias) c += load_n(q.bias + n0 + j, n);
            store_n(out + j, c, n);
          });
        }
      }
    });
  });
}

// For A^T B over many rows (k) of both: each thread takes a part of k, and the parts are added in a fixed order.
template <class P>
static void product_by_depth(Pool& pool, const Product& q) {
  const int threads = pool.size();
  const long panels = divide_up(q.N, kPanel), step = kDeep * P::pair, ld = row_stride<Float32>(q.N);
  const size_t size = static_cast<size_t>(q.M * q.N);
  for (int t = 0; t < threads; ++t) {
    pool.scratch(t, 0, static_cast<size_t>(kDeep * q.M));
    pool.scratch(t, 1, static_cast<size_t>(packed_size<P>(step, q.N)));
    pool.scratch(t, 2, t ? size : 0);
    pool.scratch(t, 3, static_cast<size_t>(kMaxRows * ld));
  }
  pool.run([&](int thread) {
    float *left = pool.scratch(thread, 0, 0), *right = pool.scratch(thread, 1, 0), *block = pool.scratch(thread, 3, 0);
    float* sum = thread ? pool.scratch(thread, 2, 0) : q.out;
    const Range mine = share(divide_up(q.K, P::pair), thread, threads);
    const long end = min(mine.end * P::pair, q.K);
    if (mine.begin * P::pair >= end) std::memset(sum, 0, size * sizeof(float));
    bool more = false;
    for (long k = mine.begin * P::pair; k < end; k += step, more = true) {
      const long deep = min(end - k, step), KL = lanes<P>(deep);
      pack_b<P>(q.b + k * q.N, q.N, deep, q.N, right, 0, panels);
      pack_columns<P>(q.a + k * q.M, q.M, deep, q.M, left);
      const float* to = left;
      over_row_blocks(0, q.M, [&](long from, int m) {
        rows_into<P, false>(block, ld, false, m, KL, to, m, right, KL, 0, q.N, 0, panels);
        write_rows(sum + from * q.N, block, ld, m, q.N, more);
        to += m * KL;
      });
    }
    pool.barrier();
    const Range part = share(static_cast<long>(size), thread, threads);
    for (int t = 1; t < threads; ++t) {
      const float* other = pool.scratch(t, 2, 0);
      for (long i = part.begin; i < part.end; i += W) {
        const int n = static_cast<int>(min(part.end - i, W));
        store_n(q.out + i, load_n(q.out + i, n) + load_n(other + i, n), n);
      }
    }
  });
}

template <class P>
static void product_in(Pool& pool, const Product& q) {
  if (q.a_transposed && !q.b_transposed && !q.bias && q.K >= 64 * pool.size()) product_by_depth<P>(pool, q);
  else product_by_parts<P>(pool, q);
}

// One row of h or dz in lanes, as the next step's left operand.
template <class P>
static inline void store_lanes(float* row, long n0, V v, int n) {
  if constexpr (P::pair == 1) {
    if constexpr (std::is_same_v<P, Float32>) store_n(row + n0, v, n);
    else store_n(row + n0, to_bf16(v), n);
  }
#if defined(__AVX512BF16__)
  else {
    const __m256i half = (__m256i)_mm512_cvtneps_pbh((__m512)v);
    uint16_t* to = reinterpret_cast<uint16_t*>(row) + n0;
    if (n == W) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
    else std::memcpy(to, &half, static_cast<size_t>(n) * 2);
  }
#endif
}

// The loop over time that both directions share. Thread t owns rows of the batch for the whole sequence, or, by
// units, a part of the columns with a barrier a step. Two buffers take turns as left operand.
//
//   first(row, lanes)                        fills a row of the first left operand
//   finish(s, row, columns, sums, lanes)     takes columns of a row of step s's product, and fills the next left operand
//
// The sums of a block of rows stand in the core's cache until all its columns are there: then what comes from memory and
// goes to it (u, dh, h, dz) is walked row by row, which the processor's own prefetching follows.
template <class P, class First, class Finish>
static void over_time(Pool& pool, long T, long B, long Dh, bool by_units, const float* weights, bool transposed, First&& first,
                      Finish&& finish) {
  const long KL = lanes<P>(Dh), panels = divide_up(Dh, kPanel), stride = row_stride<P>(Dh), ld = row_stride<Float32>(Dh);
  const int threads = pool.size();
  float* packed = pool.scratch(-1, 0, static_cast<size_t>(packed_size<P>(Dh, Dh)));
  float* both = pool.scratch(-1, 1, static_cast<size_t>(2 * B * stride));
  for (int t = 0; t < threads; ++t) pool.scratch(t, 0, static_cast<size_t>(kMaxRows * ld));
  pool.run([&](int thread) {
    const Range columns = share(panels, thread, threads), all_panels{0, panels};
    if (transposed) pack_b_transposed<P>(weights, Dh, Dh, Dh, packed, columns.begin, columns.end);
    else pack_b<P>(weights, Dh, Dh, Dh, packed, columns.begin, columns.end);
    const Range rows = by_units ? Range{0, B} : share(B, thread, threads);
    const Range own = share(B, thread, threads), mine = by_units ? columns : all_panels;
    const Range units{mine.begin * kPanel, min(mine.end * kPanel, Dh)};
    float* sums = pool.scratch(thread, 0, 0);
    for (long b = own.begin; b < own.end; ++b) {
      std::memset(both + b * stride, 0, static_cast<size_t>(stride) * 4);
      std::memset(both + (B + b) * stride, 0, static_cast<size_t>(stride) * 4);
      first(b, both + b * stride);
    }
    pool.barrier();
    for (long s = 0; s < T; ++s) {
      const float* left = both + (s & 1) * B * stride;
      float* next = both + (~s & 1) * B * stride;
      over_row_blocks(rows.begin, rows.end, [&](long from, int m) {
        rows_into<P, true>(sums + units.begin, ld, false, m, KL, left + from * stride, stride, packed, KL, 0, Dh, mine.begin,
                           mine.end);
        for (int i = 0; i < m; ++i) finish(s, from + i, units, sums + i * ld, next + (from + i) * stride);
      });
      if (by_units) pool.barrier();
    }
  });
}

template <class P>
static void recurrence_in(Pool& pool, const Recurrence& q) {
  const long row = q.Dh, step = q.B * q.Dh;
  const auto run = [&](auto which) {
    constexpr int activation = decltype(which)::value;
    over_time<P>(
        pool, q.T, q.B, q.Dh, q.by_units, q.W_h, true,
        [&](long b, float* left) {
          std::memcpy(q.h + b * row, q.h_0 + b * row, static_cast<size_t>(row) * 4);
          for (long n = 0; n < row; n += W) {
            const int count = static_cast<int>(min(row - n, W));
            store_lanes<P>(left, n, load_n(q.h_0 + b * row + n, count), count);
          }
        },
        [&](long t, long b, Range units, const float* sums, float* left) {
          const float* u = q.u + (q.rows ? q.rows[t * q.B + b] : t * q.B + b) * row;
          float* out = q.h + (t + 1) * step + b * row;
          over_vectors(units, [&](long j, int n) {
            const V h = activate(load(sums + j) + load_n(u + j, n), activation);  // h = f(W_h h + u)
            store_n(out + j, h, n);
            store_lanes<P>(left, j, h, n);
          });
        });
  };
  if (q.activation == kSigmoid) run(std::integral_constant<int, kSigmoid>{});
  else if (q.activation == kTanh) run(std::integral_constant<int, kTanh>{});
  else run(std::integral_constant<int, kRelu>{});
}

template <class P>
static void recurrence_gradient_in(Pool& pool, const RecurrenceGradient& q) {
  const long row = q.Dh, step = q.B * q.Dh, last = (q.T - 1) * step;
  const V most = V{} + q.cut;
  const auto finish = [&](long at, long n, int count, V gamma, float* left) {
    if (q.cut > 0) gamma = gamma > most ? most : (gamma < -most ? -most : gamma);  // NaN stays
    const V dz = gamma * activation_gradient(load_n(q.h + step + at + n, count), q.activation);  // δ2 = γ ∘ f'(z)
    store_n(q.dz + at + n, dz, count);
    store_lanes<P>(left, n, dz, count);
  };
  over_time<P>(
      pool, q.T - 1, q.B, q.Dh, q.by_units, q.W_h, false,
      [&](long b, float* left) {
        for (long n = 0; n < row; n += W) {
          const int count = static_cast<int>(min(row - n, W));
          finish(last + b * row, n, count, load_n(q.dh + last + b * row + n, count), left);
        }
      },
      [&](long s, long b, Range units, const float* sums, float* left) {
        const long at = last - (s + 1) * step + b * row;
        over_vectors(units, [&](long j, int n) {  // γ = δ2^(t+1) W_h + dh
          finish(at, j, n, load(sums + j) + load_n(q.dh + at + j, n), left);
        });
      });
}

}  // namespace elman::ELMAN_ISA
