// The product of two whole matrices, on all threads.
#pragma once

#include "kernels.h"
#include "product.h"

namespace elman::ELMAN_ISA {

constexpr long kPanelsPerPass = 32;  // sums of that many panels stay in the core's cache until they are written

// The threads share the rows of the result, and pack B together. With few rows they share the columns: each then packs
// the part of B that it reads.
template <class Kernel>
static void product_by_parts(Pool& pool, const Product& call) {
  enum class Shared { right, count };
  enum class Own { left, sums, count };
  constexpr int kRows = Kernel::kRows, kColumns = Kernel::kColumns;
  constexpr long kSumsStride = kPanelsPerPass * kColumns + 16;  // no power of two
  const long lanes = lanes_of<Kernel>(call.K), panels = panels_of<Kernel>(call.N), stride = left_stride<Kernel>(call.K);
  const bool by_columns = call.M <= 16 * kRows && panels >= 2 * pool.size();
  float* right = pool.reserve_shared(Shared::right, packed_floats<Kernel>(call.K, call.N));
  const Packed B{right, lanes, call.N};
  pool.reserve_own(Own::left, kRows * (call.a_transposed && !Kernel::kLeftByRows ? lanes : stride) + 2 * kWidth);
  pool.reserve_own(Own::sums, kRows * kSumsStride);
  pool.run([&](int thread) {
    [[maybe_unused]] const typename Kernel::Session session{};
    const Range mine = share(panels, thread, pool.size());
    if (call.b_transposed) pack_right_transposed<Kernel>({call.b, call.N, call.K, call.K}, right, mine);
    else pack_right<Kernel>({call.b, call.K, call.N, call.N}, right, mine);
    if (!by_columns) pool.barrier();
    float *left = pool.own(thread, Own::left), *sums = pool.own(thread, Own::sums);
    const Range rows = by_columns ? Range{0, call.M} : share(call.M, thread, pool.size());
    const Range across = by_columns ? mine : Range{0, panels};
    over_row_blocks<Kernel>(rows, [&](long from, int m) {
      if (call.a_transposed) pack_left_transposed<Kernel>({call.a + from, call.K, m, call.M}, left);
      else pack_left<Kernel>({call.a + from * call.K, m, call.K, call.K}, left, stride);
      for (long p = across.begin; p < across.end; p += kPanelsPerPass) {
        const Range part{p, min(p + kPanelsPerPass, across.end)};
        const long first = part.begin * kColumns, columns = min(part.end * kColumns, call.N) - first;
        for (long k = 0; k < lanes; k += kLanesPerPass) {
          const Range deep{k, min(k + kLanesPerPass, lanes)};
          const Destination to{sums, kSumsStride, k > 0};
          if (call.a_transposed && !Kernel::kLeftByRows)
            multiply<Kernel, kLeftOfTransposed<Kernel>>({left, m, m}, B, deep, part, to);
          else multiply<Kernel, Left::by_rows>({left, stride, m}, B, deep, part, to);
        }
        for (int i = 0; i < m; ++i) {
          float* out = call.out + (from + i) * call.N + first;
          over_vectors(columns, [&](long j, int n) {
            Vec c = load(sums + i * kSumsStride + j);
            if (call.bias) c += load_n(call.bias + first + j, n);
            store_n(out + j, c, n);
          });
        }
      }
    });
  });
}

// A^T B with many rows (k) of both: each thread takes a part of k, and the parts are added in a fixed order.
template <class Kernel>
static void product_by_depth(Pool& pool, const Product& call) {
  enum class Own { left, right, part, sums, count };
  constexpr int kPair = Kernel::Prec::kPair;
  constexpr long kStep = kLanesPerPass * kPair;
  const int threads = pool.size();
  const long M = call.M, N = call.N, stride = padded_row(N);
  const Range panels{0, panels_of<Kernel>(N)};
  pool.reserve_own(Own::left, packed_transposed_floats<Kernel>(kStep, M));
  pool.reserve_own(Own::right, packed_floats<Kernel>(kStep, N));
  for (int t = 0; t < threads; ++t) pool.reserve_own(t, Own::part, t ? M * N : 0);
  pool.reserve_own(Own::sums, Kernel::kRows * stride);
  pool.run([&](int thread) {
    [[maybe_unused]] const typename Kernel::Session session{};
    float *left = pool.own(thread, Own::left), *right = pool.own(thread, Own::right),
          *sums = pool.own(thread, Own::sums);
    float* part = thread ? pool.own(thread, Own::part) : call.out;
    const Range mine = share(divide_up(call.K, kPair), thread, threads);
    const long end = min(mine.end * kPair, call.K);
    if (mine.begin * kPair >= end) std::memset(part, 0, static_cast<size_t>(M * N) * 4);
    bool add = false;
    for (long k = mine.begin * kPair; k < end; k += kStep, add = true) {
      const long deep = min(end - k, kStep), lanes = lanes_of<Kernel>(deep);
      pack_right<Kernel>({call.b + k * N, deep, N, N}, right, panels);
      pack_left_transposed<Kernel>({call.a + k * M, deep, M, M}, left);
      over_row_blocks<Kernel>(Range{0, M}, [&](long from, int m) {
        multiply<Kernel, kLeftOfTransposed<Kernel>>(packed_transposed_block<Kernel>(left, deep, from, m),
                                                    {right, lanes, N}, panels, {sums, stride, false});
        write_rows(part + from * N, sums, stride, m, N, add);
      });
    }
    pool.barrier();
    add_parts(call.out, share(M * N, thread, threads), threads, [&](int t) { return pool.own(t, Own::part); });
  });
}

template <class Kernel>
static void product_with(Pool& pool, const Product& call) {
  const bool deep = call.a_transposed && !call.b_transposed && !call.bias && call.K >= 64 * pool.size();
  if (deep) product_by_depth<Kernel>(pool, call);
  else product_by_parts<Kernel>(pool, call);
}

}  // namespace elman::ELMAN_ISA
