// How a call of the softmax kernel is divided into tiles of words and chunks of tokens, and its scratch memory.
#pragma once

#include "kernels.h"
#include "product.h"

namespace elman::ELMAN_ISA {

// ∂J/∂h, ∂J/∂U and ∂J/∂b_2 as one thread writes them.
struct SoftmaxGradients {
  float *dh, *dU, *db_2;
};

// The tokens that go together between two barriers; what their tiles keep begins at `begin`.
using Chunk = Range;

template <class Kernel>
struct SoftmaxPlan {
  using Prec = typename Kernel::Prec;
  using Number = typename Prec::Number;
  static constexpr long kWords = 8 * Kernel::kColumns < 256 ? 8 * Kernel::kColumns : 256;  // of a tile
  static constexpr size_t kExpBytes = size_t{96} << 20;  // the most for exp_tiles, where threads share the words
  static constexpr long kDeltaStride = kWords + kWidth;

  enum class Shared { h, reference, sum, target_logit, exp_tiles, h_blocks, count };
  enum class Own { U, logits, sums, h_block, partial, delta, unused_db_2, count };

  const Softmax& call;
  Pool& pool;
  const int threads;
  const long tiles;
  const bool with_gradient;  // ∂J/∂h
  const bool with_weights;   // ∂J/∂U and ∂J/∂b_2 too
  // With many tiles the threads share the words: each has a dh of its own, and these are added at the end. With few
  // they share the tokens, and each has a dU of its own; both passes then follow each other while h is in the core's
  // own cache.
  const bool by_words;
  const long block;     // tokens of the backward pass that go together: their h and δ1 stay in the core's own cache
  const long h_stride;  // of a row of h
  long chunk;           // tokens of a chunk

  // Shared by the threads:
  float* h = nullptr;             // [N][h_stride]: h as left operand
  float* reference = nullptr;     // [tiles][N]: what is subtracted from θ; after `loss`, the factor that makes ŷ of exp
  float* sum = nullptr;           // [tiles][N]: Σ exp(θ - reference)
  float* target_logit = nullptr;  // [N]: θ[n][y[n]]
  Number* exp_tiles = nullptr;    // [tiles][chunk][kWords]: exp(θ - reference), the only array that grows with V
  float* h_blocks = nullptr;      // each block of tokens of h as right operand; where the threads share the words

  SoftmaxPlan(Pool& pool, const Softmax& call)
      : call(call), pool(pool), threads(pool.size()), tiles(divide_up(call.V, kWords)),
        with_gradient(call.dh != nullptr), with_weights(call.dU != nullptr), by_words(tiles >= 2 * threads),
        block(call.Dh <= 256 ? 2 * kLanesPerPass : kLanesPerPass), h_stride(left_stride<Kernel>(call.Dh)) {
    const long fitting = static_cast<long>(kExpBytes / (sizeof(Number) * kWords)) / tiles;
    const long most = by_words ? (fitting < 1 ? 1 : fitting) : threads * block;
    chunk = round_up(with_gradient ? divide_up(call.N, divide_up(call.N, most)) : call.N, Prec::kPair);
    reserve();
  }

  long words_of(long tile) const { return min(kWords, call.V - tile * kWords); }
  // exp(θ - reference) of a tile's words for token n of a chunk.
  Number* exp_of(long tile, Chunk at, long n) const { return exp_tiles + (tile * chunk + n - at.begin) * kWords; }
  // The block of h that begins at token n of a chunk, as right operand.
  float* h_block_of(Chunk at, long n) const {
    return h_blocks + (n - at.begin) / block * packed_floats<Kernel>(block, call.Dh);
  }

 private:
  void reserve() {
    const long N = call.N, Dh = call.Dh, V = call.V;
    h = pool.reserve_shared(Shared::h, N * h_stride);
    reference = pool.reserve_shared(Shared::reference, tiles * N);
    sum = pool.reserve_shared(Shared::sum, tiles * N);
    target_logit = pool.reserve_shared(Shared::target_logit, N);
    const long forward = packed_floats<Kernel>(Dh, kWords), backward = packed_floats<Kernel>(kWords, Dh);
    pool.reserve_own(Own::U, forward > backward ? forward : backward);
    pool.reserve_own(Own::logits, Kernel::kRows * kWords + kWords);
    if (!with_gradient) return;
    exp_tiles = reinterpret_cast<Number*>(pool.reserve_shared(Shared::exp_tiles, tiles * chunk * kWords / Prec::kPair));
    const bool share_h = by_words && with_weights, own_weights = !by_words && with_weights;
    if (share_h)
      h_blocks = pool.reserve_shared(Shared::h_blocks, divide_up(chunk, block) * packed_floats<Kernel>(block, Dh));
    pool.reserve_own(Own::sums, Kernel::kRows * padded_row(Dh));
    pool.reserve_own(Own::h_block, own_weights ? packed_floats<Kernel>(block, Dh) : 0);
    for (int t = 0; t < threads; ++t)
      pool.reserve_own(t, Own::partial, !t ? 0 : by_words ? N * Dh : own_weights ? V * (Dh + 1) : 0);
    pool.reserve_own(Own::unused_db_2, with_weights ? 0 : V);
    pool.reserve_own(Own::delta, block * (kDeltaStride + kWidth) + 2 * kWidth);
  }
};

}  // namespace elman::ELMAN_ISA
