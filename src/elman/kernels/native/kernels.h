// The kernels: their arguments, and the table of functions that each instruction set fills. Arrays are float32 in C
// order, in the letters of docs/derivation.md.
//
// A new kernel: a struct for its arguments and a line in ELMAN_KERNELS here; a function of that name in a header that
// instruction_set.cpp includes; its Python function in module.cpp and _native.pyi; a test in
// tests/kernels/test_kernels.py.
//
// A new instruction set: its compiler flags in CMakeLists.txt, its line in dispatch.cpp and, where it has a matrix
// instruction of its own, a micro-kernel (micro_kernel.h) that with_micro_kernel in instruction_set.cpp chooses.
#pragma once

#include <cstdint>
#include <type_traits>

#include "pool.h"

namespace elman {

// Of the operands of products; everything else is float32 or better.
enum class Precision : int { float32 = 0, bfloat16 = 1 };

enum Activation : int { kSigmoid = 0, kTanh = 1, kRelu = 2 };

// out [M,N] = A B + bias. A is a [M,K], or its transpose a [K,M]; B is b [K,N], or its transpose b [N,K].
struct Product {
  const float *a, *b;
  float* out;
  long M, N, K;
  bool a_transposed, b_transposed;
  const float* bias;  // [N], added to every row; null: none
};

// h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])
struct Recurrence {
  const float *u, *W_h, *h_0;  // u [T,B,Dh], W_h [Dh,Dh], h_0 [B,Dh]
  const int64_t* rows;         // [T,B]: u is [n,Dh], and sequence b reads its row rows[t][b] at step t; null: u[t][b]
  float* h;                    // [T+1,B,Dh]
  long T, B, Dh;
  int activation;
  bool by_units;  // threads share the hidden units and meet at a barrier each step; else they share the sequences
};

// dz[t] = γ[t] ∘ f'(z[t]) with γ[t] = dh[t] + dz[t+1] W_h
struct RecurrenceGradient {
  const float *dh, *h, *W_h;  // dh [T,B,Dh], h [T+1,B,Dh], W_h [Dh,Dh]
  float* dz;                  // [T,B,Dh]
  long T, B, Dh;
  int activation;
  bool by_units;
  float limit;  // the entries of γ are clipped to ±limit; 0: they are not
};

// J[n] = -log softmax(U h[n] + b_2)[y[n]], and `scale` times the gradients of the sum of J.
struct Softmax {
  const float *h, *U, *b_2;  // h [N,Dh], U [V,Dh], b_2 [V]
  const int64_t* y;          // [N]
  double* J;                 // [N]
  float *dh, *dU, *db_2;     // [N,Dh], [V,Dh], [V]; all null: J alone; dU and db_2 null: J and dh
  long N, V, Dh;
  double scale;
  double skip_below;     // blocks of δ1 (before `scale`) with every entry below this are left out; 0: none
  long skipped, blocks;  // results: how many blocks were left out, and of how many
};

// What each step i contributes to the gradient of each loss t >= i, by name: W_h, W_e, b_1, e, h.
constexpr int kNames = 5;
enum Name : int { kNameW_h, kNameW_e, kNameB_1, kNameE, kNameH };

// Results are [5,T,T], by name, lag t - i and t. Entries whose lag is larger than t are not written.
struct Contributions {
  const float *dh, *derivative;       // [T,B,Dh]: each loss's own ∂J^(t)/∂h^(t); σ'(z) over 2^derivative_exponent
  const double* derivative_exponent;  // [T]
  const float *W_h, *W_e;             // [Dh,Dh] and [Dh,d], over 2^W_h_exponent and 2^W_e_exponent
  double W_h_exponent, W_e_exponent;
  // By name, the vector whose product with δ (W_h, W_e, e), Σ_b δ_b (b_1) or γ (h) is <contribution, total> / ‖total‖:
  // [T,B,Dh]; for b_1 [Dh].
  const float* directions[kNames];
  const double* grams[2];        // [T,B,B]: the products of the B rows of h^(i-1), and of e^(i)
  double *log2_norms, *cosines;  // [5,T,T]
  long T, B, Dh, d;
};

// γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ σ'(z[t]), summed in float64.
struct StateGradient {
  const double* derivative;  // [T,B,Dh]
  const float* W_h;          // [Dh,Dh]
  double *gamma, *dz;        // [T,B,Dh]; gamma is dh before
  long T, B, Dh;
  double limit;  // of |γ|
};

// One parameter's update: Adam where m is not null, else w <- w - rate scale g.
struct Update {
  float* w;
  const float* g;
  float *m, *v;         // Adam's moments, as w
  const int64_t* rows;  // [n]: g [n,width] belongs to these rows of w; null: g is as w, and width is its size
  long n, width;
  float rate, scale, beta_1, beta_2, eps;
};

// The model that tokens are drawn from.
struct GeneratorModel {
  const float* inputs;         // [V,Dh]: W_e e + b_1 of every token
  const float *W_h, *U, *b_2;  // W_h and U packed by pack_transposed
  long V, Dh;
  int activation;
};

// Which tokens to draw.
struct Draw {
  float* h;               // [Dh]: the state before `token`; afterwards, the state before the last drawn token
  int64_t token;          // the first token to read
  const double* uniform;  // [n], in [0,1)
  int64_t* tokens;        // [n]: the result
  long n;
  double temperature, top_p;
  long top_k;
  int64_t banned;  // never drawn; -1: none
};

// One token of each of B texts.
struct DrawEach {
  float* h;                           // [B,Dh]: the states before `tokens`; afterwards, after them
  const int64_t* tokens;              // [B], to read
  const double* uniform;              // [B], in [0,1)
  int64_t* drawn;                     // [B]: the result
  const double *temperature, *top_p;  // [B]
  const int64_t *top_k, *banned;      // [B]; as in Draw
  long B;
};

// A function of n floats; for the tests.
enum class VectorFunction : int { exp = 0, sigmoid = 1, tanh = 2 };

// One line a kernel: its name and its type.
#define ELMAN_KERNELS(KERNEL)                                                                                          \
  KERNEL(product, void(Pool&, const Product&, Precision))                                                              \
  KERNEL(recurrence, void(Pool&, const Recurrence&, Precision))                                                        \
  KERNEL(recurrence_gradient, void(Pool&, const RecurrenceGradient&, Precision))                                       \
  KERNEL(softmax, void(Pool&, Softmax&, Precision))                                                                    \
  KERNEL(contributions, void(Pool&, const Contributions&))                                                             \
  /* False where |γ| passes the limit or is not finite. */                                                             \
  KERNEL(state_gradient, bool(Pool&, const StateGradient&))                                                            \
  KERNEL(sum_of_squares, double(Pool&, const float* x, long n))                                                        \
  KERNEL(update, void(Pool&, const Update&))                                                                           \
  /* out[r] is the sum of values[order[k]] over start[r] <= k < start[r+1]. */                                         \
  KERNEL(sum_rows, void(Pool&, const float* values, const int64_t* order, const int64_t* start, long rows, long width, \
                        float* out))                                                                                   \
  KERNEL(sum_columns, void(Pool&, const float* x, long rows, long width, float* out))                                  \
  KERNEL(packed_size, long(long K, long N))                                                                            \
  KERNEL(pack_transposed, void(const float* B_t, long K, long N, float* out))                                          \
  KERNEL(draw, void(Pool&, const GeneratorModel&, const Draw&))                                                        \
  KERNEL(draw_each, void(Pool&, const GeneratorModel&, const DrawEach&))                                               \
  KERNEL(vector_function, void(VectorFunction, const float* x, float* y, long n))

struct KernelTable {
  const char* name;           // of the instruction set
  bool has_bf16_instruction;  // for products of pairs of bfloat16
  bool has_tiles;             // and for products of tiles of them
#define ELMAN_DECLARE(kernel, ...) std::add_pointer_t<__VA_ARGS__> kernel;
  ELMAN_KERNELS(ELMAN_DECLARE)
#undef ELMAN_DECLARE
};

// Whether bfloat16 products use the processor's instruction for them, where it has one. Otherwise the operands are
// rounded to bfloat16 and multiplied as float32.
void set_bf16_instruction(bool use);
bool get_bf16_instruction();

}  // namespace elman
