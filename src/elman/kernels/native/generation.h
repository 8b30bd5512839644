// Generation: one token a step; all threads work on the same vector of hidden units.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "activations.h"
#include "kernels.h"
#include "product.h"

namespace elman::ELMAN_ISA {

struct Candidate {
  double weight;
  long token;
};

// Draws one token from θ, after temperature, top-k and top-p in this order; the most probable one where the temperature
// is 0.
static inline long choose_token(const float* theta, long V, const Draw& call, double uniform,
                                std::vector<Candidate>& candidates) {
  const auto allowed = [&](long j) { return j != call.banned; };
  long best = -1;
  for (long j = 0; j < V; ++j)
    if (allowed(j) && (best < 0 || theta[j] > theta[best])) best = j;
  if (best < 0) return 0;
  if (call.temperature == 0) return best;
  const double largest = theta[best];
  const bool unlimited = call.top_k == 0 && call.top_p >= 1;
  candidates.clear();
  double total = 0;
  for (long j = 0; j < V; ++j) {
    if (!allowed(j)) continue;
    const double weight = std::exp((theta[j] - largest) / call.temperature);
    candidates.push_back({weight, j});
    total += weight;
  }
  if (!unlimited) {  // the most probable first; of equal ones the smaller token
    const auto more_probable = [](const Candidate& a, const Candidate& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
    };
    if (call.top_k > 0 && static_cast<size_t>(call.top_k) < candidates.size()) {
      std::nth_element(candidates.begin(), candidates.begin() + call.top_k, candidates.end(), more_probable);
      candidates.resize(static_cast<size_t>(call.top_k));
    }
    std::sort(candidates.begin(), candidates.end(), more_probable);
    total = 0;
    for (const Candidate& each : candidates) total += each.weight;
    if (call.top_p < 1) {
      double sum = 0;
      size_t kept = 0;
      while (kept < candidates.size() && sum < call.top_p * total) sum += candidates[kept++].weight;
      candidates.resize(kept < 1 ? 1 : kept);
      total = sum;
    }
  }
  double left = uniform * total;
  for (const Candidate& each : candidates) {
    left -= each.weight;
    if (left < 0) return each.token;
  }
  return candidates.back().token;
}

// token -> h -> θ -> token, n times.
static void draw(Pool& pool, const GeneratorModel& model, const Draw& call) {
  enum class Shared { theta, states, count };
  using Kernel = Float32MicroKernel;
  constexpr int kColumns = Kernel::kColumns;
  const long V = model.V, Dh = model.Dh, state_size = round_up(Dh, kColumns);
  const Packed W_h{model.W_h, lanes_of<Kernel>(Dh), Dh}, U{model.U, lanes_of<Kernel>(Dh), V};
  const bool alone = pool.size() == 1 || Dh * (Dh + V) < 65536;  // too little work to share
  float* theta = pool.reserve_shared(Shared::theta, round_up(V, kColumns));
  float* states = pool.reserve_shared(Shared::states, 2 * state_size);
  std::vector<Candidate> candidates;
  candidates.reserve(static_cast<size_t>(V));
  const auto work = [&](int thread, int threads, auto barrier) {
    const Range hidden = share(panels_of<Kernel>(Dh), thread, threads),
                outputs = share(panels_of<Kernel>(V), thread, threads);
    const Range units{hidden.begin * kColumns, min(hidden.end * kColumns, Dh)};
    const Range tokens{outputs.begin * kColumns, min(outputs.end * kColumns, V)};
    float *h = call.h, *next = states;
    int64_t token = call.token;
    for (long k = 0; k < call.n; ++k, token = call.tokens[k - 1]) {
      const float* u = model.inputs + token * Dh;
      multiply<Kernel, Left::by_rows>({h, Dh, 1}, W_h, hidden, {next + units.begin, state_size, false});
      over_vectors(units, [&](long j, int n) {  // h = f(W_h h + u)
        store_n(next + j, activate(load_n(next + j, n) + load_n(u + j, n), model.activation), n);
      });
      barrier();
      h = next;
      next = states + (h == states ? state_size : 0);
      multiply<Kernel, Left::by_rows>({h, Dh, 1}, U, outputs, {theta + tokens.begin, round_up(V, kColumns), false});
      over_vectors(tokens, [&](long j, int n) {  // θ = U h + b_2
        store_n(theta + j, load_n(theta + j, n) + load_n(model.b_2 + j, n), n);
      });
      barrier();
      if (thread == 0) call.tokens[k] = choose_token(theta, V, call, call.uniform[k], candidates);
      barrier();
    }
    if (thread == 0 && h != call.h) std::memcpy(call.h, h, static_cast<size_t>(Dh) * 4);
  };
  if (alone) work(0, 1, [] {});
  else pool.run([&](int thread) { work(thread, pool.size(), [&] { pool.barrier(); }); });
}

// One step of B texts: the products of all of them together, each row with the sums of `draw`, and so its tokens.
static void draw_each(Pool& pool, const GeneratorModel& model, const DrawEach& call) {
  enum class Shared { theta, states, count };
  using Kernel = Float32MicroKernel;
  constexpr int kColumns = Kernel::kColumns;
  const long V = model.V, Dh = model.Dh, B = call.B;
  const long state_size = round_up(Dh, kColumns), theta_size = round_up(V, kColumns);
  const Packed W_h{model.W_h, lanes_of<Kernel>(Dh), Dh}, U{model.U, lanes_of<Kernel>(Dh), V};
  const bool alone = pool.size() == 1 || B * Dh * (Dh + V) < 65536;  // too little work to share
  float* theta = pool.reserve_shared(Shared::theta, B * theta_size);
  float* next = pool.reserve_shared(Shared::states, B * state_size);
  const auto work = [&](int thread, int threads, auto barrier) {
    const Range hidden = share(panels_of<Kernel>(Dh), thread, threads),
                outputs = share(panels_of<Kernel>(V), thread, threads), texts = share(B, thread, threads);
    const Range units{hidden.begin * kColumns, min(hidden.end * kColumns, Dh)};
    const Range tokens{outputs.begin * kColumns, min(outputs.end * kColumns, V)};
    over_row_blocks<Kernel>({0, B}, [&](long from, int rows) {
      float* out = next + from * state_size + units.begin;
      multiply<Kernel, Left::by_rows>({call.h + from * Dh, Dh, rows}, W_h, hidden, {out, state_size, false});
    });
    for (long b = 0; b < B; ++b) {
      const float* u = model.inputs + call.tokens[b] * Dh;
      float* h = next + b * state_size;
      over_vectors(units, [&](long j, int n) {  // h = f(W_h h + u)
        store_n(h + j, activate(load_n(h + j, n) + load_n(u + j, n), model.activation), n);
      });
    }
    barrier();
    over_row_blocks<Kernel>({0, B}, [&](long from, int rows) {
      float* out = theta + from * theta_size + tokens.begin;
      multiply<Kernel, Left::by_rows>({next + from * state_size, state_size, rows}, U, outputs,
                                      {out, theta_size, false});
    });
    for (long b = 0; b < B; ++b)
      over_vectors(tokens, [&](long j, int n) {  // θ = U h + b_2
        float* of_text = theta + b * theta_size + j;
        store_n(of_text, load_n(of_text, n) + load_n(model.b_2 + j, n), n);
      });
    barrier();
    std::vector<Candidate> candidates;
    for (long b = texts.begin; b < texts.end; ++b) {
      const Draw limits{.temperature = call.temperature[b],
                        .top_p = call.top_p[b],
                        .top_k = static_cast<long>(call.top_k[b]),
                        .banned = call.banned[b]};
      call.drawn[b] = choose_token(theta + b * theta_size, V, limits, call.uniform[b], candidates);
      std::memcpy(call.h + b * Dh, next + b * state_size, static_cast<size_t>(Dh) * 4);
    }
  };
  if (alone) work(0, 1, [] {});
  else pool.run([&](int thread) { work(thread, pool.size(), [&] { pool.barrier(); }); });
}

// The layout of the weights that `draw` reads.
static long packed_size(long K, long N) { return packed_floats<Float32MicroKernel>(K, N); }
static void pack_transposed(const float* B_t, long K, long N, float* out) {
  pack_right_transposed<Float32MicroKernel>({B_t, N, K, K}, out, {0, panels_of<Float32MicroKernel>(N)});
}

}  // namespace elman::ELMAN_ISA
