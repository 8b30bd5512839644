// The loop over time on matrix tiles.
#pragma once

#if defined(__AMX_TILE__) && defined(__AMX_BF16__)
#include "amx_micro_kernel.h"
#include "over_time.h"

namespace elman::ELMAN_ISA {

// A thread's sequences are two or more blocks of rows. While the tiles of one block are multiplied, vectors finish the
// block before, row by row: those are other sequences, so neither waits for the other. One left operand is enough, as
// no other block reads the rows that `finish` overwrites. Threads that share the units do as in over_time.h.
template <class First, class Finish>
static void over_time_on_tiles(Pool& pool, const OverTime& q, const float* weights, bool transposed, First&& first,
                               Finish&& finish) {
  enum class Shared { weights, count };
  enum class Own { left, sums, count };
  using Kernel = AmxMicroKernel;
  constexpr long kGroup = Kernel::kRowGroup, kSlice = 4 * kWidth;  // columns of a row that are finished together
  const int threads = pool.size();
  const long B = q.B, Dh = q.Dh, stride = left_stride<Kernel>(Dh), sums_stride = padded_row(Dh);
  const long panels = panels_of<Kernel>(Dh), lanes = lanes_of<Kernel>(Dh);
  float* packed = pool.reserve_shared(Shared::weights, packed_floats<Kernel>(Dh, Dh));
  pool.reserve_own(Own::left, grouped_rows<Kernel>(divide_up(B, threads)) * stride);
  pool.reserve_own(Own::sums, 2 * Kernel::kRows * sums_stride);
  pool.run([&](int thread) {
    const Kernel::Session session;
    const Range share_of_panels = share(panels, thread, threads), rows = share(B, thread, threads);
    if (transposed) pack_right_transposed<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    else pack_right<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    float *left = pool.own(thread, Own::left), *sums = pool.own(thread, Own::sums);
    const long count = rows.end - rows.begin, groups = divide_up(count, kGroup),
               blocks = groups < 4 ? min(groups, 2) : divide_up(groups, Kernel::kRows / kGroup);
    std::memset(left, 0, static_cast<size_t>(groups * kGroup * stride) * 4);
    for (long b = 0; b < count; ++b) first(rows.begin + b, left + b * stride);
    pool.barrier();

    struct {
      long s, from, rows, row, column;  // of the block; where to go on
      const float* sums;
    } last{};
    const auto finish_slice = [&] {
      const long b = last.from + last.row, end = min(last.column + kSlice, Dh);
      finish(last.s, rows.begin + b, Range{last.column, end}, last.sums + last.row * sums_stride, left + b * stride);
      last.column = end;
      if (end == Dh) last.column = 0, ++last.row;
    };
    for (long s = 0; s < q.steps; ++s)
      for (long i = 0; i < blocks; ++i) {
        const long from = groups * i / blocks * kGroup, end = min(groups * (i + 1) / blocks * kGroup, count);
        const int m = static_cast<int>(end - from), together = Kernel::panels_together(m);
        const long times = divide_up(panels, together) * (lanes / kGroup),
                   each_time = divide_up(last.rows * divide_up(Dh, kSlice), times);
        Tile product{.a = left + from * stride,
                     .a_stride = stride,
                     .b = packed,
                     .panel_stride = Kernel::kColumns * lanes,
                     .lanes = lanes,
                     .out = sums,
                     .out_stride = sums_stride,
                     .add = false};
        for (long p = 0; p < panels; p += together) {
          const bool several = together > 1 && (p + together) * Kernel::kColumns <= Dh;
          for (long one = p; one < min(p + together, panels); one += several ? together : 1) {
            const int columns = several ? together * Kernel::kColumns : panel_columns<Kernel>(Dh, one);
            product.b = packed + one * product.panel_stride, product.out = sums + one * Kernel::kColumns;
            Kernel::run_with(m, columns, product, [&] {
              for (long k = 0; k < each_time && last.row < last.rows; ++k) finish_slice();
            });
          }
        }
        while (last.row < last.rows) finish_slice();
        last = {s, from, m, 0, 0, sums};
        sums = pool.own(thread, Own::sums) + (sums == pool.own(thread, Own::sums) ? Kernel::kRows * sums_stride : 0);
        while (blocks == 1 && last.row < last.rows) finish_slice();
      }
    while (last.row < last.rows) finish_slice();
  });
}

}  // namespace elman::ELMAN_ISA
#endif
