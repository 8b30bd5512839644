// The softmax with its loss and gradient, on matrix tiles.
//
// θ is computed transposed, θ^T = U h^T: in a vector of 16 tokens, the largest θ and Σ exp are taken over the words from
// vector to vector, without sums across a vector. exp(θ - reference) is kept as bfloat16, transposed and without its
// factor 1/Z: as it is, it is the left operand of
//
//   dU = δ1^T h = e (h / Z)        db_2 = Σ_n e / Z        dh^T = U^T δ1^T = (U^T e) / Z
//
// where e is exp(θ - reference), and Z (ŷ - 1) at the target. So there is no pass that makes δ1. For dh^T, e is copied
// with words in pairs. While the tiles of a product are multiplied, vectors take exp of those before.
//
// What is read and written again lies in panels of 32 tokens, each in one piece, in the order in which it is used: e of a
// tile of words, and dh^T. The processor fetches such memory ahead. (In rows of all tokens, the pieces that a tile takes
// are kilobytes apart: the whole softmax of 33,278 words took a fifth longer.)
//
// Threads, tiles of words and chunks of tokens are those of softmax.h. The reference is the target's θ, which is known
// before all others and the same in every tile: Z is then 1 / ŷ at the target. Where a sum would be too large with it,
// a tile takes its own largest θ, and the e of other tiles is multiplied with the missing factor afterwards.
#pragma once

#if defined(__AMX_TILE__) && defined(__AMX_BF16__)
#include <cmath>
#include <vector>

#include "amx_micro_kernel.h"
#include "softmax.h"
#include "sums.h"

namespace elman::ELMAN_ISA {

class AmxSoftmax {
  using Kernel = AmxMicroKernel;
  using Prec = Kernel::Prec;
  static constexpr long kWords = 256;                      // of a tile of words
  static constexpr long kTokens = Kernel::kColumns;        // of a panel
  static constexpr long kExpPanel = kWords * kTokens / 2;  // floats of a panel's e
  static constexpr float kTooLarge = 1e30f;
  static constexpr size_t kExpBytes = size_t{96} << 20;
  static constexpr long kRunBytes = 1280 << 10;  // of a run of tokens of h, which stays in the core's own cache

  enum class Shared { h, scaled_h, reference, sum, largest_logit, of_token, exp, count };
  enum class Own { U, logits, U_transposed, pairs, dh, sums, partial, count };

 public:
  AmxSoftmax(Pool& pool, Softmax& call)
      : call(call), tiles(divide_up(call.V, kWords)), pool_(pool), threads_(pool.size()),
        with_gradient_(call.dh != nullptr), with_weights_(call.dU != nullptr), by_words_(tiles >= 2 * threads_),
        block_(call.Dh <= 256 ? 2 * kLanesPerPass : kLanesPerPass), U_stride_(left_stride<Kernel>(call.Dh)),
        run_(round_up(kRunBytes / (2 * call.Dh) + 1, block_)) {
    const long fitting = static_cast<long>(kExpBytes / (2 * kWords)) / tiles / kTokens * kTokens;
    const long most = by_words_ ? (fitting < kTokens ? kTokens : fitting) : threads_ * block_;
    chunk_ = round_up(with_gradient_ ? divide_up(call.N, divide_up(call.N, most)) : call.N, kTokens);
    reserve();
  }

  void run() {
    std::vector<long> left_out(static_cast<size_t>(threads_), 0);
    pool_.run([&](int thread) {
      const Kernel::Session session;
      left_out[static_cast<size_t>(thread)] = work(thread);
    });
    call.blocks = with_gradient_ ? tiles * divide_up(call.N, block_) : 0;
    call.skipped = 0;
    for (const long each : left_out) call.skipped += each;
  }

  // What softmax_loss reads; see SoftmaxPlan.
  Softmax& call;
  const long tiles;
  float *reference = nullptr, *sum = nullptr, *target_logit = nullptr;

 private:
  Pool& pool_;
  const int threads_;
  const bool with_gradient_, with_weights_, by_words_;  // as in SoftmaxPlan
  const long block_, U_stride_;
  const long run_;  // tokens whose part of dU is summed in tiles before it is added to memory
  long chunk_;
  float* h_ = nullptr;                                           // h^T of a chunk as right operand
  float* scaled_h_ = nullptr;                                    // scale h / Z of each thread's tokens as right operand
  float* largest_logit_ = nullptr;                               // [tiles][N]; where blocks may be left out
  float* target_logit_ = nullptr;                                // [N]: target_logit, of operands that are not rounded
  float *largest_ = nullptr, *Z_ = nullptr, *factor_ = nullptr;  // [N]: the largest reference, Z, scale / Z
  float* exp_ = nullptr;  // [tiles][panels][kWords][kTokens / 2]: e, in pairs of tokens

  void reserve() {
    const long N = call.N, Dh = call.Dh;
    h_ = pool_.reserve_shared(Shared::h, packed_floats<Kernel>(Dh, chunk_));
    reference = pool_.reserve_shared(Shared::reference, tiles * N);
    sum = pool_.reserve_shared(Shared::sum, tiles * N);
    target_logit = pool_.reserve_shared(Shared::of_token, 5 * N);
    target_logit_ = target_logit + N, largest_ = target_logit_ + N, Z_ = largest_ + N, factor_ = Z_ + N;
    largest_logit_ = pool_.reserve_shared(Shared::largest_logit, call.skip_below > 0 ? tiles * N : 0);
    pool_.reserve_own(Own::U, kWords * U_stride_);
    pool_.reserve_own(Own::logits, kWords * kTokens);
    if (!with_gradient_) return;
    exp_ = pool_.reserve_shared(Shared::exp, tiles * kWords * chunk_ / 2);
    pool_.reserve_own(Own::U_transposed, packed_transposed_floats<Kernel>(kWords, Dh));
    pool_.reserve_own(Own::pairs, packed_floats<Kernel>(kWords, block_));
    pool_.reserve_own(Own::dh, chunk_ * grouped_rows<Kernel>(Dh));
    if (!with_weights_) return;
    scaled_h_ = pool_.reserve_shared(Shared::scaled_h, packed_floats<Kernel>(chunk_, Dh));
    pool_.reserve_own(Own::sums, Kernel::kRows * padded_row(Dh));
    for (int t = 0; t < threads_; ++t) pool_.reserve_own(t, Own::partial, t && !by_words_ ? call.V * (Dh + 1) : 0);
  }

  long words_of(long tile) const { return min(kWords, call.V - tile * kWords); }
  // The panel that begins with token n: of a tile's first word; of a thread's dh^T, [Dh][kTokens].
  float* exp_of(long tile, Chunk chunk, long n) const {
    return exp_ + (tile * chunk_ + n - chunk.begin) / kTokens * kExpPanel;
  }
  float* dh_of(int thread, Range tokens, long n) const {
    return pool_.own(thread, Own::dh) + (n - tokens.begin) * grouped_rows<Kernel>(call.Dh);
  }
  // scale h / Z of a thread's tokens as right operand.
  float* scaled_h_of(Chunk chunk, Range tokens) const {
    return scaled_h_ + (tokens.begin - chunk.begin) / 2 * round_up(call.Dh, Kernel::kColumns / 2);
  }

  // Returns how many blocks this thread left out.
  long work(int thread) {
    const long N = call.N, Dh = call.Dh, V = call.V;
    const bool first_thread = thread == 0;
    float* partial = pool_.own(thread, Own::partial);
    float *dU = by_words_ || first_thread ? call.dU : partial,
          *db_2 = by_words_ || first_thread ? call.db_2 : partial + V * Dh;
    const Range mine = by_words_ ? share(tiles, thread, threads_) : Range{0, tiles};
    bool first_chunk = true;
    long left_out = 0;
    for (long begin = 0; begin < N; begin += chunk_) {
      const Chunk chunk{begin, min(begin + chunk_, N)};
      const long count = chunk.end - chunk.begin, panels = divide_up(count, kTokens);
      const Range own_panels = share(panels, thread, threads_);
      const Range own{begin + own_panels.begin * kTokens, min(begin + own_panels.end * kTokens, chunk.end)};
      const Range tokens = by_words_ ? chunk : own;
      pack_right_transposed<Kernel>({call.h + begin * Dh, count, Dh, Dh}, h_, own_panels);
      for (long n = own.begin; n < own.end; ++n)
        target_logit_[n] = static_cast<float>(dot(call.h + n * Dh, call.U + call.y[n] * Dh, Dh)) + call.b_2[call.y[n]];
      if (by_words_) pool_.barrier();
      for (long tile = mine.begin; tile < mine.end; ++tile)
        forward(thread, tile, chunk, by_words_ ? Range{0, panels} : own_panels,
                tile == mine.begin ? target_logit_ : reference + (tile - 1) * N);
      if (by_words_) pool_.barrier();
      for (long n = own.begin; n < own.end; ++n) finish_forward(n);
      if (!with_gradient_) continue;
      if (by_words_) pool_.barrier();
      if (with_weights_)
        scale_h(chunk, tokens,
                by_words_ ? share(panels_of<Kernel>(Dh), thread, threads_) : Range{0, panels_of<Kernel>(Dh)});
      if (by_words_) pool_.barrier();
      if (tokens.begin == tokens.end) continue;
      for (long tile = mine.begin; tile < mine.end; ++tile)
        left_out += backward(thread, tile, chunk, tokens, dU, db_2, tile == mine.begin, first_chunk);
      first_chunk = false;
      if (by_words_) pool_.barrier();
      finish_backward(thread, tokens, own);
      if (by_words_) pool_.barrier();  // the next chunk overwrites exp_ and dh
    }
    if (!with_weights_ || by_words_) return left_out;
    if (first_chunk) {  // this thread had no tokens
      std::memset(dU, 0, static_cast<size_t>(V * Dh) * 4);
      std::memset(db_2, 0, static_cast<size_t>(V) * 4);
    }
    pool_.barrier();
    const auto add_threads = [&](float* out, long size, long offset) {
      const Range vectors = share(divide_up(size, kWidth), thread, threads_);
      add_parts(out, {vectors.begin * kWidth, min(vectors.end * kWidth, size)}, threads_,
                [&](int t) { return pool_.own(t, Own::partial) + offset; });
    };
    add_threads(call.dU, V * Dh, 0);
    add_threads(call.db_2, V, V * Dh);
    return left_out;
  }

  // The largest θ and Σ exp(θ - reference) over some words, for a panel's 32 tokens.
  struct OfTokens {
    Vec reference[2] = {}, largest[2], sum[2];
  };

  // θ^T of a tile of words and some panels: references and sums of their tokens, e for the gradient. `before`: the
  // references of the tile before, [N].
  void forward(int thread, long tile, Chunk chunk, Range panels, const float* before) {
    const long words = words_of(tile), first = tile * kWords, Dh = call.Dh, lanes = lanes_of<Kernel>(Dh);
    float *U = pool_.own(thread, Own::U), *theta = pool_.own(thread, Own::logits);
    const float* bias = call.b_2 + first;
    pack_left<Kernel>({call.U + first * Dh, words, Dh, Dh}, U, U_stride_);
    for (long p = panels.begin; p < panels.end; ++p) {
      const long n = chunk.begin + p * kTokens, count = min(chunk.end - n, kTokens), at = tile * call.N + n;
      const int columns = panel_columns<Kernel>(chunk.end - chunk.begin, p);
      const int low = static_cast<int>(min(count, kWidth)), high = static_cast<int>(count) - low;
      float* e = with_gradient_ ? exp_of(tile, chunk, n) : nullptr;
      OfTokens of;
      of.reference[0] = load_n(before + n, low);
      if (high) of.reference[1] = load_n(before + n + kWidth, high);
      const auto word = [&](long w) {
        const Vec b = broadcast(bias[w]), theta_low = load(theta + w * kTokens) + b;
        const Vec exp_low = exp(theta_low - of.reference[0]);
        of.largest[0] = max(of.largest[0], theta_low), of.sum[0] += exp_low;
        Vec exp_high{};
        if (columns == kTokens) {
          const Vec theta_high = load(theta + w * kTokens + kWidth) + b;
          exp_high = exp(theta_high - of.reference[1]);
          of.largest[1] = max(of.largest[1], theta_high), of.sum[1] += exp_high;
        }
        if (e) store(e + w * kTokens / 2, Prec::rounded(exp_low, exp_high));
      };
      const auto begin = [&] {
        const Vec least = broadcast(-std::numeric_limits<float>::infinity());
        of.largest[0] = of.largest[1] = least, of.sum[0] = of.sum[1] = Vec{};
      };
      begin();
      Tile product{.a = U,
                   .a_stride = U_stride_,
                   .b = h_ + p * kTokens * lanes,
                   .panel_stride = 0,
                   .lanes = lanes,
                   .out = theta,
                   .out_stride = kTokens,
                   .add = false};
      long next = 0, ready = 0;  // words that are through exp, and whose θ is known
      over_row_blocks<Kernel>(Range{0, words}, [&](long from, int m) {
        product.a = U + from * U_stride_, product.out = theta + from * kTokens;
        const long each_time = divide_up(ready - next, lanes / Kernel::kLaneGroup);
        Kernel::run_with(m, columns, product, [&] {
          for (long i = 0; i < each_time && next < ready; ++i) word(next++);
        });
        ready = from + m;
      });
      while (next < words) word(next++);
      const auto too_large = [&](int j, int tokens) {
        const __mmask16 some = _mm512_cmp_ps_mask((__m512)of.sum[j], _mm512_set1_ps(kTooLarge), _CMP_NLT_UQ);
        return (some & ((1u << tokens) - 1)) != 0;
      };
      if (too_large(0, low) || too_large(1, high)) {  // with the tile's own largest θ the sum is at most kWords
        for (int j = 0; j < 2; ++j) of.reference[j] = of.sum[j] < kTooLarge ? of.reference[j] : of.largest[j];
        begin();
        for (long w = 0; w < words; ++w) word(w);
      }
      const auto keep = [&](float* to, const Vec* x) {
        store_n(to + at, x[0], low);
        if (high) store_n(to + at + kWidth, x[1], high);
      };
      keep(reference, of.reference), keep(sum, of.sum);
      if (call.skip_below > 0) keep(largest_logit_, of.largest);
      for (long i = 0; i < count; ++i) {
        const long target = call.y[n + i] - first;
        if (target >= 0 && target < words) target_logit[n + i] = theta[target * kTokens + i] + bias[target];
      }
    }
  }

  void finish_forward(long n) {
    const Normaliser normaliser = softmax_loss(*this, n);
    largest_[n] = static_cast<float>(normaliser.largest), Z_[n] = static_cast<float>(normaliser.Z);
    factor_[n] = static_cast<float>(call.scale / normaliser.Z);
  }

  // scale h / Z of some tokens as right operand; some panels of its columns.
  void scale_h(Chunk chunk, Range tokens, Range panels) const {
    const long Dh = call.Dh, lanes = lanes_of<Kernel>(tokens.end - tokens.begin);
    float* out = scaled_h_of(chunk, tokens);
    for (long p = panels.begin; p < panels.end; ++p) {
      const int columns = panel_columns<Kernel>(Dh, p);
      for (long k = 0; k < lanes; ++k)
        for (int j = 0; j < columns; j += kWidth) {
          const long n = tokens.begin + 2 * k, column = p * Kernel::kColumns + j, rest = min(Dh - column, kWidth);
          const auto row = [&](long token) {
            return token < tokens.end ? load_n(call.h + token * Dh + column, static_cast<int>(rest)) * factor_[token]
                                      : Vec{};
          };
          store(out + p * Kernel::kColumns * lanes + k * columns + j,
                Prec::interleaved(Prec::rounded(row(n), row(n + 1))));
        }
    }
  }

  // Whether every entry of δ1 of a tile's words and these tokens is below the threshold.
  bool negligible(long tile, Range tokens) const {
    if (call.skip_below <= 0) return false;
    for (long n = tokens.begin; n < tokens.end; ++n) {
      const long target = call.y[n] - tile * kWords;
      const float y_hat = std::exp(largest_logit_[tile * call.N + n] - largest_[n]) / Z_[n];
      if (!(y_hat < call.skip_below) || (target >= 0 && target < kWords)) return false;
    }
    return true;
  }

  // Makes a tile's e of some tokens that of the common reference, and Z (ŷ - 1) at the target.
  void settle(long tile, Chunk chunk, Range tokens) const {
    const long words = words_of(tile);
    for (long n = tokens.begin; n < tokens.end; ++n) {
      const long at = (n - chunk.begin) % kTokens;
      uint16_t* e = reinterpret_cast<uint16_t*>(exp_of(tile, chunk, n - at)) + at;
      const float own = reference[tile * call.N + n];
      if (own != largest_[n]) {
        const float factor = std::exp(own - largest_[n]);
        for (long w = 0; w < words; ++w) {
          uint16_t& each = e[w * kTokens];
          each = Bf16::from_float(Bf16::to_float(each) * factor);
        }
      }
      const long target = call.y[n] - tile * kWords;
      if (target >= 0 && target < words)  // ŷ - 1 = expm1(-J), without the difference of two close numbers
        e[target * kTokens] = Bf16::from_float(static_cast<float>(std::expm1(-call.J[n]) * Z_[n]));
    }
  }

  // e of a tile and a block of tokens with its words in pairs, as right operand; adds Σ_n scale e / Z to db_2, unless
  // that is null.
  void pair_words(int thread, long tile, Chunk chunk, Range tokens, float* db_2) const {
    constexpr long kTogether = 4;  // panels: the sums of all words are read and written once for them
    alignas(64) static constexpr uint16_t kLow[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                                      8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    alignas(64) static constexpr int32_t kEven[16] = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
    const __m512i low = _mm512_load_si512(kLow), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    const __m512i even = _mm512_load_si512(kEven), odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const long words = words_of(tile), lanes = lanes_of<Kernel>(words), count = tokens.end - tokens.begin,
               panels = divide_up(count, kTokens);
    const float* e = exp_of(tile, chunk, tokens.begin);
    float* pairs = pool_.own(thread, Own::pairs);
    alignas(64) float sums[kWords * kWidth];
    if (db_2) std::memset(sums, 0, sizeof sums);
    for (long first = 0; first < panels; first += kTogether) {
      const long end = min(first + kTogether, panels);
      Vec factor_even[kTogether] = {}, factor_odd[kTogether] = {};
      for (long p = first; p < end; ++p) {
        const float* of = factor_ + tokens.begin + p * kTokens;
        const long rest = min(count - p * kTokens, kTokens);
        const __m512 a = (__m512)load_n(of, static_cast<int>(min(rest, kWidth)));
        const __m512 b = rest > kWidth ? (__m512)load_n(of + kWidth, static_cast<int>(rest - kWidth)) : __m512{};
        factor_even[p - first] = (Vec)_mm512_permutex2var_ps(a, even, b);
        factor_odd[p - first] = (Vec)_mm512_permutex2var_ps(a, odd, b);
      }
      const auto add = [&](long w, long p, Vec numbers) {  // the odd number of a pair is its upper half
        const IntVec bits = (IntVec)numbers;
        Vec sum = load(sums + w * kWidth);
        sum += (Vec)(bits << 16) * factor_even[p - first];
        store(sums + w * kWidth, sum + (Vec)(bits & static_cast<int32_t>(0xffff0000)) * factor_odd[p - first]);
      };
      for (long w = 0; w < 2 * lanes; w += 2)
        for (long p = first; p < end; ++p) {
          const int columns = panel_columns<Kernel>(count, p);
          const float* at = e + p * kExpPanel + w * kTokens / 2;
          const Vec a = w < words ? load(at) : Vec{}, b = w + 1 < words ? load(at + kTokens / 2) : Vec{};
          float* to = pairs + p * kTokens * lanes + w / 2 * columns;
          store(to, (Vec)_mm512_permutex2var_epi16((__m512i)a, low, (__m512i)b));
          if (columns == kTokens) store(to + kWidth, (Vec)_mm512_permutex2var_epi16((__m512i)a, high, (__m512i)b));
          if (!db_2) continue;
          if (w < words) add(w, p, a);
          if (w + 1 < words) add(w + 1, p, b);
        }
    }
    for (long w = 0; db_2 && w < words; ++w) db_2[w] += sum_of(load(sums + w * kWidth));
  }

  // A tile's part of the gradients, for some tokens of a chunk; dh of this thread is transposed and lacks its factor.
  // `first_tile`, `first_chunk`, result: as softmax_backward.
  long backward(int thread, long tile, Chunk chunk, Range tokens, float* dU, float* db_2, bool first_tile,
                bool first_chunk) {
    const long Dh = call.Dh, words = words_of(tile), first = tile * kWords;
    float* U = pool_.own(thread, Own::U_transposed);
    pack_left_transposed<Kernel>({call.U + first * Dh, words, Dh, Dh}, U);
    if (first_chunk && with_weights_) std::memset(db_2 + first, 0, static_cast<size_t>(words) * 4);
    bool add = !first_chunk;
    long left_out = 0;
    for (long begin = tokens.begin; begin < tokens.end; begin += run_) {
      const long end = min(begin + run_, tokens.end);
      Range kept{begin, begin};  // tokens whose part of dU is not added yet
      const auto add_kept = [&] {
        if (with_weights_ && kept.begin < kept.end) add_to_dU(thread, tile, chunk, tokens, kept, dU, add), add = true;
      };
      for (long from = begin; from < end; from += block_) {
        const Range block{from, min(from + block_, end)};
        if (negligible(tile, block)) {
          ++left_out;
          if (first_tile)
            std::memset(dh_of(thread, tokens, from), 0,
                        static_cast<size_t>(round_up(block.end - from, kTokens) * grouped_rows<Kernel>(Dh)) * 4);
          add_kept();
          kept = {block.end, block.end};
          continue;
        }
        settle(tile, chunk, block);
        pair_words(thread, tile, chunk, block, with_weights_ ? db_2 + first : nullptr);
        add_to_dh(thread, words, tokens, block, !first_tile);
        kept.end = block.end;
      }
      add_kept();
    }
    if (!add && with_weights_)  // every block was left out
      std::memset(dU + first * Dh, 0, static_cast<size_t>(words * Dh) * 4);
    return left_out;
  }

  // dh^T Z = U^T e, or what is there plus that, of a block of tokens.
  void add_to_dh(int thread, long words, Range tokens, Range block, bool add) const {
    const long count = block.end - block.begin, lanes = lanes_of<Kernel>(words);
    const float *U = pool_.own(thread, Own::U_transposed), *pairs = pool_.own(thread, Own::pairs);
    for (long p = 0; p * kTokens < count; ++p) {
      const int columns = panel_columns<Kernel>(count, p);
      float* dh = dh_of(thread, tokens, block.begin + p * kTokens);
      over_row_blocks<Kernel>(Range{0, call.Dh}, [&](long j, int m) {
        const LeftBlock A = packed_transposed_block<Kernel>(U, words, j, m);
        Kernel::run<Left::by_rows>(m, columns,
                                   {.a = A.data,
                                    .a_stride = A.stride,
                                    .b = pairs + p * kTokens * lanes,
                                    .panel_stride = 0,
                                    .lanes = lanes,
                                    .out = dh + j * kTokens,
                                    .out_stride = kTokens,
                                    .add = add});
      });
    }
  }

  // dU = e (h / Z), or what is there plus that, over some of the thread's tokens.
  void add_to_dU(int thread, long tile, Chunk chunk, Range tokens, Range kept, float* dU, bool add) const {
    const long Dh = call.Dh, stride = padded_row(Dh), lanes = lanes_of<Kernel>(tokens.end - tokens.begin),
               first_lane = (kept.begin - tokens.begin) / 2;
    const float *e = exp_of(tile, chunk, kept.begin), *h = scaled_h_of(chunk, tokens);
    float *sums = pool_.own(thread, Own::sums), *out = dU + tile * kWords * Dh;
    over_row_blocks<Kernel>(Range{0, words_of(tile)}, [&](long w, int m) {
      for (long p = 0; p < panels_of<Kernel>(Dh); ++p) {
        const int columns = panel_columns<Kernel>(Dh, p);
        const Tile product{.a = e + w * kTokens / 2,
                           .a_stride = kTokens / 2,
                           .b = h + p * Kernel::kColumns * lanes + first_lane * columns,
                           .panel_stride = 0,
                           .lanes = lanes_of<Kernel>(kept.end - kept.begin),
                           .out = sums + p * Kernel::kColumns,
                           .out_stride = stride,
                           .add = false};
        Kernel::run_with(m, columns, product, [] {}, kExpPanel);
      }
      write_rows(out + w * Dh, sums, stride, m, Dh, add);
    });
  }

  // dh of this thread's own tokens: the sum of the threads' parts, times scale / Z, transposed back.
  void finish_backward(int thread, Range tokens, Range own) const {
    const long Dh = call.Dh;
    const int first_part = by_words_ ? 0 : thread, parts = by_words_ ? threads_ : 1;
    for (long n = own.begin; n < own.end; n += kWidth) {
      const int count = static_cast<int>(min(own.end - n, kWidth));
      const Vec factor = load_n(factor_ + n, count);
      for (long j = 0; j < Dh; j += kWidth) {
        const int units = static_cast<int>(min(Dh - j, kWidth));
        Vec square[kWidth] = {};
        for (int i = 0; i < units; ++i) {
          const long at = (n - tokens.begin) % kTokens, panel = n - at;
          const auto part = [&](int t) { return load(dh_of(t, tokens, panel) + (j + i) * kTokens + at); };
          Vec sum = part(first_part);
          for (int t = 1; t < parts; ++t) sum += part(t);
          square[i] = sum * factor;
        }
        transpose<1>(square);
        for (int i = 0; i < count; ++i) store_n(call.dh + (n + i) * Dh + j, square[i], units);
      }
    }
  }
};

template <>
void softmax_with<AmxMicroKernel>(Pool& pool, Softmax& call) {
  AmxSoftmax(pool, call).run();
}

}  // namespace elman::ELMAN_ISA
#endif
