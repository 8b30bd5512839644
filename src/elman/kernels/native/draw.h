// Generation: a token a step, all threads on the same vector of hidden units.
#pragma once

#include <algorithm>
#include <cmath>

#include "matmul.h"

namespace elman::ELMAN_ISA {

struct Candidate {
  double weight;
  long token;
};

// One token from θ, after temperature, top-k and top-p in this order; the likeliest where the temperature is 0.
static inline long choose(const float* theta, const Decoder& model, const Draw& q, double uniform,
                          std::vector<Candidate>& candidates) {
  const auto allowed = [&](long j) { return j != q.banned; };
  long best = -1;
  for (long j = 0; j < model.V; ++j)
    if (allowed(j) && (best < 0 || theta[j] > theta[best])) best = j;
  if (best < 0) return 0;
  if (q.temperature == 0) return best;
  const double largest = theta[best];
  const bool all_of_them = q.top_k == 0 && q.top_p >= 1;
  candidates.clear();
  double total = 0;
  for (long j = 0; j < model.V; ++j) {
    if (!allowed(j)) continue;
    const double weight = std::exp((theta[j] - largest) / q.temperature);
    candidates.push_back({weight, j});
    total += weight;
  }
  if (!all_of_them) {  // the likeliest first; among equals the smaller token
    const auto likelier = [](const Candidate& a, const Candidate& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
    };
    if (q.top_k > 0 && static_cast<size_t>(q.top_k) < candidates.size()) {
      std::nth_element(candidates.begin(), candidates.begin() + q.top_k, candidates.end(), likelier);
      candidates.resize(static_cast<size_t>(q.top_k));
    }
    std::sort(candidates.begin(), candidates.end(), likelier);
    total = 0;
    for (const Candidate& each : candidates) total += each.weight;
    if (q.top_p < 1) {
      double held = 0;
      size_t kept = 0;
      while (kept < candidates.size() && held < q.top_p * total) held += candidates[kept++].weight;
      candidates.resize(kept < 1 ? 1 : kept);
      total = held;
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
static void draw(Pool& pool, const Decoder& model, const Draw& q) {
  const long Dh = model.Dh, V_ = model.V;
  const long hidden = divide_up(Dh, kPanel), words = divide_up(V_, kPanel);
  const bool alone = pool.size() == 1 || Dh * (Dh + V_) < 65536;  // too little work to share
  float* theta = pool.scratch(-1, 0, static_cast<size_t>(words * kPanel));
  float* both = pool.scratch(-1, 1, static_cast<size_t>(2 * round_up(Dh, kPanel)));
  std::vector<Candidate> candidates;
  candidates.reserve(static_cast<size_t>(V_));
  const auto work = [&](int thread, int threads, auto barrier) {
    const Range units = share(hidden, thread, threads), outputs = share(words, thread, threads);
    float *h = q.h, *next = both;
    int64_t token = q.token;
    for (long k = 0; k < q.n; ++k, token = q.tokens[k - 1]) {
      const float* u = model.inputs + token * Dh;
      row_block<Float32, true>(1, Dh, h, Dh, model.W_h, Dh, 0, Dh, units.begin, units.end,
                               [&](long n0, int columns, const float* sum, int) {
                                 over_vectors(columns, [&](int j, int n) {
                                   const V z = load_n(sum + j, n) + load_n(u + n0 + j, n);
                                   store_n(next + n0 + j, activate(z, model.activation), n);
                                 });
                               });
      barrier();
      h = next;
      next = both + (h == both ? round_up(Dh, kPanel) : 0);
      row_block<Float32, true>(1, Dh, h, Dh, model.U, Dh, 0, V_, outputs.begin, outputs.end,
                               [&](long n0, int columns, const float* sum, int) {
                                 over_vectors(columns, [&](int j, int n) {
                                   store_n(theta + n0 + j, load_n(sum + j, n) + load_n(model.b_2 + n0 + j, n), n);
                                 });
                               });
      barrier();
      if (thread == 0) q.tokens[k] = choose(theta, model, q, q.uniform[k], candidates);
      barrier();
    }
    if (thread == 0 && h != q.h) std::memcpy(q.h, h, static_cast<size_t>(Dh) * 4);
  };
  if (alone) work(0, 1, [] {});
  else pool.run([&](int thread) { work(thread, pool.size(), [&] { pool.barrier(); }); });
}

}  // namespace elman::ELMAN_ISA
