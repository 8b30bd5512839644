// The backward pass of the softmax, one tile of words at a time: δ1 = ŷ - y, and its products dh = δ1 U and dU = δ1^T
// h.
#pragma once

#include <cmath>
#include <type_traits>

#include "softmax_plan.h"

namespace elman::ELMAN_ISA {

// δ1 of a block of tokens and a tile of words, as left operand of both products.
struct Delta {
  float *by_token, *by_word;  // by rows (tokens) for dh, by columns (words) for dU
  long token_stride, word_stride;
};

// Makes scale ŷ of exp(θ - reference), for the words of a tile.
template <class Kernel>
static inline float factor_of(const SoftmaxPlan<Kernel>& plan, long tile, long n) {
  return static_cast<float>(plan.reference[tile * plan.call.N + n] * plan.call.scale);
}

// scale (ŷ - y) of one token and a tile's words, in the precision of the products; adds it to `sums` in float32.
template <class Kernel>
static inline void delta_row(const SoftmaxPlan<Kernel>& plan, const float* exp_row, float* row, long tile, long n,
                             float* sums) {
  const Softmax& call = plan.call;
  const long words = plan.words_of(tile), padded = round_up(words, kWidth);
  const float factor = factor_of(plan, tile, n);
  for (long j = 0; j < padded; j += kWidth) store(row + j, load(exp_row + j) * factor);
  const long target = call.y[n] - tile * plan.kWords;
  if (target >= 0 && target < words)  // ŷ - 1 = expm1(-J), without the difference of two close numbers
    row[target] = static_cast<float>(std::expm1(-call.J[n]) * call.scale);
  for (long j = 0; j < words; j += kWidth) {
    const int count = static_cast<int>(min(words - j, kWidth));
    const Vec delta = load(row + j);
    store_n(sums + j, load_n(sums + j, count) + delta, count);
    if constexpr (std::is_same_v<typename Kernel::Prec, RoundedBf16>) store(row + j, to_bf16(delta));
  }
}

#if defined(__AVX512BF16__)
// The same for a block of tokens, two at a time, in pairs: of neighbouring words for dh, and of neighbouring tokens for
// dU.
template <class Kernel>
static inline void delta_pairs(const SoftmaxPlan<Kernel>& plan, long tile, Range tokens, Chunk chunk, float* by_token,
                               float* by_word, float* db_2) {
  constexpr long kWords = SoftmaxPlan<Kernel>::kWords, kStride = kWords / 2 + kWidth;
  using Prec = typename Kernel::Prec;
  const Softmax& call = plan.call;
  const long words = plan.words_of(tile), padded = round_up(words, 2 * kWidth), count = tokens.end - tokens.begin;
  alignas(64) float sums[kWords] = {};
  for (long t = 0; t < count; t += 2) {
    const long n = tokens.begin + t;
    const bool both = t + 1 < count;
    const uint16_t *first = plan.exp_of(tile, chunk, n), *second = both ? first + kWords : first;
    const float factor[2] = {factor_of(plan, tile, n), both ? factor_of(plan, tile, n + 1) : 0.0f};
    float *out = by_token + t * kStride, *pairs = by_word + t / 2 * kWords;
    for (long j = 0; j < padded; j += 2 * kWidth) {
      const Vec a = Bf16::load(first + j) * factor[0], a_next = Bf16::load(first + j + kWidth) * factor[0];
      const Vec b = Bf16::load(second + j) * factor[1], b_next = Bf16::load(second + j + kWidth) * factor[1];
      store(sums + j, load(sums + j) + (a + b));
      store(sums + j + kWidth, load(sums + j + kWidth) + (a_next + b_next));
      store(out + j / 2, Prec::rounded(a, a_next));
      store(out + kStride + j / 2, Prec::rounded(b, b_next));
      store(pairs + j, Prec::interleaved(Prec::rounded(a, b)));
      store(pairs + j + kWidth, Prec::interleaved(Prec::rounded(a_next, b_next)));
    }
    for (int i = 0; i <= both; ++i) {  // ŷ - 1 where y is 1
      const long word = call.y[n + i] - tile * kWords;
      if (word < 0 || word >= words) continue;
      const float y_hat = Bf16::to_float(first[i * kWords + word]) * factor[i];
      const uint16_t delta = Bf16::from_float(y_hat - static_cast<float>(call.scale));
      std::memcpy(reinterpret_cast<uint16_t*>(out + i * kStride) + word, &delta, 2);
      std::memcpy(reinterpret_cast<uint16_t*>(pairs + word) + i, &delta, 2);
      sums[word] -= static_cast<float>(call.scale);
    }
  }
  for (long j = 0; j < words; ++j) db_2[j] += sums[j];
}
#endif

// scale (ŷ - y) of a block of tokens and a tile's words; adds their sum over the tokens to db_2.
template <class Kernel>
static inline Delta write_delta(const SoftmaxPlan<Kernel>& plan, int thread, long tile, Range tokens, Chunk chunk,
                                float* db_2) {
  using Plan = SoftmaxPlan<Kernel>;
  float* delta = plan.pool.own(thread, Plan::Own::delta);
  if constexpr (Kernel::Prec::kPair == 1) {
    constexpr long kRun = 8;  // tokens whose sum is added to db_2 at once: fewer roundings of a large sum
    const long words = plan.words_of(tile);
    alignas(64) float sums[Plan::kWords];
    for (long from = tokens.begin; from < tokens.end; from += kRun) {
      std::memset(sums, 0, static_cast<size_t>(words) * 4);
      for (long n = from; n < min(from + kRun, tokens.end); ++n)
        delta_row(plan, plan.exp_of(tile, chunk, n), delta + (n - tokens.begin) * Plan::kDeltaStride, tile, n, sums);
      for (long j = 0; j < words; ++j) db_2[j] += sums[j];
    }
    return {delta, delta, Plan::kDeltaStride, Plan::kDeltaStride};
  }
#if defined(__AVX512BF16__)
  else {
    constexpr long kStride = Plan::kWords / 2 + kWidth;
    float* by_word = delta + plan.block * kStride;
    delta_pairs(plan, tile, tokens, chunk, delta, by_word, db_2);
    return {delta, by_word, kStride, Plan::kWords};
  }
#endif
}

// The same, with zeros in the lanes that the micro-kernel reads past the last token.
template <class Kernel>
static inline Delta delta_of(const SoftmaxPlan<Kernel>& plan, int thread, long tile, Range tokens, Chunk chunk,
                             float* db_2) {
  const Delta delta = write_delta(plan, thread, tile, tokens, chunk, db_2);
  if constexpr (Kernel::kLaneGroup > 1) {
    const long count = tokens.end - tokens.begin, with_numbers = divide_up(count, Kernel::Prec::kPair);
    std::memset(delta.by_word + with_numbers * delta.word_stride, 0,
                static_cast<size_t>((lanes_of<Kernel>(count) - with_numbers) * delta.word_stride) * 4);
  }
  return delta;
}

// Whether every entry of δ1 of a tile's words and these tokens is below the threshold.
template <class Kernel>
static inline bool negligible(const SoftmaxPlan<Kernel>& plan, long tile, Range tokens) {
  constexpr long kWords = SoftmaxPlan<Kernel>::kWords;
  const Softmax& call = plan.call;
  if (call.skip_below <= 0) return false;
  for (long n = tokens.begin; n < tokens.end; ++n) {
    const long target = call.y[n] - tile * kWords;
    if (!(plan.reference[tile * call.N + n] < call.skip_below) || (target >= 0 && target < kWords)) return false;
  }
  return true;
}

// A tile's part of the gradients, for some tokens of a chunk. `first_tile`: dh has no part of another tile yet.
// `first_chunk`: dU and db_2 have no part of an earlier chunk yet. Returns how many blocks of tokens were left out.
template <class Kernel>
static long softmax_backward(const SoftmaxPlan<Kernel>& plan, int thread, long tile, Range tokens, Chunk chunk,
                             const SoftmaxGradients& to, bool first_tile, bool first_chunk) {
  using Plan = SoftmaxPlan<Kernel>;
  const Softmax& call = plan.call;
  const long Dh = call.Dh, words = plan.words_of(tile), first = tile * Plan::kWords, stride = padded_row(Dh);
  const Range panels{0, panels_of<Kernel>(Dh)};
  float *packed = plan.pool.own(thread, Plan::Own::U), *sums = plan.pool.own(thread, Plan::Own::sums);
  pack_right<Kernel>({call.U + first * Dh, words, Dh, Dh}, packed, panels);
  const Packed U{packed, lanes_of<Kernel>(words), Dh};
  if (first_chunk) std::memset(to.db_2 + first, 0, static_cast<size_t>(words) * 4);
  bool add = !first_chunk;
  long left_out = 0;
  for (long from = tokens.begin; from < tokens.end; from += plan.block) {
    const Range block{from, min(from + plan.block, tokens.end)};
    const long count = block.end - block.begin;
    if (negligible(plan, tile, block)) {
      ++left_out;
      if (first_tile) std::memset(to.dh + from * Dh, 0, static_cast<size_t>(count * Dh) * 4);
      continue;
    }
    const Delta delta = delta_of(plan, thread, tile, block, chunk, to.db_2 + first);
    over_row_blocks<Kernel>(Range{0, count}, [&](long t, int m) {  // dh = δ1 U
      const LeftBlock rows{delta.by_token + t * delta.token_stride, delta.token_stride, m};
      multiply<Kernel, Left::by_rows>(rows, U, panels, {sums, stride, false});
      write_rows(to.dh + (from + t) * Dh, sums, stride, m, Dh, !first_tile);
    });
    if (!plan.with_weights) continue;
    float* packed_h = plan.by_words ? plan.h_block_of(chunk, from) : plan.pool.own(thread, Plan::Own::h_block);
    if (!plan.by_words) pack_right<Kernel>({call.h + from * Dh, count, Dh, Dh}, packed_h, panels);
    const Packed h{packed_h, lanes_of<Kernel>(count), Dh};
    over_row_blocks<Kernel>(Range{0, words}, [&](long w, int m) {  // dU = δ1^T h
      multiply<Kernel, Left::by_columns>({delta.by_word + w, delta.word_stride, m}, h, panels, {sums, stride, false});
      write_rows(to.dU + (first + w) * Dh, sums, stride, m, Dh, add);
    });
    add = true;
  }
  if (!add && plan.with_weights)  // every block was left out
    std::memset(to.dU + first * Dh, 0, static_cast<size_t>(words * Dh) * 4);
  return left_out;
}

}  // namespace elman::ELMAN_ISA
