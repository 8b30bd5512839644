// The recurrence and its gradient.
#pragma once

#include <type_traits>

#include "activations.h"
#include "kernels.h"
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
  constexpr long kGap = Kernel::kRowGroup - 1;  // rows of the left operand after a thread's own, which it reads too
  const long buffer = (B + threads * kGap) * stride;
  float* packed = pool.reserve_shared(Shared::weights, packed_floats<Kernel>(Dh, Dh));
  float* both = pool.reserve_shared(Shared::left, 2 * buffer);
  const Packed right{packed, lanes_of<Kernel>(Dh), Dh};
  pool.reserve_own(Own::sums, Kernel::kRows * sums_stride);
  pool.run([&](int thread) {
    [[maybe_unused]] const typename Kernel::Session session{};
    const Range share_of_panels = share(panels.end, thread, threads), share_of_rows = share(B, thread, threads);
    if (transposed) pack_right_transposed<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    else pack_right<Kernel>({weights, Dh, Dh, Dh}, packed, share_of_panels);
    const Range rows = q.by_units ? Range{0, B} : share_of_rows, mine = q.by_units ? share_of_panels : panels;
    const Range units{mine.begin * kColumns, min(mine.end * kColumns, Dh)};
    float *sums = pool.own(thread, Own::sums), *left_of_rows = both + (q.by_units ? 0 : thread * kGap) * stride;
    for (long b = share_of_rows.begin; b < share_of_rows.end; ++b) {
      std::memset(left_of_rows + b * stride, 0, static_cast<size_t>(stride) * 4);
      std::memset(left_of_rows + buffer + b * stride, 0, static_cast<size_t>(stride) * 4);
      first(b, left_of_rows + b * stride);
    }
    pool.barrier();
    for (long s = 0; s < q.steps; ++s) {
      const float* left = left_of_rows + (s & 1) * buffer;
      float* next = left_of_rows + (~s & 1) * buffer;
      over_row_blocks<Kernel>(rows, [&](long from, int m) {
        const Destination to{sums + units.begin, sums_stride, false};
        multiply<Kernel, Left::by_rows>({left + from * stride, stride, m}, right, mine, to);
        for (int i = 0; i < m; ++i) finish(s, from + i, units, sums + i * sums_stride, next + (from + i) * stride);
      });
      if (q.by_units) pool.barrier();
    }
  });
}

template <class Kernel, int activation>
static void recurrence_of(Pool& pool, const Recurrence& call) {
  using Prec = typename Kernel::Prec;
  const long B = call.B, Dh = call.Dh;
  const auto first = [&](long b, float* left) {
    std::memcpy(call.h + b * Dh, call.h_0 + b * Dh, static_cast<size_t>(Dh) * 4);
    over_vectors(Dh, [&](long j, int n) { Prec::store_along_row(left, j, load_n(call.h_0 + b * Dh + j, n), n); });
  };
  const auto finish = [&](long t, long b, Range units, const float* sums, float* left) {
    const float* u = call.u + (call.rows ? call.rows[t * B + b] : t * B + b) * Dh;
    float* out = call.h + ((t + 1) * B + b) * Dh;
    over_vectors(units, [&](long j, int n) {
      const Vec h = activate(load(sums + j) + load_n(u + j, n), activation);  // h = f(W_h h + u)
      store_n(out + j, h, n);
      Prec::store_along_row(left, j, h, n);
    });
  };
  over_time<Kernel>(pool, {call.T, B, Dh, call.by_units}, call.W_h, true, first, finish);
}

template <class Kernel>
static void recurrence_with(Pool& pool, const Recurrence& call) {
  if (call.activation == kSigmoid) recurrence_of<Kernel, kSigmoid>(pool, call);
  else if (call.activation == kTanh) recurrence_of<Kernel, kTanh>(pool, call);
  else recurrence_of<Kernel, kRelu>(pool, call);
}

template <class Kernel>
static void recurrence_gradient_with(Pool& pool, const RecurrenceGradient& call) {
  const long B = call.B, Dh = call.Dh, step = B * Dh, last = (call.T - 1) * step;
  const Vec limit = Vec{} + call.limit;
  const auto write = [&](long row, long j, int n, Vec gamma, float* left) {
    if (call.limit > 0) gamma = gamma > limit ? limit : (gamma < -limit ? -limit : gamma);  // NaN stays
    const Vec dz =
        gamma * activation_derivative(load_n(call.h + step + row + j, n), call.activation);  // δ2 = γ ∘ f'(z)
    store_n(call.dz + row + j, dz, n);
    Kernel::Prec::store_along_row(left, j, dz, n);
  };
  const auto first = [&](long b, float* left) {
    const long row = last + b * Dh;
    over_vectors(Dh, [&](long j, int n) { write(row, j, n, load_n(call.dh + row + j, n), left); });
  };
  const auto finish = [&](long s, long b, Range units, const float* sums, float* left) {
    const long row = last - (s + 1) * step + b * Dh;
    over_vectors(units, [&](long j, int n) {  // γ = δ2^(t+1) W_h + dh
      write(row, j, n, load(sums + j) + load_n(call.dh + row + j, n), left);
    });
  };
  over_time<Kernel>(pool, {call.T - 1, B, Dh, call.by_units}, call.W_h, false, first, finish);
}

}  // namespace elman::ELMAN_ISA
