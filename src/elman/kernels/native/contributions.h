// What every step i contributes to the gradient of every loss t: norms, and cosines to the totals, of
//
//   δ^(t,t) = dh^(t) ∘ σ'(z^(t))        γ^(t,i) = δ^(t,i+1) W_h        δ^(t,i) = γ^(t,i) ∘ σ'(z^(i))
//
// for all t and i <= t. The backward pass of one loss needs nothing of another's: each thread has losses of its own,
// without barriers. It takes them in chunks, each of every chunks-th loss, so that chunks are equally long. Within a
// chunk all losses t >= i pass step i together, as rows of one product with the packed W_h and W_e.
//
// The B rows of a loss are mantissas times one power of two, which changes where their norm leaves the range. So
// nothing overflows, nothing underflows to zero, and scaling by powers of two is exact.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "kernels.h"
#include "product.h"
#include "triangular_factor.h"

namespace elman::ELMAN_ISA {

class ContributionsCall {
  using Kernel = Float32MicroKernel;
  static constexpr int kColumns = Kernel::kColumns;
  static constexpr double kRange = 1099511627776.0;  // 2^40: the squares of a norm stay in [1/kRange, kRange]
  static constexpr long kPanelsTogether = 4;         // panels of the weights that stay in the core's cache for all rows
  static constexpr long kRowsWorthFactor = 8;  // rows of the sweep for each row of W_e, from which on L saves time
  static constexpr long kRowsOfChunk = 4 * Kernel::kRows;  // their operands and sums stay in the core's cache too

  enum class Shared { W_h, W_e, factor, count };
  enum class Own { delta, gamma, sum_over_b, reflections, count };

 public:
  ContributionsCall(Pool& pool, const Contributions& call)
      : pool_(pool), call_(call), chunks_(divide_up(divide_up(call.T, max_losses()), pool.size()) * pool.size()),
        losses_(divide_up(call.T, chunks_)),
        triangular_(call.B * call.T * (call.T + 1) / 2 > kRowsWorthFactor * call.Dh),
        n_(triangular_ ? min(call.d, call.Dh) : call.d), panels_h_(panels_of<Kernel>(call.Dh)),
        panels_e_(panels_of<Kernel>(n_)), delta_stride_(left_stride<Kernel>(call.Dh)),
        gamma_stride_(padded_row((panels_h_ + panels_e_) * kColumns)) {}

  void run() {
    const long Dh = call_.Dh, d = call_.d, factor_stride = left_stride<Kernel>(d);
    float* W_h = pool_.reserve_shared(Shared::W_h, packed_floats<Kernel>(Dh, Dh));
    float* W_e = pool_.reserve_shared(Shared::W_e, packed_floats<Kernel>(Dh, n_));
    float* factor = pool_.reserve_shared(Shared::factor, triangular_ ? Dh * factor_stride : 0);
    W_h_ = {W_h, lanes_of<Kernel>(Dh), Dh};
    W_e_ = {W_e, lanes_of<Kernel>(Dh), n_};
    pool_.reserve_own(Own::delta, losses_ * call_.B * delta_stride_);
    pool_.reserve_own(Own::gamma, losses_ * call_.B * gamma_stride_);
    pool_.reserve_own(Own::sum_over_b, delta_stride_);
    pool_.reserve_own(Own::reflections, triangular_ ? kReflections * factor_stride : 0);
    pool_.run([&](int thread) {
      const Range h = share(panels_h_, thread, pool_.size()), e = share(panels_e_, thread, pool_.size());
      pack_right<Kernel>({call_.W_h, Dh, Dh, Dh}, W_h, h);
      if (triangular_) {
        const Range rows = share(Dh, thread, pool_.size());
        const Matrix mine{call_.W_e + rows.begin * d, rows.end - rows.begin, d, d};
        pack_left<Kernel>(mine, factor + rows.begin * factor_stride, factor_stride);
        pool_.barrier();
        to_triangular_factor(pool_, thread, factor, Dh, d, factor_stride, pool_.own(thread, Own::reflections));
        pack_right<Kernel>({factor, Dh, n_, factor_stride}, W_e, e);
      } else {
        pack_right<Kernel>({call_.W_e, Dh, n_, d}, W_e, e);
      }
      pool_.barrier();
      for (long chunk = thread; chunk < chunks_; chunk += pool_.size()) backward(thread, chunk);
    });
  }

 private:
  struct Loss {
    long t;
    double gamma_exponent, delta_exponent;
    double product_e;  // <δ W_e, the direction of the total>
  };
  static size_t size(long floats) { return static_cast<size_t>(floats); }
  long max_losses() const { return call_.B < kRowsOfChunk ? kRowsOfChunk / call_.B : 1; }

  Pool& pool_;
  const Contributions& call_;
  const long chunks_, losses_;
  const bool triangular_;  // W_e_ is L with L L^T = W_e W_e^T
  const long n_;           // columns of W_e_
  const long panels_h_, panels_e_, delta_stride_, gamma_stride_;
  Packed W_h_{}, W_e_{};

  // The losses t = T-1-chunk, T-1-chunk-chunks, …, from their own step back to the first.
  void backward(int thread, long chunk) const {
    float* delta = pool_.own(thread, Own::delta);
    float* gamma = pool_.own(thread, Own::gamma);  // each row: γ, then δ W_e
    std::vector<Loss> losses;
    for (long i = call_.T - 1 - chunk; i >= 0; --i) {
      if ((call_.T - 1 - chunk - i) % chunks_ == 0) {
        for (long b = 0; b < call_.B; ++b)
          std::memcpy(gamma + (static_cast<long>(losses.size()) * call_.B + b) * gamma_stride_,
                      call_.dh + (i * call_.B + b) * call_.Dh, size(call_.Dh) * 4);
        losses.push_back({i, 0, 0, 0});
      }
      for (size_t s = 0; s < losses.size(); ++s) {
        const long row = static_cast<long>(s) * call_.B;
        step(thread, losses[s], i, gamma + row * gamma_stride_, delta + row * delta_stride_);
      }
      products(static_cast<long>(losses.size()) * call_.B, delta, gamma, i > 0);
      for (size_t s = 0; s < losses.size(); ++s) {
        Loss& loss = losses[s];
        double sum = 0;
        for (long b = 0; b < call_.B; ++b)
          sum += squared_norm(gamma + (static_cast<long>(s) * call_.B + b) * gamma_stride_ + panels_h_ * kColumns, n_);
        write(kNameE, loss.t, i, sum, loss.delta_exponent + call_.W_e_exponent,
              loss.product_e * std::exp2(-call_.W_e_exponent));
        loss.gamma_exponent = loss.delta_exponent + call_.W_h_exponent;
      }
    }
  }

  // Of the B rows of a loss at one step: Σ γ², Σ δ², and the products of δ and γ with the directions of the totals, by
  // name.
  struct Products {
    double gamma_squared = 0, delta_squared = 0, with_direction[kNames] = {};
  };

  // δ = γ ∘ σ' of one loss at step i, and all its entries but those of e: ‖δ W_e‖ is not known yet.
  void step(int thread, Loss& loss, long i, float* gamma, float* delta) const {
    Products products = through_activation(i, gamma, delta);
    if (rescaled(gamma, gamma_stride_, products.gamma_squared, loss.gamma_exponent))
      products = through_activation(i, gamma, delta);
    write(kNameH, loss.t, i, products.gamma_squared, loss.gamma_exponent, products.with_direction[kNameH]);
    loss.delta_exponent = loss.gamma_exponent + call_.derivative_exponent[i];
    if (rescaled(delta, delta_stride_, products.delta_squared, loss.delta_exponent)) multiply_again(i, delta, products);
    for (const Name name : {kNameW_h, kNameW_e}) {
      const double squares = with_gram(delta, products.delta_squared, call_.grams[name] + i * call_.B * call_.B);
      write(name, loss.t, i, squares, loss.delta_exponent, products.with_direction[name]);
    }
    const double of_sum = call_.B == 1 ? products.delta_squared : squared_norm_of_sum(thread, delta);
    write(kNameB_1, loss.t, i, of_sum, loss.delta_exponent, products.with_direction[kNameB_1]);
    loss.product_e = products.with_direction[kNameE];
  }

  Products through_activation(long i, const float* gamma, float* delta) const {
    Products products;
    for (long b = 0; b < call_.B; ++b) {
      const float *from = gamma + b * gamma_stride_, *derivative = call_.derivative + (i * call_.B + b) * call_.Dh;
      float* to = delta + b * delta_stride_;
      const float *h = direction(kNameH, i, b), *W_h = direction(kNameW_h, i, b), *W_e = direction(kNameW_e, i, b),
                  *b_1 = direction(kNameB_1, i, b), *e = direction(kNameE, i, b);
      Vec of_gamma{}, of_delta{}, by_h{}, by_W_h{}, by_W_e{}, by_b_1{}, by_e{};
      over_vectors(call_.Dh, [&](long j, int n) {
        const Vec g = load_n(from + j, n), d = g * load_n(derivative + j, n);
        store_n(to + j, d, n);
        of_gamma += g * g, of_delta += d * d;
        by_h += g * load_n(h + j, n), by_b_1 += d * load_n(b_1 + j, n), by_e += d * load_n(e + j, n);
        by_W_h += d * load_n(W_h + j, n), by_W_e += d * load_n(W_e + j, n);
      });
      products.gamma_squared += in_range_or_in_double(sum_of(of_gamma), from, call_.Dh);
      products.delta_squared += in_range_or_in_double(sum_of(of_delta), to, call_.Dh);
      products.with_direction[kNameH] += sum_of(by_h);
      products.with_direction[kNameW_h] += sum_of(by_W_h), products.with_direction[kNameW_e] += sum_of(by_W_e);
      products.with_direction[kNameB_1] += sum_of(by_b_1), products.with_direction[kNameE] += sum_of(by_e);
    }
    return products;
  }

  void multiply_again(long i, const float* delta, Products& products) const {
    for (const Name name : {kNameW_h, kNameW_e, kNameB_1, kNameE}) {
      double& sum = products.with_direction[name] = 0;
      for (long b = 0; b < call_.B; ++b) sum += dot(delta + b * delta_stride_, direction(name, i, b), call_.Dh);
    }
  }

  const float* direction(Name name, long i, long b) const {
    return call_.directions[name] + (name == kNameB_1 ? 0 : (i * call_.B + b) * call_.Dh);
  }

  // Where the norm of the rows has left the range, scales them by a power of two; returns whether it did.
  bool rescaled(float* rows, long stride, double& sum, double& exponent) const {
    if ((sum >= 1 / kRange && sum <= kRange) || sum == 0) return false;
    const int shift = std::ilogb(sum) / 2;
    const float half = std::ldexp(1.0f, -shift / 2),
                rest = std::ldexp(1.0f, -shift + shift / 2);  // 2^-shift may not be a float
    for (long b = 0; b < call_.B; ++b)
      over_vectors(call_.Dh, [&](long j, int n) {
        store_n(rows + b * stride + j, load_n(rows + b * stride + j, n) * half * rest, n);
      });
    exponent += shift;
    sum = std::ldexp(sum, -2 * shift);
    return true;
  }

  double squared_norm_of_sum(int thread, const float* delta) const {  // ‖Σ_b δ_b‖²
    float* sum = pool_.own(thread, Own::sum_over_b);
    over_vectors(call_.Dh, [&](long j, int n) {
      Vec v{};
      for (long b = 0; b < call_.B; ++b) v += load_n(delta + b * delta_stride_ + j, n);
      store_n(sum + j, v, n);
    });
    return squared_norm(sum, call_.Dh);
  }

  // ‖Σ_b δ_b^T h_b^T‖² = Σ (δδ^T)∘(h^T h), with h^T h in `gram`
  double with_gram(const float* delta, double of_delta, const double* gram) const {
    if (call_.B == 1) return of_delta * gram[0];
    double sum = 0;
    for (long b = 0; b < call_.B; ++b) {
      sum += squared_norm(delta + b * delta_stride_, call_.Dh) * gram[b * call_.B + b];
      for (long c = 0; c < b; ++c)
        sum += 2 * dot(delta + b * delta_stride_, delta + c * delta_stride_, call_.Dh) * gram[b * call_.B + c];
    }
    return sum > 0 ? sum : 0;
  }

  // δ W_e and, where it is needed, γ' = δ W_h, for the rows of a chunk.
  void products(long rows, const float* delta, float* gamma, bool with_W_h) const {
    const auto times = [&](const Packed& weights, Range lanes, Range panels, float* out) {
      over_row_blocks<Kernel>(Range{0, rows}, [&](long from, int m) {
        multiply<Kernel, Left::by_rows>({delta + from * delta_stride_, delta_stride_, m}, weights, lanes, panels,
                                        {out + from * gamma_stride_ + panels.begin * kColumns, gamma_stride_, false});
      });
    };
    for (long p = 0; with_W_h && p < panels_h_; p += kPanelsTogether)
      times(W_h_, {0, W_h_.lanes}, {p, min(p + kPanelsTogether, panels_h_)}, gamma);
    const long together = triangular_ ? 1 : kPanelsTogether;
    for (long p = 0; p < panels_e_; p += together) {
      const long first = triangular_ ? p * kColumns : 0;  // a triangular factor is zero above
      times(W_e_, {first, W_e_.lanes}, {p, min(p + together, panels_e_)}, gamma + panels_h_ * kColumns);
    }
  }

  // The entry of loss t and step i in the tables of a name. The squared norm is squares · 4^exponent; `product` is the
  // product with the direction of the total, in the scale of `squares`.
  void write(Name name, long t, long i, double squares, double exponent, double product) const {
    const long at = (name * call_.T + t - i) * call_.T + t;
    call_.log2_norms[at] = squares > 0 ? std::log2(squares) / 2 + exponent : -std::numeric_limits<double>::infinity();
    call_.cosines[at] = squares > 0 ? product / std::sqrt(squares) : 0;
  }
};

static void contributions(Pool& pool, const Contributions& call) { ContributionsCall(pool, call).run(); }

}  // namespace elman::ELMAN_ISA
