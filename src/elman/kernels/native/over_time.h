// The loop over time of the recurrence and of its gradient.
#pragma once

#include "product.h"

namespace elman::ELMAN_ISA {

// The sizes of a recurrence, and how its work is divided.
struct OverTime {
  long steps, B, Dh;
  bool by_units;
};

// The loop over time of both directions: each step multiplies the rows of the step before, [B,Dh], with the weights. A
// thread owns rows of the batch for the whole sequence or, by units, a part of the columns, with a barrier each step.
// Two buffers take turns as left operand.
//
//   first(b, left)                     writes row b of the first left operand
//   finish(s, b, units, sums, left)    takes these columns of row b of step s's product, and writes them to the next
//                                      left operand
//
// The sums of a block of rows stay in the core's cache until all its columns are there. Then what is in memory (u, dh,
// h, dz) is read and written row by row, which the processor's prefetching follows.
template <class Kernel, class First, class Finish>
static void over_time(Pool& pool, const OverTime& q, const float* weights, bool transposed, First&& first,
                      Finish&& finish) {
  enum class Shared { weights, left, count };
  enum class Own { sums, count };
  constexpr int kColumns = Kernel::kColumns;
  const long B = q.B, Dh = q.Dh, stride = left_stride<Kernel>(Dh), sums_stride = padded_row(Dh);
  const Range panels{0, panels_of<Kernel>(Dh)};
  const int threads = pool.size();
  float* packed = pool.reserve_shared(Shared::weights, packed_floats<Kernel>(Dh, Dh));
  float* both = pool.reserve_shared(Shared::left, 2 * grouped_rows<Kernel>(B) * stride);
  const Packed right{packed, lanes_of<Kernel>(Dh), Dh};
  pool.reserve_own(Own::sums, Kernel::kRows * sums_stride);
  pool.run([&](int thread) {
    [[maybe_unused]] const typename Kernel::Session session{};
    const Range share_of_panels = share(panels.end, thread, threads), share_of_rows = share(B, thread, threads);
    if (transposed) pack_right_transposed<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    else pack_right<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    const Range rows = q.by_units ? Range{0, B} : share_of_rows, mine = q.by_units ? share_of_panels : panels;
    const Range units{mine.begin * kColumns, min(mine.end * kColumns, Dh)};
    float* sums = pool.own(thread, Own::sums);
    for (long b = share_of_rows.begin; b < share_of_rows.end; ++b) {
      std::memset(both + b * stride, 0, static_cast<size_t>(stride) * 4);
      std::memset(both + (grouped_rows<Kernel>(B) + b) * stride, 0, static_cast<size_t>(stride) * 4);
      first(b, both + b * stride);
    }
    pool.barrier();
    for (long s = 0; s < q.steps; ++s) {
      const float* left = both + (s & 1) * grouped_rows<Kernel>(B) * stride;
      float* next = both + (~s & 1) * grouped_rows<Kernel>(B) * stride;
      over_row_blocks<Kernel>(rows, [&](long from, int m) {
        const Destination to{sums + units.begin, sums_stride, false};
        multiply<Kernel, Left::by_rows>({left + from * stride, stride, m}, right, mine, to);
        for (int i = 0; i < m; ++i) finish(s, from + i, units, sums + i * sums_stride, next + (from + i) * stride);
      });
      if (q.by_units) pool.barrier();
    }
  });
}

}  // namespace elman::ELMAN_ISA
