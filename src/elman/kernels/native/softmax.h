// The softmax with its loss and gradient, in tiles of words.
//
// The forward pass (softmax_forward.h) goes through the tiles: θ of a few tokens stays in the first-level cache, and
// each token keeps Σ exp(θ - reference) of each tile and, for the gradient, exp(θ - reference). When all tiles are
// done, Z and J of every token are known. The backward pass (softmax_backward.h) makes δ1 of the exp of each tile and
// multiplies it with U and h while it is in the cache. softmax_plan.h says how the threads share this, and in what
// chunks of tokens it goes.
#pragma once

#include <vector>

#include "softmax_backward.h"
#include "softmax_forward.h"

namespace elman::ELMAN_ISA {

// Packs some tokens of h as left operand.
template <class Kernel>
static void pack_h(const SoftmaxPlan<Kernel>& plan, Range tokens) {
  const long Dh = plan.call.Dh;
  pack_left<Kernel>({plan.call.h + tokens.begin * Dh, tokens.end - tokens.begin, Dh, Dh},
                    plan.h + tokens.begin * plan.h_stride, plan.h_stride);
}

// Packs every block of a chunk's tokens of h as right operand: this thread's share of the columns.
template <class Kernel>
static void pack_h_blocks(const SoftmaxPlan<Kernel>& plan, int thread, Chunk chunk) {
  const long Dh = plan.call.Dh;
  const Range panels = share(panels_of<Kernel>(Dh), thread, plan.threads);
  for (long n = chunk.begin; n < chunk.end; n += plan.block)
    pack_right<Kernel>({plan.call.h + n * Dh, min(plan.block, chunk.end - n), Dh, Dh}, plan.h_block_of(chunk, n),
                       panels);
}

// J alone.
template <class Kernel>
static void softmax_evaluate(const SoftmaxPlan<Kernel>& plan, int thread) {
  const Range own = share(plan.call.N, thread, plan.threads);
  pack_h(plan, own);
  plan.pool.barrier();
  const Range tiles = plan.by_words ? share(plan.tiles, thread, plan.threads) : Range{0, plan.tiles};
  const Range everything{0, plan.call.N}, tokens = plan.by_words ? everything : own;
  for (long tile = tiles.begin; tile < tiles.end; ++tile)
    softmax_forward(plan, thread, tile, tokens, everything, tile == tiles.begin);
  plan.pool.barrier();
  for (long n = own.begin; n < own.end; ++n) softmax_loss(plan, n);
}

// J and the gradients. Returns how many blocks this thread left out.
template <class Kernel>
static long softmax_differentiate(const SoftmaxPlan<Kernel>& plan, int thread) {
  using Own = typename SoftmaxPlan<Kernel>::Own;
  constexpr long kPair = Kernel::Prec::kPair;
  const Softmax& call = plan.call;
  Pool& pool = plan.pool;
  const long N = call.N, Dh = call.Dh, V = call.V;
  const bool by_words = plan.by_words, first_thread = thread == 0;
  if (by_words) pack_h(plan, share(N, thread, plan.threads));
  pool.barrier();
  float* partial = pool.own(thread, Own::partial);
  const SoftmaxGradients to{
      .dh = by_words && !first_thread ? partial : call.dh,
      .dU = by_words || first_thread ? call.dU : partial,
      .db_2 = !plan.with_weights         ? pool.own(thread, Own::unused_db_2)
              : by_words || first_thread ? call.db_2
                                         : partial + V * Dh,
  };
  const Range tiles = by_words ? share(plan.tiles, thread, plan.threads) : Range{0, plan.tiles};
  bool first_chunk = true;
  long left_out = 0;
  for (long begin = 0; begin < N; begin += plan.chunk) {
    const Chunk chunk{begin, min(begin + plan.chunk, N)};
    const Range pairs = share(divide_up(chunk.end - chunk.begin, kPair), thread, plan.threads);
    const Range own{chunk.begin + pairs.begin * kPair, min(chunk.begin + pairs.end * kPair, chunk.end)};
    const Range tokens = by_words ? chunk : own;
    if (!by_words) pack_h(plan, own);
    for (long tile = tiles.begin; tile < tiles.end; ++tile)
      softmax_forward(plan, thread, tile, tokens, chunk, tile == tiles.begin);
    if (by_words) pool.barrier();
    for (long n = own.begin; n < own.end; ++n) references_to_factors(plan, n, softmax_loss(plan, n));
    if (by_words && plan.with_weights) pack_h_blocks(plan, thread, chunk);
    if (by_words) pool.barrier();
    for (long tile = tiles.begin; tile < tiles.end; ++tile)
      left_out += softmax_backward(plan, thread, tile, tokens, chunk, to, tile == tiles.begin, first_chunk);
    if (tiles.begin == tiles.end)
      std::memset(to.dh + tokens.begin * Dh, 0, static_cast<size_t>((tokens.end - tokens.begin) * Dh) * 4);
    if (tokens.begin < tokens.end) first_chunk = false;
    if (by_words) pool.barrier();  // the next chunk overwrites exp_tiles
  }
  if (first_chunk && plan.with_weights) {  // this thread had no tokens
    std::memset(to.dU, 0, static_cast<size_t>(V * Dh) * 4);
    std::memset(to.db_2, 0, static_cast<size_t>(V) * 4);
  }
  pool.barrier();
  const auto add_threads = [&](float* out, long size, long offset) {
    const Range vectors = share(divide_up(size, kWidth), thread, plan.threads);
    add_parts(out, {vectors.begin * kWidth, min(vectors.end * kWidth, size)}, plan.threads,
              [&](int t) { return pool.own(t, Own::partial) + offset; });
  };
  if (by_words) {
    add_threads(call.dh, N * Dh, 0);
  } else if (plan.with_weights) {
    add_threads(call.dU, V * Dh, 0);
    add_threads(call.db_2, V, V * Dh);
  }
  return left_out;
}

template <class Kernel>
static void softmax_with(Pool& pool, Softmax& call) {
  const SoftmaxPlan<Kernel> plan(pool, call);
  std::vector<long> left_out(static_cast<size_t>(plan.threads), 0);
  pool.run([&](int thread) {
    if (plan.with_gradient) left_out[static_cast<size_t>(thread)] = softmax_differentiate(plan, thread);
    else softmax_evaluate(plan, thread);
  });
  call.blocks = plan.with_gradient ? plan.tiles * divide_up(call.N, plan.block) : 0;
  call.skipped = 0;
  for (const long each : left_out) call.skipped += each;
}

}  // namespace elman::ELMAN_ISA
