// What one instruction set offers: a table of functions. Arrays are float32 in C order, in the letters of the notes.
#pragma once

#include <cstdint>

#include "pool.h"

namespace elman {

enum class Precision : int { float32 = 0, bfloat16 = 1 };

// out [M,N] = A B. A is a [M,K], or its transpose where a_transposed (a [K,M]); B is b [K,N], or [N,K] transposed.
struct Product {
  const float *a, *b;
  float* out;
  long M, N, K;
  bool a_transposed, b_transposed;
  const float* bias;  // [N], added to every row; or null
};

struct Recurrence {
  const float *u, *W_h, *h_0;  // u [T,B,Dh]; or [n,Dh], of which sequence b reads row rows[t][b] at step t
  const int64_t* rows;         // [T,B], or null
  float* h;                    // [T+1,B,Dh]
  long T, B, Dh;
  int activation;
  bool by_units;  // split by hidden units, with a barrier a step, rather than by sequences
};

struct RecurrenceGradient {
  const float *dh, *h, *W_h;  // dh [T,B,Dh], h [T+1,B,Dh]
  float* dz;                  // [T,B,Dh]
  long T, B, Dh;
  int activation;
  bool by_units;
  float cut;  // the largest entry of ∂J/∂h that goes back; 0: no limit
};

struct Softmax {
  const float *h, *U, *b_2;  // h [N,Dh], U [V,Dh], b_2 [V]
  const int64_t* y;          // [N]
  double* J;                 // [N]
  float *dh, *dU, *db_2;     // all null: J alone; dU and db_2 null: J and dh
  long N, V, Dh;
  double scale;
  double skip_below;     // blocks whose every gradient entry is smaller (before scale) are left out; 0: none
  long skipped, blocks;  // how many were, of how many
};

// The names of a decomposition in their order: W_h, W_e, b_1, e, h. Mantissas of what has an exponent beside it.
struct Contributions {
  const float *dh, *slope;       // [T,B,Dh]: each loss's own error by h, and σ'
  const double* slope_exponent;  // [T]
  const float *W_h, *W_e;        // [Dh,Dh] and [Dh,d]
  double up_h, up_e;             // their exponents
  const float* along[5];         // what to multiply with for <contribution, total>/‖total‖: δ; δ; Σ_b δ_b; δ; γ. b_1 [Dh], others [T,B,Dh]
  const double* grams[2];        // [T,B,B], h^T h of the step's h^(i-1) and e^T e
  double *log2_norms, *cosines;  // [5,T,T], by name, lag t - i and t; what is not reached (t < t - i) is left as it is
  long T, B, Dh, d;
};

struct StateGradient {
  const double* slope;  // [T,B,Dh]
  const float* W_h;     // [Dh,Dh]
  double *gamma, *dz;   // [T,B,Dh]: gamma holds dh and becomes ∂J/∂h; dz is ∂J/∂z
  long T, B, Dh;
  double limit;
};

struct Step {  // one parameter; Adam where m is not null
  float* w;
  const float* g;
  float *m, *v;
  const int64_t* rows;  // g [n,width] holds rows[k] of w; null: g is as long as w and width is its length
  long n, width;
  float rate, scale, beta_1, beta_2, eps;
};

struct Decoder {  // what generation reads each token
  const float *inputs;         // [V,Dh]: W_e e + b_1 of every token
  const float *W_h, *U, *b_2;  // W_h and U packed
  long V, Dh;
  int activation;
};

struct Draw {
  float* h;               // [Dh]: has read all before `token`; afterwards, all but the last token drawn
  int64_t token;          // the one to be read first
  const double* uniform;  // [n] in [0,1)
  int64_t* tokens;        // [n]
  long n;
  double temperature, top_p;
  long top_k;
  int64_t banned;  // never drawn; -1: none
};

struct Table {
  const char* name;
  bool paired16;  // whether there is an instruction for bfloat16 products
  void (*product)(Pool&, const Product&, Precision);
  void (*recurrence)(Pool&, const Recurrence&, Precision);
  void (*recurrence_gradient)(Pool&, const RecurrenceGradient&, Precision);
  void (*softmax)(Pool&, Softmax&, Precision);
  void (*contributions)(Pool&, const Contributions&);
  bool (*state_gradient)(Pool&, const StateGradient&);
  double (*sum_of_squares)(Pool&, const float*, long);
  void (*step)(Pool&, const Step&);
  void (*sum_rows)(Pool&, const float* values, const int64_t* order, const int64_t* start, long rows, long width, float* out);
  void (*sum_columns)(Pool&, const float* x, long rows, long width, float* out);
  long (*packed_size)(long K, long N);
  void (*pack_transposed)(const float* W, long K, long N, float* out);
  void (*draw)(Pool&, const Decoder&, const Draw&);
  void (*map)(int what, const float* x, float* y, long n);  // exp, sigmoid, tanh of n floats, for the tests
};

// Whether bfloat16 products take the processor's own instruction where there is one; else the rounded operands go
// through float32 multiply-adds.
void set_paired16(bool yes);
bool get_paired16();

}  // namespace elman
