// The loop over time on matrix tiles.
#pragma once

#if defined(__AMX_TILE__) && defined(__AMX_BF16__)
#include "amx_micro_kernel.h"
#include "over_time.h"

namespace elman::ELMAN_ISA {

// While tiles are multiplied, vectors finish sums that are known. Where a thread's sequences are two or more blocks of
// rows, these are the sums of the block before, row by row: other sequences, so neither waits for the other, and one left
// operand is enough, as no other block reads the rows that `finish` overwrites. Where they are one block, they are the
// columns before, of the same step: all columns read the whole left operand, so that `finish` writes to another one.
// Threads that share the units do as in over_time.h.
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
  pool.reserve_own(Own::left, 2 * grouped_rows<Kernel>(divide_up(B, threads)) * stride);
  pool.reserve_own(Own::sums, 2 * Kernel::kRows * sums_stride);
  pool.run([&](int thread) {
    const Kernel::Session session;
    const Range share_of_panels = share(panels, thread, threads), rows = share(B, thread, threads);
    if (transposed) pack_right_transposed<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    else pack_right<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    float *left = pool.own(thread, Own::left), *sums = pool.own(thread, Own::sums);
    const long count = rows.end - rows.begin, groups = divide_up(count, kGroup),
               blocks = groups < 4 ? min(groups, 2) : divide_up(groups, Kernel::kRows / kGroup);
    const bool alone = blocks == 1;
    const long left_size = groups * kGroup * stride;
    std::memset(left, 0, static_cast<size_t>((alone ? 2 : 1) * left_size) * 4);
    for (long b = 0; b < count; ++b) first(rows.begin + b, left + b * stride);
    pool.barrier();

    struct {
      long s, from, rows, columns, row, column;  // the sums of a block that are known; where to go on
      const float* sums;
      float* left;  // the operand that `finish` writes
    } known{};
    const auto more = [&] { return known.row < known.rows && known.column < known.columns; };
    const auto finish_slice = [&] {
      const long b = known.from + known.row, end = min(known.column + kSlice, known.columns);
      finish(known.s, rows.begin + b, Range{known.column, end}, known.sums + known.row * sums_stride,
             known.left + b * stride);
      if (alone) {
        if (++known.row == known.rows) known.row = 0, known.column = end;
      } else {
        known.column = end;
        if (end == Dh) known.column = 0, ++known.row;
      }
    };
    for (long s = 0; s < q.steps; ++s)
      for (long i = 0; i < blocks; ++i) {
        const long from = groups * i / blocks * kGroup, end = min(groups * (i + 1) / blocks * kGroup, count);
        const int m = static_cast<int>(end - from), together = Kernel::panels_together(m);
        const float* operand = left + (alone && s % 2 ? left_size : 0);
        if (alone) known = {s, from, m, 0, 0, 0, sums, left + (s % 2 ? 0 : left_size)};
        const long slices = m * divide_up(Dh, kSlice), times = divide_up(panels, together) * (lanes / kGroup),
                   each_time = divide_up(slices, times);
        Tile product{.a = operand + from * stride,
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
              for (long k = 0; k < each_time && more(); ++k) finish_slice();
            });
            if (alone) known.columns = min(one * Kernel::kColumns + columns, Dh);
          }
        }
        while (more()) finish_slice();
        if (!alone) {
          known = {s, from, m, Dh, 0, 0, sums, left};
          sums = pool.own(thread, Own::sums) + (sums == pool.own(thread, Own::sums) ? Kernel::kRows * sums_stride : 0);
        }
      }
    while (more()) finish_slice();
  });
}

}  // namespace elman::ELMAN_ISA
#endif
