// The recurrence and its gradient.
#pragma once

#include "activations.h"
#include "amx_over_time.h"
#include "kernels.h"
#include "over_time.h"

namespace elman::ELMAN_ISA {

template <class Kernel, class First, class Finish>
static void through_time(Pool& pool, const OverTime& q, const float* weights, bool transposed, First&& first,
                         Finish&& finish) {
  if constexpr (Kernel::kLeftByRows)
    if (!q.by_units) return over_time_on_tiles(pool, q, weights, transposed, first, finish);
  over_time<Kernel>(pool, q, weights, transposed, first, finish);
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
  through_time<Kernel>(pool, {call.T, B, Dh, call.by_units}, call.W_h, true, first, finish);
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
  through_time<Kernel>(pool, {call.T - 1, B, Dh, call.by_units}, call.W_h, false, first, finish);
}

}  // namespace elman::ELMAN_ISA
