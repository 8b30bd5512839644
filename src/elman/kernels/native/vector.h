// Vectors of floats, as wide as the registers of the instruction set.
//
// This header is compiled once for each instruction set, each time in a namespace of its own (ELMAN_ISA).
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

// Sanitizers do not check masked loads and stores: in their builds the end of a row is copied with memcpy.
#if defined(__AVX512F__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ELMAN_MASKED
#endif

namespace elman::ELMAN_ISA {

#if defined(__AVX512F__)
constexpr int kWidth = 16;  // floats in a vector
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Vec __attribute__((vector_size(kWidth * 4)));
typedef int32_t IntVec __attribute__((vector_size(kWidth * 4)));
typedef float UnalignedVec __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));

static inline Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
static inline void store(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }
static inline Vec broadcast(float x) {
#if defined(__AVX512F__)
  return (Vec)_mm512_set1_ps(x);
#elif defined(__AVX2__)
  return (Vec)_mm256_set1_ps(x);
#else
  return Vec{x, x, x, x};
#endif
}
static inline Vec select(IntVec mask, Vec yes, Vec no) { return mask ? yes : no; }
static inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

// Loads the first n floats, 0 < n <= kWidth. The other elements are zero; their memory is not read.
static inline Vec load_n(const float* p, int n) {
  if (n == kWidth) return load(p);
#if defined(ELMAN_MASKED)
  return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#else
  Vec v{};
  std::memcpy(&v, p, static_cast<size_t>(n) * 4);
  return v;
#endif
}

static inline void store_n(float* p, Vec v, int n) {
  if (n == kWidth) return store(p, v);
#if defined(ELMAN_MASKED)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)v);
#else
  std::memcpy(p, &v, static_cast<size_t>(n) * 4);
#endif
}

static inline float sum_of(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);  // halves, as below
#else
  float lane[kWidth];
  std::memcpy(lane, &v, sizeof lane);
  for (int half = kWidth / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
#endif
}

static inline float max_of(Vec v) {
  float lane[kWidth];
  std::memcpy(lane, &v, sizeof lane);
  for (int half = kWidth / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  return lane[0];
}

// Transposes kWidth x kWidth floats in registers, in log2 kWidth rounds; round `step` exchanges blocks of step x step.
template <int step, int... lane>
static inline Vec mix_low(Vec a, Vec b, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(a, b, ((lane & step) ? kWidth + lane - step : lane)...);
}
template <int step, int... lane>
static inline Vec mix_high(Vec a, Vec b, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(a, b, ((lane & step) ? kWidth + lane : lane + step)...);
}
template <int step>
static inline void transpose(Vec* row) {
  if constexpr (step < kWidth) {
    constexpr auto lanes = std::make_integer_sequence<int, kWidth>{};
#pragma GCC unroll 16
    for (int i = 0; i < kWidth; ++i) {
      if (i & step) continue;
      const Vec a = row[i], b = row[i + step];
      row[i] = mix_low<step>(a, b, lanes);
      row[i + step] = mix_high<step>(a, b, lanes);
    }
    transpose<step * 2>(row);
  }
}

}  // namespace elman::ELMAN_ISA
