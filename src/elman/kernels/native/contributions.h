// What every earlier step contributes to every loss's gradient: norms, and cosines to the totals, of
//
//   δ^(t,t) = dh^(t) ∘ σ'(z^(t))        γ^(t,i) = δ^(t,i+1) W_h        δ^(t,i) = γ^(t,i) ∘ σ'(z^(i))
//
// for all t and i <= t. The way of a loss t back through time needs nothing of another loss's: each thread has losses of
// its own and meets no barrier. It takes them a chunk at a time, every chunks-th loss, so that chunks are equally long;
// within a chunk all losses t >= i go through step i together, as rows of one product with W_h and W_e, packed once.
//
// The B rows of a loss are mantissas times one power of two, which is scaled anew where their norm leaves the range:
// nothing overflows, nothing is rounded to zero, and powers of two lose no digit.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "triangle.h"

namespace elman::ELMAN_ISA {

constexpr double kRange = 1099511627776.0;  // 2^40: the squares of a norm stay in [1/kRange, kRange]
constexpr long kTogether = 4;               // panels of the weights that stay in the core's cache for all rows of a chunk
constexpr long kWorthATriangle = 8;         // rows of the sweep for a row of W_e, from which on L gains more than it costs
constexpr long kLosses = 4 * kMaxRows;      // rows of a chunk: their operands and sums stay there too

class ContributionsCall {
 public:
  ContributionsCall(Pool& pool, const Contributions& q)
      : pool_(pool), q_(q), chunks_(divide_up(divide_up(q.T, max_losses()), pool.size()) * pool.size()),
        losses_(divide_up(q.T, chunks_)), triangular_(q.B * q.T * (q.T + 1) / 2 > kWorthATriangle * q.Dh),
        n_(triangular_ ? min(q.d, q.Dh) : q.d), panels_h_(divide_up(q.Dh, kPanel)), panels_e_(divide_up(n_, kPanel)),
        stride_(row_stride<Float32>(q.Dh)), ld_(row_stride<Float32>((panels_h_ + panels_e_) * kPanel)) {}

  void run() {
    W_h_ = pool_.scratch(-1, 0, size(packed_size<Float32>(q_.Dh, q_.Dh)));
    W_e_ = pool_.scratch(-1, 1, size(packed_size<Float32>(q_.Dh, n_)));
    const long ld = row_stride<Float32>(q_.d);
    float* triangle = pool_.scratch(-1, 2, size(triangular_ ? q_.Dh * ld : 0));
    for (int t = 0; t < pool_.size(); ++t) {
      pool_.scratch(t, 0, size(losses_ * q_.B * stride_));
      pool_.scratch(t, 1, size(losses_ * q_.B * ld_));
      pool_.scratch(t, 2, size(stride_));
      pool_.scratch(t, 3, size(triangular_ ? kReflections * ld : 0));
    }
    pool_.run([&](int thread) {
      const Range h = share(panels_h_, thread, pool_.size()), e = share(panels_e_, thread, pool_.size());
      pack_b<Float32>(q_.W_h, q_.Dh, q_.Dh, q_.Dh, W_h_, h.begin, h.end);
      if (triangular_) {
        const Range rows = share(q_.Dh, thread, pool_.size());
        pack_rows<Float32>(q_.W_e + rows.begin * q_.d, q_.d, rows.end - rows.begin, q_.d, triangle + rows.begin * ld, ld);
        pool_.barrier();
        to_triangle(pool_, thread, triangle, q_.Dh, q_.d, ld, pool_.scratch(thread, 3, 0));
        pack_b<Float32>(triangle, ld, q_.Dh, n_, W_e_, e.begin, e.end);
      } else {
        pack_b<Float32>(q_.W_e, q_.d, q_.Dh, n_, W_e_, e.begin, e.end);
      }
      pool_.barrier();
      for (long chunk = thread; chunk < chunks_; chunk += pool_.size()) back(thread, chunk);
    });
  }

 private:
  struct Loss {
    long t;
    double gamma_exponent, delta_exponent;
    double along_e;  // <δ W_e, the total's direction>
  };
  static size_t size(long floats) { return static_cast<size_t>(floats); }
  long max_losses() const { return q_.B < kLosses ? kLosses / q_.B : 1; }

  Pool& pool_;
  const Contributions& q_;
  const long chunks_, losses_;
  const bool triangular_;  // W_e_ is L with L L^T = W_e W_e^T, of n_ columns
  const long n_, panels_h_, panels_e_, stride_, ld_;
  float *W_h_ = nullptr, *W_e_ = nullptr;

  // The losses t = T-1-chunk, T-1-chunk-chunks, … from their own step back to the first.
  void back(int thread, long chunk) const {
    float *delta = pool_.scratch(thread, 0, 0), *gamma = pool_.scratch(thread, 1, 0);  // after gamma: δ W_e
    std::vector<Loss> losses;
    for (long i = q_.T - 1 - chunk; i >= 0; --i) {
      if ((q_.T - 1 - chunk - i) % chunks_ == 0) {
        for (long b = 0; b < q_.B; ++b)
          std::memcpy(gamma + (static_cast<long>(losses.size()) * q_.B + b) * ld_, q_.dh + (i * q_.B + b) * q_.Dh, size(q_.Dh) * 4);
        losses.push_back({i, 0, 0, 0});
      }
      for (size_t s = 0; s < losses.size(); ++s) {
        const long row = static_cast<long>(s) * q_.B;
        step(thread, losses[s], i, gamma + row * ld_, delta + row * stride_);
      }
      products(static_cast<long>(losses.size()) * q_.B, delta, gamma, i > 0);
      for (size_t s = 0; s < losses.size(); ++s) {
        Loss& loss = losses[s];
        double sum = 0;
        for (long b = 0; b < q_.B; ++b) sum += squares(gamma + (static_cast<long>(s) * q_.B + b) * ld_ + panels_h_ * kPanel, n_);
        write(3, loss.t, i, sum, loss.delta_exponent + q_.up_e, loss.along_e * std::exp2(-q_.up_e));
        loss.gamma_exponent = loss.delta_exponent + q_.up_h;
      }
    }
  }

  // Of the B rows of a loss: Σ γ², Σ δ², and the products with the totals' directions, of γ by h and of δ by W_h, W_e, b_1, e.
  struct Told {
    double gamma = 0, delta = 0, along_h = 0, along[4] = {};
  };

  // δ = γ ∘ σ' of one loss at step i, and all that is told of the two but for ‖δ W_e‖.
  void step(int thread, Loss& loss, long i, float* gamma, float* delta) const {
    Told told = through(i, gamma, delta);
    if (scaled(gamma, ld_, told.gamma, loss.gamma_exponent)) told = through(i, gamma, delta);
    write(4, loss.t, i, told.gamma, loss.gamma_exponent, told.along_h);
    loss.delta_exponent = loss.gamma_exponent + q_.slope_exponent[i];
    if (scaled(delta, stride_, told.delta, loss.delta_exponent)) along_again(i, delta, told);
    for (int k = 0; k < 2; ++k)
      write(k, loss.t, i, with_gram(delta, told.delta, q_.grams[k] + i * q_.B * q_.B), loss.delta_exponent, told.along[k]);
    write(2, loss.t, i, q_.B == 1 ? told.delta : squares_of_sum(thread, delta), loss.delta_exponent, told.along[2]);
    loss.along_e = told.along[3];
  }

  Told through(long i, const float* gamma, float* delta) const {
    Told told;
    for (long b = 0; b < q_.B; ++b) {
      const float *from = gamma + b * ld_, *slope = q_.slope + (i * q_.B + b) * q_.Dh;
      float* to = delta + b * stride_;
      const float *h = direction(4, i, b), *W_h = direction(0, i, b), *W_e = direction(1, i, b), *b_1 = direction(2, i, b),
                  *e = direction(3, i, b);
      V of_gamma{}, of_delta{}, by_h{}, by_W_h{}, by_W_e{}, by_b_1{}, by_e{};
      over_vectors(q_.Dh, [&](long j, int n) {
        const V g = load_n(from + j, n), d = g * load_n(slope + j, n);
        store_n(to + j, d, n);
        of_gamma += g * g, of_delta += d * d;
        by_h += g * load_n(h + j, n), by_b_1 += d * load_n(b_1 + j, n), by_e += d * load_n(e + j, n);
        by_W_h += d * load_n(W_h + j, n), by_W_e += d * load_n(W_e + j, n);
      });
      told.gamma += checked(sum_of(of_gamma), from, q_.Dh), told.delta += checked(sum_of(of_delta), to, q_.Dh);
      told.along_h += sum_of(by_h);
      told.along[0] += sum_of(by_W_h), told.along[1] += sum_of(by_W_e);
      told.along[2] += sum_of(by_b_1), told.along[3] += sum_of(by_e);
    }
    return told;
  }

  void along_again(long i, const float* delta, Told& told) const {
    for (int k = 0; k < 4; ++k) {
      told.along[k] = 0;
      for (long b = 0; b < q_.B; ++b) told.along[k] += dot(delta + b * stride_, direction(k, i, b), q_.Dh);
    }
  }

  const float* direction(int name, long i, long b) const { return q_.along[name] + (name == 2 ? 0 : (i * q_.B + b) * q_.Dh); }

  // Scales the rows by a power of two where their norm has gone far from 1; whether it has.
  bool scaled(float* rows, long ld, double& sum, double& exponent) const {
    if ((sum >= 1 / kRange && sum <= kRange) || sum == 0) return false;
    const int shift = std::ilogb(sum) / 2;
    const float half = std::ldexp(1.0f, -shift / 2), rest = std::ldexp(1.0f, -shift + shift / 2);  // 2^-shift may be no float
    for (long b = 0; b < q_.B; ++b)
      over_vectors(q_.Dh, [&](long j, int n) { store_n(rows + b * ld + j, load_n(rows + b * ld + j, n) * half * rest, n); });
    exponent += shift;
    sum = std::ldexp(sum, -2 * shift);
    return true;
  }

  double squares_of_sum(int thread, const float* delta) const {  // ‖Σ_b δ_b‖²
    float* sum = pool_.scratch(thread, 2, 0);
    over_vectors(q_.Dh, [&](long j, int n) {
      V v{};
      for (long b = 0; b < q_.B; ++b) v += load_n(delta + b * stride_ + j, n);
      store_n(sum + j, v, n);
    });
    return squares(sum, q_.Dh);
  }

  // ‖Σ_b δ_b^T h_b^T‖² = Σ (δδ^T)∘(h^T h), with h^T h in `gram`
  double with_gram(const float* delta, double of_delta, const double* gram) const {
    if (q_.B == 1) return of_delta * gram[0];
    double sum = 0;
    for (long b = 0; b < q_.B; ++b) {
      sum += squares(delta + b * stride_, q_.Dh) * gram[b * q_.B + b];
      for (long c = 0; c < b; ++c) sum += 2 * dot(delta + b * stride_, delta + c * stride_, q_.Dh) * gram[b * q_.B + c];
    }
    return sum > 0 ? sum : 0;
  }

  // γ' = δ W_h, where wanted, and δ W_e for the rows of a chunk.
  void products(long rows, const float* delta, float* out, bool with_W_h) const {
    const long Dh = q_.Dh;
    for (long p = 0; with_W_h && p < panels_h_; p += kTogether)
      over_row_blocks(0, rows, [&](long from, int m) {
        rows_into<Float32, true>(out + from * ld_ + p * kPanel, ld_, false, m, Dh, delta + from * stride_, stride_, W_h_, Dh, 0, Dh,
                                 p, min(p + kTogether, panels_h_));
      });
    const long together = triangular_ ? 1 : kTogether;
    for (long p = 0; p < panels_e_; p += together) {
      const long k0 = triangular_ ? p * kPanel : 0;  // above them there are zeros
      over_row_blocks(0, rows, [&](long from, int m) {
        rows_into<Float32, true>(out + from * ld_ + (panels_h_ + p) * kPanel, ld_, false, m, Dh - k0, delta + from * stride_ + k0,
                                 stride_, W_e_, Dh, k0, n_, p, min(p + together, panels_e_));
      });
    }
  }

  // The entry of loss t and step i in the tables of a name: squares · 4^exponent is the norm's square, `along` the product with
  // the total's direction, in the scale of the squares.
  void write(int name, long t, long i, double squares, double exponent, double along) const {
    const long at = (name * q_.T + t - i) * q_.T + t;
    q_.log2_norms[at] = squares > 0 ? std::log2(squares) / 2 + exponent : -std::numeric_limits<double>::infinity();
    q_.cosines[at] = squares > 0 ? along / std::sqrt(squares) : 0;
  }
};

}  // namespace elman::ELMAN_ISA
