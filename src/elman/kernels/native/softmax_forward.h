// The forward pass of the softmax: θ and exp of one tile of words; and the loss, when all tiles are known.
#pragma once

#include <cmath>
#include <limits>

#include "activations.h"
#include "softmax_plan.h"

namespace elman::ELMAN_ISA {

static inline void store_number(float* to, Vec x) { store(to, x); }
#if defined(__AVX512BF16__)
static inline void store_number(uint16_t* to, Vec x) { Bf16::store(to, x); }
#endif

// One token's logits in a tile: θ = products + bias. `words` is a whole number of vectors; past the last word the bias
// is -∞.
struct Logits {
  const float *products, *bias;
  long words;
  Vec at(long j) const { return load(products + j) + load(bias + j); }
};

static inline float largest_of(const Logits& theta) {
  Vec most = broadcast(-std::numeric_limits<float>::infinity());
  for (long j = 0; j < theta.words; j += kWidth) most = max(most, theta.at(j));
  return max_of(most);
}

// Σ exp(θ - reference); each term goes to exp_out, unless that is null.
template <class Number>
static inline float sum_exp(const Logits& theta, float reference, Number* exp_out) {
  Vec total{};
  for (long j = 0; j < theta.words; j += kWidth) {
    const Vec e = exp(theta.at(j) - reference);
    if (exp_out) store_number(exp_out + j, e);
    total += e;
  }
  return sum_of(total);
}

// θ = h U^T + b_2 of a tile, for some tokens: a reference and Σ exp(θ - reference) for each token and, where the
// gradient is wanted, exp(θ - reference).
//
// The reference is the largest θ of the token's first tile, and that of a later tile where the sum would be too large
// otherwise. `first_tile`: there is no reference yet. (Where blocks may be left out, each tile's largest ŷ must be
// known, so each takes its own largest θ.)
template <class Kernel>
static void softmax_forward(const SoftmaxPlan<Kernel>& plan, int thread, long tile, Range tokens, Chunk chunk,
                            bool first_tile) {
  using Plan = SoftmaxPlan<Kernel>;
  constexpr long kWords = Plan::kWords, kPass = 2 * kLanesPerPass;
  constexpr float kTooLarge = 1e30f;
  const Softmax& call = plan.call;
  const bool keep_reference = !first_tile && call.skip_below <= 0;
  const long words = plan.words_of(tile), padded = round_up(words, kWidth), first = tile * kWords, Dh = call.Dh;
  const Range panels{0, panels_of<Kernel>(words)};
  float *packed = plan.pool.own(thread, Plan::Own::U), *theta = plan.pool.own(thread, Plan::Own::logits);
  float* bias = theta + Kernel::kRows * kWords;
  pack_right_transposed<Kernel>({call.U + first * Dh, words, Dh, Dh}, packed, panels);
  const Packed U{packed, lanes_of<Kernel>(Dh), words};
  for (long j = 0; j < padded; ++j) bias[j] = j < words ? call.b_2[first + j] : -std::numeric_limits<float>::infinity();
  over_row_blocks<Kernel>(tokens, [&](long from, int m) {
    for (long k = 0; k < U.lanes; k += kPass)
      multiply<Kernel, Left::by_rows>({plan.h + from * plan.h_stride, plan.h_stride, m}, U,
                                      {k, min(k + kPass, U.lanes)}, panels, {theta, kWords, k > 0});
    for (int i = 0; i < m; ++i) {
      const long n = from + i, at = tile * call.N + n, target = call.y[n] - first;
      const Logits row{theta + i * kWords, bias, padded};
      if (target >= 0 && target < words) plan.target_logit[n] = row.products[target] + bias[target];
      auto* exp_out = plan.with_gradient ? plan.exp_of(tile, chunk, n) : nullptr;
      float reference = keep_reference ? plan.reference[at - call.N] : 0;
      float sum = keep_reference ? sum_exp(row, reference, exp_out) : kTooLarge;
      if (!(sum < kTooLarge)) {  // with the tile's own largest θ the sum is at most kWords
        reference = largest_of(row);
        sum = sum_exp(row, reference, exp_out);
      }
      if (Kernel::Prec::kPair == 2 && exp_out && padded % (2 * kWidth)) store_number(exp_out + padded, Vec{});
      plan.reference[at] = reference;
      plan.sum[at] = sum;
    }
  });
}

// Z = Σ exp(θ - largest) over all words, where `largest` is the largest reference.
struct Normaliser {
  double largest, Z;
};

// J of token n, from what its tiles kept. Most neighbouring tiles have the same reference, whose exp is computed once.
template <class Plan>
static Normaliser softmax_loss(const Plan& plan, long n) {
  const long N = plan.call.N;
  float largest = plan.reference[n];
  for (long tile = 1; tile < plan.tiles; ++tile) {
    const float reference = plan.reference[tile * N + n];
    largest = reference > largest ? reference : largest;
  }
  double Z = 0, scale = 1;
  float of = largest;  // the reference that `scale` belongs to
  for (long tile = 0; tile < plan.tiles; ++tile) {
    const long at = tile * N + n;
    if (plan.reference[at] != of) scale = std::exp(static_cast<double>(of = plan.reference[at]) - largest);
    Z += plan.sum[at] * scale;
  }
  plan.call.J[n] = std::log(Z) + largest - plan.target_logit[n];
  return {largest, Z};
}

// Replaces each tile's reference of token n by the factor that makes ŷ of exp(θ - reference).
template <class Kernel>
static void references_to_factors(const SoftmaxPlan<Kernel>& plan, long n, Normaliser normaliser) {
  float of = static_cast<float>(normaliser.largest), factor = static_cast<float>(1 / normaliser.Z);
  for (long tile = 0; tile < plan.tiles; ++tile) {
    float& each = plan.reference[tile * plan.call.N + n];
    if (each != of)
      factor = static_cast<float>(std::exp(static_cast<double>(of = each) - normaliser.largest) / normaliser.Z);
    each = factor;
  }
}

}  // namespace elman::ELMAN_ISA
