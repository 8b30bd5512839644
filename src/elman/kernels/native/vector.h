// Vectors of floats as wide as the instruction set gives, and exp, sigmoid and tanh on them.
//
// This header is compiled once an instruction set, each time in a namespace of its own (ELMAN_ISA).
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

// Sanitizers do not look into a masked load or store: for them the end of a row is copied.
#if defined(__AVX512F__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ELMAN_MASKED
#endif

namespace elman::ELMAN_ISA {

#if defined(__AVX512F__)
constexpr int W = 16;        // floats in a vector
constexpr int kMaxRows = 14; // rows of a product's block in registers: 14 x 2 accumulators, 2 of B, 1 of A
#elif defined(__AVX2__)
constexpr int W = 8;
constexpr int kMaxRows = 6;
#elif defined(__aarch64__)
constexpr int W = 4;
constexpr int kMaxRows = 12;
#else
constexpr int W = 4;
constexpr int kMaxRows = 6;
#endif
constexpr int kPanel = 2 * W;  // columns of a packed panel of B

typedef float V __attribute__((vector_size(W * 4)));
typedef int32_t VI __attribute__((vector_size(W * 4)));
typedef float VLoose __attribute__((vector_size(W * 4), aligned(4), may_alias));

static inline V load(const float* p) { return *reinterpret_cast<const VLoose*>(p); }
static inline void store(float* p, V v) { *reinterpret_cast<VLoose*>(p) = v; }
static inline V all(float x) {
#if defined(__AVX512F__)
  return (V)_mm512_set1_ps(x);
#elif defined(__AVX2__)
  return (V)_mm256_set1_ps(x);
#else
  return V{x, x, x, x};
#endif
}
static inline V select(VI mask, V yes, V no) { return mask ? yes : no; }
static inline V max(V a, V b) { return a > b ? a : b; }

// The first n floats, 0 < n <= W; the rest are zero, and are not read.
static inline V load_n(const float* p, int n) {
  if (n == W) return load(p);
#if defined(ELMAN_MASKED)
  return (V)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#else
  V v{};
  std::memcpy(&v, p, static_cast<size_t>(n) * 4);
  return v;
#endif
}

static inline void store_n(float* p, V v, int n) {
  if (n == W) return store(p, v);
#if defined(ELMAN_MASKED)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)v);
#else
  std::memcpy(p, &v, static_cast<size_t>(n) * 4);
#endif
}

static inline float sum_of(V v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);  // halves, as below
#else
  float lane[W];
  std::memcpy(lane, &v, sizeof lane);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
#endif
}

static inline float max_of(V v) {
  float lane[W];
  std::memcpy(lane, &v, sizeof lane);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  return lane[0];
}

// 1/x for finite x of at least 1.
static inline V reciprocal(V x) {
#if defined(__AVX512F__)
  const V r = (V)_mm512_rcp14_ps((__m512)x);
  return r + r * (1.0f - x * r);
#else
  return 1.0f / x;
#endif
}

// exp(x) with a relative error below 1.5e-7 (tests/test_kernels.py measures it): 0 from -104 on, exp(88) above 88, NaN
// for NaN. Without AVX-512 what is below -87.33 is 0 too.
//
// x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) is a polynomial of degree 6, fitted for the least largest
// relative error; 2^n is added to the exponent's bits, or is AVX-512's own scaling.
static inline V exp_of_remainder(V r) {
  V p = all(0.0013814222f);
  p = p * r + 0.00836889871f;
  p = p * r + 0.0416684057f;
  p = p * r + 0.166665191f;
  p = p * r + 0.499999933f;
  p = p * r + 1.0f;
  return p * r + 1.0f;
}

static inline V exp(V x) {
#if defined(__AVX512F__)
  // The bounds stand first: max and min give their second operand where one of the two is NaN.
  const __m512 z = _mm512_min_ps(_mm512_set1_ps(88.0f), _mm512_max_ps(_mm512_set1_ps(-104.0f), (__m512)x));
  const __m512 n = _mm512_roundscale_ps((__m512)((V)z * 1.44269504f), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  V r = (V)z - (V)n * 0.693145752f;  // ln 2 in two parts, the first of few bits
  r = r - (V)n * 1.42860677e-06f;
  return (V)_mm512_scalef_ps((__m512)exp_of_remainder(r), n);
#else
  const V lowest = all(-87.33f), highest = all(88.0f);
  V z = x < lowest ? lowest : x;
  z = z > highest ? highest : z;
  const V shifted = z * 1.44269504f + 12582912.0f;  // 1.5 · 2^23: rounds to a whole number
  const V n = shifted - 12582912.0f;
  V r = z - n * 0.693145752f;
  r = r - n * 1.42860677e-06f;
  const VI power = (VI)shifted << 23;
  const V result = (V)((VI)exp_of_remainder(r) + power);
  const V zero{};
  const V known = x < lowest ? zero : result;
  return x == x ? known : x;
#endif
}

static inline V sigmoid(V z) { return reciprocal(1.0f + exp(-z)); }

// tanh: near zero an odd polynomial (fitted on |z| < 0.625), else 1 - 2 / (exp(2|z|) + 1) with z's sign.
static inline V tanh(V z) {
  const V zero{};
  const V size = z < zero ? -z : z;
  const V square = z * z;
  V p = all(-0.00566697142f);
  p = p * square + 0.0206061716f;
  p = p * square - 0.0537300056f;
  p = p * square + 0.13331331f;
  p = p * square - 0.333332781f;
  const V near = z + z * square * p;
  const V capped = size > 20.0f ? all(20.0f) : size;
  const V far = 1.0f - 2.0f * reciprocal(1.0f + exp(capped + capped));
  const V result = size < 0.625f ? near : (z < zero ? -far : far);
  return z == z ? result : z;
}

enum Activation : int { kSigmoid = 0, kTanh = 1, kRelu = 2 };

static inline V activate(V z, int activation) {
  if (activation == kSigmoid) return sigmoid(z);
  if (activation == kTanh) return tanh(z);
  return z > 0.0f ? z : (z == z ? V{} : z);
}

// f'(z) from h = f(z).
static inline V activation_gradient(V h, int activation) {
  if (activation == kSigmoid) return h * (1.0f - h);
  if (activation == kTanh) return 1.0f - h * h;
  const V zero{};
  return h > 0.0f ? all(1.0f) : zero;
}

// Rounded to the nearest bfloat16 (ties to even), still as floats. NaN stays NaN.
static inline V to_bf16(V x) {
  const VI bits = (VI)x;
  const VI rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & static_cast<int32_t>(0xffff0000);
  return x == x ? (V)rounded : x;
}

#if defined(__AVX512BF16__)
struct Stored16 {  // bfloat16 in memory, floats in registers
  static V load(const uint16_t* p) {
    return (V)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16);
  }
  static void store(uint16_t* p, V v) {
    const __m256bh half = _mm512_cvtneps_pbh((__m512)v);
    std::memcpy(p, &half, sizeof half);
  }
  static float number(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float x;
    std::memcpy(&x, &wide, 4);
    return x;
  }
  static uint16_t rounded(float x) {
    const V v = to_bf16(all(x));
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    return static_cast<uint16_t>(bits >> 16);
  }
};
#endif

// W x W floats transposed in registers: log2 W rounds, the round of `step` exchanging blocks of step x step.
template <int step, int... lane>
static inline V mix_low(V a, V b, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(a, b, ((lane & step) ? W + lane - step : lane)...);
}
template <int step, int... lane>
static inline V mix_high(V a, V b, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(a, b, ((lane & step) ? W + lane : lane + step)...);
}
template <int step>
static inline void transpose(V* row) {
  if constexpr (step < W) {
    constexpr auto lanes = std::make_integer_sequence<int, W>{};
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) {
      if (i & step) continue;
      const V a = row[i], b = row[i + step];
      row[i] = mix_low<step>(a, b, lanes);
      row[i + step] = mix_high<step>(a, b, lanes);
    }
    transpose<step * 2>(row);
  }
}

}  // namespace elman::ELMAN_ISA
