// exp, sigmoid and tanh of vectors, the activations and their derivatives.
#pragma once

#include "kernels.h"
#include "ranges.h"

namespace elman::ELMAN_ISA {

// 1/x for finite x of at least 1.
static inline Vec reciprocal(Vec x) {
#if defined(__AVX512F__)
  const Vec r = (Vec)_mm512_rcp14_ps((__m512)x);
  return r + r * (1.0f - x * r);
#else
  return 1.0f / x;
#endif
}

// exp(x) with a relative error below 1.5e-7 (tests/kernels/test_kernels.py measures it). It is 0 below -104 with
// AVX-512, 0 below -87.33 without, exp(88) above 88, and NaN for NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2. exp(r) is a minimax polynomial of degree 6. The factor 2^n is added to the
// exponent's bits; AVX-512 has an instruction for it.
static inline Vec exp_of_remainder(Vec r) {
  Vec series = broadcast(0.0013814222f);
  series = series * r + 0.00836889871f;
  series = series * r + 0.0416684057f;
  series = series * r + 0.166665191f;
  series = series * r + 0.499999933f;
  series = series * r + 1.0f;
  return series * r + 1.0f;
}

static inline Vec exp(Vec x) {
#if defined(__AVX512F__)
  // The bounds are the first operands: where one of the two is NaN, max and min return the second.
  const __m512 z = _mm512_min_ps(_mm512_set1_ps(88.0f), _mm512_max_ps(_mm512_set1_ps(-104.0f), (__m512)x));
  const __m512 n = _mm512_roundscale_ps((__m512)((Vec)z * 1.44269504f), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  Vec r = (Vec)z - (Vec)n * 0.693145752f;  // ln 2 in two parts, the first of few bits
  r = r - (Vec)n * 1.42860677e-06f;
  return (Vec)_mm512_scalef_ps((__m512)exp_of_remainder(r), n);
#else
  const Vec lowest = broadcast(-87.33f), highest = broadcast(88.0f);
  Vec z = x < lowest ? lowest : x;
  z = z > highest ? highest : z;
  const Vec shifted = z * 1.44269504f + 12582912.0f;  // 1.5 · 2^23: rounds to a whole number
  const Vec n = shifted - 12582912.0f;
  Vec r = z - n * 0.693145752f;
  r = r - n * 1.42860677e-06f;
  const IntVec power = (IntVec)shifted << 23;
  const Vec result = (Vec)((IntVec)exp_of_remainder(r) + power);
  const Vec zero{};
  const Vec number = x < lowest ? zero : result;
  return x == x ? number : x;
#endif
}

static inline Vec sigmoid(Vec z) { return reciprocal(1.0f + exp(-z)); }

// tanh: an odd polynomial where |z| < 0.625, else 1 - 2 / (exp(2|z|) + 1) with the sign of z.
static inline Vec tanh(Vec z) {
  const Vec zero{};
  const Vec size = z < zero ? -z : z;
  const Vec square = z * z;
  Vec series = broadcast(-0.00566697142f);
  series = series * square + 0.0206061716f;
  series = series * square - 0.0537300056f;
  series = series * square + 0.13331331f;
  series = series * square - 0.333332781f;
  Vec near = z + z * square * series;
#if defined(__AVX512F__)
  // Keeps the last product and sum one instruction. As part of the masked selection below they would be two in some of
  // the places where this function is inlined, and the result would depend on the place.
  asm("" : "+v"(near));
#endif
  const Vec capped = size > 20.0f ? broadcast(20.0f) : size;
  const Vec far = 1.0f - 2.0f * reciprocal(1.0f + exp(capped + capped));
  const Vec result = size < 0.625f ? near : (z < zero ? -far : far);
  return z == z ? result : z;
}

static inline Vec activate(Vec z, int activation) {
  if (activation == kSigmoid) return sigmoid(z);
  if (activation == kTanh) return tanh(z);
  return z > 0.0f ? z : (z == z ? Vec{} : z);
}

// f'(z), computed from h = f(z).
static inline Vec activation_derivative(Vec h, int activation) {
  if (activation == kSigmoid) return h * (1.0f - h);
  if (activation == kTanh) return 1.0f - h * h;
  const Vec zero{};
  return h > 0.0f ? broadcast(1.0f) : zero;
}

static void vector_function(VectorFunction function, const float* x, float* y, long n) {
  over_vectors(n, [&](long i, int count) {
    const Vec v = load_n(x + i, count);
    const Vec result = function == VectorFunction::exp       ? exp(v)
                       : function == VectorFunction::sigmoid ? sigmoid(v)
                                                             : tanh(v);
    store_n(y + i, result, count);
  });
}

}  // namespace elman::ELMAN_ISA
