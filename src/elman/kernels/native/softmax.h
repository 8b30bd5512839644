// The softmax with its loss and gradient, in tiles of kWords words.
//
// First half, tile by tile: θ = h U^T + b_2 of a block of tokens stands in the first-level cache; a reference and
// Σ exp(θ - reference) are kept, and exp(θ - reference) goes to `p` ([tile][token][kWords]), the only array that
// grows with V; a chunk of tokens is chosen so that it stays within kBytes. The reference is the largest entry of the
// token's first tile, and of a later one where that is so much larger that the sum would be. When all tiles are
// through, every token's Z is known. Second half: a tile of p becomes δ1 = ŷ - y in place, and while it is in the cache it is
// multiplied into dh = δ1 U and dU = δ1^T h.
//
// With many tiles each thread owns tiles (and a dh of its own, added up at the end); with few, tokens (and a dU), and then
// both halves of a run of tokens go through while its h is in the core's own cache.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "matmul.h"

namespace elman::ELMAN_ISA {

constexpr long kWords = 8 * kPanel < 256 ? 8 * kPanel : 256;
constexpr size_t kBytes = size_t{96} << 20;
constexpr float kTooLarge = 1e30f;  // a sum of exp from which on another reference is taken

template <class P>
class SoftmaxCall {
 public:
  SoftmaxCall(Pool& pool, Softmax& q)
      : pool_(pool), q_(q), threads_(pool.size()), tiles_(divide_up(q.V, kWords)), gradient_(q.dh != nullptr), weights_(q.dU != nullptr),
        by_words_(tiles_ >= 2 * threads_), run_(q.Dh <= 256 ? 2 * kDeep : kDeep), stride_(row_stride<P>(q.Dh)) {
    const long whole = static_cast<long>(kBytes / (sizeof(Stored) * kWords)) / tiles_;
    const long most = by_words_ ? (whole < 1 ? 1 : whole) : threads_ * run_;
    chunk_ = round_up(gradient_ ? divide_up(q.N, divide_up(q.N, most)) : q.N, P::pair);
  }

  void run() {
    const long N = q_.N, Dh = q_.Dh;
    const auto size = [](long floats) { return static_cast<size_t>(floats); };
    rows_ = pool_.scratch(-1, 0, size(N * stride_));
    reference_ = pool_.scratch(-1, 1, size(tiles_ * N));
    sum_ = pool_.scratch(-1, 2, size(tiles_ * N));
    at_target_ = pool_.scratch(-1, 3, size(N));
    if (gradient_) {
      p_ = reinterpret_cast<Stored*>(pool_.scratch(-1, 4, size(tiles_ * chunk_ * kWords / P::pair)));
      if (by_words_ && weights_) runs_ = pool_.scratch(-1, 5, size(divide_up(chunk_, run_) * packed_size<P>(run_, Dh)));
      const long words = by_words_ || !weights_ ? 0 : q_.V;
      for (int t = 0; t < threads_; ++t) {
        pool_.scratch(t, 2, size(kMaxRows * row_stride<Float32>(Dh)));
        pool_.scratch(t, 3, size(by_words_ || !weights_ ? 0 : packed_size<P>(run_, Dh)));  // h of a run of tokens
        pool_.scratch(t, 4, size(!t ? 0 : by_words_ ? N * Dh : words * (Dh + 1)));
        pool_.scratch(t, 6, size(weights_ ? 0 : q_.V));  // ∂J/∂b_2, which nobody asked for
        pool_.scratch(t, 5, size(run_ * (kWords + 2 * W) + 2 * W));  // δ1 of a run of tokens
      }
    }
    for (int t = 0; t < threads_; ++t) {
      const long forward = packed_size<P>(Dh, kWords), backward = packed_size<P>(kWords, Dh);
      pool_.scratch(t, 0, size(forward > backward ? forward : backward));
      pool_.scratch(t, 1, size(kMaxRows * kWords + kWords));
    }
    skipped_.assign(size(threads_), 0);
    pool_.run([&](int thread) { work(thread); });
    q_.blocks = gradient_ ? tiles_ * divide_up(N, run_) : 0;
    q_.skipped = 0;
    for (const Skipped& each : skipped_) q_.skipped += each.count;
  }

 private:
  Pool& pool_;
  Softmax& q_;
  const int threads_;
  const long tiles_;
  const bool gradient_, weights_, by_words_;  // weights_: ∂J/∂U and ∂J/∂b_2 besides ∂J/∂h
  const long run_;  // tokens of the second half that go together: h and δ1 of them stay in the core's own cache
  const long stride_;
  long chunk_;
  using Stored = std::conditional_t<P::pair == 1, float, uint16_t>;  // exp takes half the memory in bf16
  float *rows_ = nullptr, *reference_ = nullptr, *sum_ = nullptr, *at_target_ = nullptr;
  float* runs_ = nullptr;
  Stored* p_ = nullptr;
  struct alignas(64) Skipped {
    long count;
    Skipped(long n = 0) : count(n) {}
  };
  std::vector<Skipped> skipped_;

  long words_of(long tile) const { return min(kWords, q_.V - tile * kWords); }
  Stored* p_of(long tile, long token) const { return p_ + (tile * chunk_ + token) * kWords; }  // token: in the chunk

  void work(int thread) {
    const Range own = share(q_.N, thread, threads_);
    if (by_words_ || !gradient_) pack(own);
    pool_.barrier();
    const Range tiles = by_words_ ? share(tiles_, thread, threads_) : Range{0, tiles_};
    if (!gradient_) {
      const Range tokens = by_words_ ? Range{0, q_.N} : own;
      for (long tile = tiles.begin; tile < tiles.end; ++tile) forward(thread, tile, tokens, 0, tile > tiles.begin);
      pool_.barrier();
      for (long n = own.begin; n < own.end; ++n) loss(n);
      return;
    }
    float* dU = by_words_ || thread == 0 ? q_.dU : pool_.scratch(thread, 4, 0);
    float* db_2 = !weights_ ? pool_.scratch(thread, 6, 0) : by_words_ || thread == 0 ? q_.db_2 : dU + q_.V * q_.Dh;
    float* dh = by_words_ && thread ? pool_.scratch(thread, 4, 0) : q_.dh;
    bool more = false;
    for (long chunk = 0; chunk < q_.N; chunk += chunk_) {
      const Range all{chunk, min(chunk + chunk_, q_.N)};
      const Range part = share(divide_up(all.end - all.begin, P::pair), thread, threads_);
      const Range mine{all.begin + part.begin * P::pair, min(all.begin + part.end * P::pair, all.end)};
      const Range tokens = by_words_ ? all : mine;
      if (!by_words_) pack(mine);
      for (long tile = tiles.begin; tile < tiles.end; ++tile) forward(thread, tile, tokens, chunk, tile > tiles.begin);
      if (by_words_) pool_.barrier();
      for (long n = mine.begin; n < mine.end; ++n) factors(n, loss(n));
      if (by_words_ && weights_) pack_runs(thread, all);
      if (by_words_) pool_.barrier();
      for (long tile = tiles.begin; tile < tiles.end; ++tile)
        backward(thread, tile, tokens, chunk, dh, dU, db_2, more, tile == tiles.begin);
      if (tiles.begin == tiles.end)
        std::memset(dh + tokens.begin * q_.Dh, 0, static_cast<size_t>((tokens.end - tokens.begin) * q_.Dh) * 4);
      if (tokens.begin < tokens.end) more = true;
      if (by_words_) pool_.barrier();  // p is about to be written again
    }
    if (!more && weights_) std::memset(dU, 0, static_cast<size_t>(q_.V * q_.Dh) * 4), std::memset(db_2, 0, static_cast<size_t>(q_.V) * 4);
    pool_.barrier();
    if (by_words_) gather(thread, q_.dh, q_.N * q_.Dh, 0);
    else if (weights_) gather(thread, q_.dU, q_.V * q_.Dh, 0), gather(thread, q_.db_2, q_.V, q_.V * q_.Dh);
  }

  // h of every run of tokens as right operand: this thread's columns of it.
  void pack_runs(int thread, Range tokens) {
    const Range panels = share(divide_up(q_.Dh, kPanel), thread, threads_);
    for (long from = tokens.begin; from < tokens.end; from += run_)
      pack_b<P>(q_.h + from * q_.Dh, q_.Dh, min(run_, tokens.end - from), q_.Dh, run_of(from - tokens.begin), panels.begin, panels.end);
  }
  float* run_of(long token) const { return runs_ + token / run_ * packed_size<P>(run_, q_.Dh); }  // token: in the chunk

  // h of some tokens in lanes.
  void pack(Range tokens) {
    pack_rows<P>(q_.h + tokens.begin * q_.Dh, q_.Dh, tokens.end - tokens.begin, q_.Dh, rows_ + tokens.begin * stride_, stride_);
  }

  // out += the other threads' parts, in their order.
  void gather(int thread, float* out, long size, long offset) {
    const Range mine = share(divide_up(size, W), thread, threads_);
    for (int t = 1; t < threads_; ++t) {
      const float* other = pool_.scratch(t, 4, 0) + offset;
      for (long i = mine.begin * W; i < min(mine.end * W, size); i += W) {
        const int n = static_cast<int>(min(size - i, W));
        store_n(out + i, load_n(out + i, n) + load_n(other + i, n), n);
      }
    }
  }

  // θ of a tile, a reference and Σ exp a token; exp(θ - reference) to p where the gradient is wanted. `again`: the token has
  // a reference of the tile before. (Where blocks may be left out, the tile's largest ŷ must be known.)
  void forward(int thread, long tile, Range tokens, long chunk, bool again) {
    again = again && q_.skip_below <= 0;
    const long words = words_of(tile), first = tile * kWords, panels = divide_up(words, kPanel), KL = lanes<P>(q_.Dh);
    float *packed = pool_.scratch(thread, 0, 0), *block = pool_.scratch(thread, 1, 0), *bias = block + kMaxRows * kWords;
    pack_b_transposed<P>(q_.U + first * q_.Dh, q_.Dh, q_.Dh, words, packed, 0, panels);
    const long padded = round_up(words, W);
    for (long j = 0; j < padded; ++j) bias[j] = j < words ? q_.b_2[first + j] : -std::numeric_limits<float>::infinity();
    over_row_blocks(tokens.begin, tokens.end, [&](long from, int m) {
      for (long k0 = 0; k0 < KL; k0 += 2 * kDeep)
        rows_into<P, true>(block, kWords, k0 > 0, m, min(KL - k0, 2 * kDeep), rows_ + from * stride_ + k0, stride_, packed, KL,
                           k0, words, 0, panels);
      for (int i = 0; i < m; ++i) {
        const float* row = block + i * kWords;
        const long n = from + i, at = tile * q_.N + n, target = q_.y[n] - first;
        if (target >= 0 && target < words) at_target_[n] = row[target] + bias[target];
        Stored* p = gradient_ ? p_of(tile, n - chunk) : nullptr;
        float reference = again ? reference_[at - q_.N] : 0, sum = again ? sum_exp(row, bias, padded, reference, p) : kTooLarge;
        if (!(sum < kTooLarge)) {  // a tile's own largest entry never is
          reference = largest_of(row, bias, padded);
          sum = sum_exp(row, bias, padded, reference, p);
        }
        if (P::pair == 2 && p && padded % (2 * W)) keep(p + padded, V{});
        reference_[at] = reference;
        sum_[at] = sum;
      }
    });
  }

  static float largest_of(const float* row, const float* bias, long padded) {
    V most = all(-std::numeric_limits<float>::infinity());
    for (long j = 0; j < padded; j += W) most = max(most, load(row + j) + load(bias + j));
    return max_of(most);
  }

  // Σ exp(θ - reference), each of them to p.
  static float sum_exp(const float* row, const float* bias, long padded, float reference, Stored* p) {
    V total{};
    for (long j = 0; j < padded; j += W) {
      const V e = exp(load(row + j) + load(bias + j) - reference);
      if (p) keep(p + j, e);
      total += e;
    }
    return sum_of(total);
  }

  static void keep(float* p, V e) { store(p, e); }
#if defined(__AVX512BF16__)
  static void keep(uint16_t* p, V e) { Stored16::store(p, e); }
#endif

  struct Normal {
    double largest, total;
  };

  // J of token n, from what the tiles kept. Neighbouring tiles mostly have the same reference: its exp is taken once.
  Normal loss(long n) {
    float largest = reference_[n];
    for (long tile = 1; tile < tiles_; ++tile) {
      const float other = reference_[tile * q_.N + n];
      largest = other > largest ? other : largest;
    }
    double total = 0, scale = 1;
    float of = largest;
    for (long tile = 0; tile < tiles_; ++tile) {
      const long at = tile * q_.N + n;
      if (reference_[at] != of) scale = std::exp(static_cast<double>(of = reference_[at]) - largest);
      total += sum_[at] * scale;
    }
    q_.J[n] = std::log(total) + largest - at_target_[n];
    return {largest, total};
  }

  // What each tile's exp(θ - reference) of token n has to be multiplied with to be ŷ; in the place of `reference`.
  void factors(long n, Normal z) {
    float of = static_cast<float>(z.largest), factor = static_cast<float>(1 / z.total);
    for (long tile = 0; tile < tiles_; ++tile) {
      float& each = reference_[tile * q_.N + n];
      if (each != of) factor = static_cast<float>(std::exp(static_cast<double>(of = each) - z.largest) / z.total);
      each = factor;
    }
  }

  // δ1 of a tile, and its part of dh, dU and db_2. `more`: dU holds the part of earlier chunks; `fresh`: dh holds none.
  void backward(int thread, long tile, Range tokens, long chunk, float* dh, float* dU, float* db_2, bool more, bool fresh) {
    const long Dh = q_.Dh, words = words_of(tile), first = tile * kWords, padded = round_up(words, W);
    const long panels = divide_up(Dh, kPanel), ld = row_stride<Float32>(Dh);
    float *U = pool_.scratch(thread, 0, 0), *sums = pool_.scratch(thread, 2, 0);
    pack_b<P>(q_.U + first * Dh, Dh, words, Dh, U, 0, panels);
    if (!more) std::memset(db_2 + first, 0, static_cast<size_t>(words) * 4);
    for (long from = tokens.begin; from < tokens.end; from += run_) {
      const long count = min(run_, tokens.end - from);
      if (negligible(tile, from, count)) {
        ++skipped_[static_cast<size_t>(thread)].count;
        if (fresh) std::memset(dh + from * Dh, 0, static_cast<size_t>(count * Dh) * 4);
        continue;
      }
      const float* by_token;  // δ1 with a token's words in a row, and with a word's tokens: lanes for both products
      const float* by_word;
      long token_stride, word_stride;
      if constexpr (P::pair == 1) {
        float* delta1 = pool_.scratch(thread, 5, 0);
        token_stride = word_stride = kWords + W;
        for (long t = 0; t < count; ++t)
          scale_row(p_of(tile, from - chunk + t), delta1 + t * token_stride, tile, from + t, words, padded, db_2 + first);
        by_token = by_word = delta1;
      }
#if defined(__AVX512BF16__)
      else {
        float* one = pool_.scratch(thread, 5, 0);
        float* two = one + run_ * (kWords / 2 + W);
        by_token = one, by_word = two;
        token_stride = kWords / 2 + W, word_stride = kWords;
        pair_rows(tile, from, count, chunk, words, one, two, db_2 + first);
      }
#endif
      over_row_blocks(0, count, [&](long t, int m) {  // dh = δ1 U
        rows_into<P, true>(sums, ld, false, m, lanes<P>(words), by_token + t * token_stride, token_stride, U, lanes<P>(words), 0,
                           Dh, 0, panels);
        write_rows(dh + (from + t) * Dh, sums, ld, m, Dh, !fresh);
      });
      if (!weights_) continue;
      const float* h = by_words_ ? run_of(from - tokens.begin) : pool_.scratch(thread, 3, 0);
      if (!by_words_) pack_b<P>(q_.h + from * Dh, Dh, count, Dh, pool_.scratch(thread, 3, 0), 0, panels);
      over_row_blocks(0, words, [&](long w, int m) {  // dU = δ1^T h
        rows_into<P, false>(sums, ld, false, m, lanes<P>(count), by_word + w, word_stride, h, lanes<P>(count), 0, Dh, 0, panels);
        write_rows(dU + (first + w) * Dh, sums, ld, m, Dh, more);
      });
      more = true;
    }
    if (!more && weights_) std::memset(dU + first * Dh, 0, static_cast<size_t>(words * Dh) * 4);  // every block was left out
  }

  // Whether no entry of δ1 in this tile and these tokens reaches the threshold.
  bool negligible(long tile, long from, long count) const {
    if (q_.skip_below <= 0) return false;
    for (long t = from; t < from + count; ++t) {
      const long target = q_.y[t] - tile * kWords;
      if (!(reference_[tile * q_.N + t] < q_.skip_below) || (target >= 0 && target < kWords)) return false;
    }
    return true;
  }

  // What makes scale ŷ of exp(θ - reference).
  float factor_of(long tile, long n) const { return static_cast<float>(reference_[tile * q_.N + n] * q_.scale); }

  // One token's exp(θ - reference) becomes scale (ŷ - y) in place, rounded where the products want it; db_2 takes its part.
  void scale_row(const Stored* p, float* row, long tile, long n, long words, long padded, float* db_2) const {
    const float factor = factor_of(tile, n);
    for (long j = 0; j < padded; j += W) store(row + j, load(p + j) * factor);
    const long target = q_.y[n] - tile * kWords;
    if (target >= 0 && target < words)  // ŷ - 1, without the difference of two close numbers
      row[target] = static_cast<float>(std::expm1(-q_.J[n]) * q_.scale);
    for (long j = 0; j < words; j += W) {
      const int n_ = static_cast<int>(min(words - j, W));
      const V d = load(row + j);
      store_n(db_2 + j, load_n(db_2 + j, n_) + d, n_);
      if constexpr (std::is_same_v<P, Rounded16>) store(row + j, to_bf16(d));
    }
  }

#if defined(__AVX512BF16__)
  // The same for all tokens of a run, two at a time, into both layouts of pairs: with a token's words in a row, and with
  // the two tokens of a word side by side.
  void pair_rows(long tile, long from, long count, long chunk, long words, float* by_token, float* by_word, float* db_2) const {
    constexpr long kStride = kWords / 2 + W;
    const long full = round_up(words, 2 * W);
    alignas(64) float sums[kWords] = {};
    for (long t = 0; t < count; t += 2) {
      const bool both = t + 1 < count;
      const Stored *first = p_of(tile, from - chunk + t), *second = both ? first + kWords : first;
      const float factor[2] = {factor_of(tile, from + t), both ? factor_of(tile, from + t + 1) : 0.0f};
      float *out = by_token + t * kStride, *pairs = by_word + t / 2 * kWords;
      for (long j = 0; j < full; j += 2 * W) {
        const V a = Stored16::load(first + j) * factor[0], a_ = Stored16::load(first + j + W) * factor[0];
        const V b = Stored16::load(second + j) * factor[1], b_ = Stored16::load(second + j + W) * factor[1];
        store(sums + j, load(sums + j) + (a + b));
        store(sums + j + W, load(sums + j + W) + (a_ + b_));
        store(out + j / 2, (V)_mm512_cvtne2ps_pbh((__m512)a_, (__m512)a));
        store(out + kStride + j / 2, (V)_mm512_cvtne2ps_pbh((__m512)b_, (__m512)b));
        store(pairs + j, P::interleaved((V)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a)));
        store(pairs + j + W, P::interleaved((V)_mm512_cvtne2ps_pbh((__m512)b_, (__m512)a_)));
      }
      for (int i = 0; i <= both; ++i) {  // ŷ - y where y is 1
        const long w = q_.y[from + t + i] - tile * kWords;
        if (w < 0 || w >= words) continue;
        const float y_hat = Stored16::number(first[i * kWords + w]) * factor[i];
        const uint16_t delta1 = Stored16::rounded(y_hat - static_cast<float>(q_.scale));
        std::memcpy(reinterpret_cast<uint16_t*>(out + i * kStride) + w, &delta1, 2);
        std::memcpy(reinterpret_cast<uint16_t*>(pairs + w) + i, &delta1, 2);
        sums[w] -= static_cast<float>(q_.scale);
      }
    }
    for (long j = 0; j < words; ++j) db_2[j] += sums[j];
  }
#endif
};

}  // namespace elman::ELMAN_ISA
