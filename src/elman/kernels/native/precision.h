// The precisions of a product's operands. Packed operands consist of 32-bit lanes; a precision says what a lane holds.
//
//   Float32       one float
//   RoundedBf16   one float, rounded to bfloat16 beforehand: bfloat16 products on any machine
//   PairedBf16    two bfloat16 numbers of neighbouring k, as the instruction that multiplies and adds pairs takes them
//
// Sums are float32 in all three, and the product of two bfloat16 numbers is exact in float32.
//
// Each has
//   kPair                          numbers in a lane
//   Number                         one number in memory
//   multiply_add(c, a, b)          c + a b, lane by lane
//   lanes_along_row(x, n)          up to kWidth lanes from n numbers of one row, which are neighbours in k
//   lanes_of_rows(x, x_next, n)    n lanes from row k and, with pairs, row k + 1 (null past the last row)
//   store_along_row(row, k, x, n)  writes n numbers of x to a packed row, from number k on
#pragma once

#include "vector.h"

namespace elman::ELMAN_ISA {

// Rounds to the nearest bfloat16 (ties to even); the result is still float. NaN stays NaN.
static inline Vec to_bf16(Vec x) {
  const IntVec bits = (IntVec)x;
  const IntVec rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & static_cast<int32_t>(0xffff0000);
  return x == x ? (Vec)rounded : x;
}

struct Float32 {
  using Number = float;
  static constexpr int kPair = 1;
  static inline Vec multiply_add(Vec c, Vec a, Vec b) { return a * b + c; }
  static inline Vec lanes_along_row(const float* x, int n) { return load_n(x, n); }
  static inline Vec lanes_of_rows(const float* x, const float*, int n) { return load_n(x, n); }
  static inline void store_along_row(float* row, long k, Vec x, int n) { store_n(row + k, x, n); }
};

struct RoundedBf16 {
  using Number = float;
  static constexpr int kPair = 1;
  static inline Vec multiply_add(Vec c, Vec a, Vec b) { return a * b + c; }
  static inline Vec lanes_along_row(const float* x, int n) { return to_bf16(load_n(x, n)); }
  static inline Vec lanes_of_rows(const float* x, const float*, int n) { return to_bf16(load_n(x, n)); }
  static inline void store_along_row(float* row, long k, Vec x, int n) { store_n(row + k, to_bf16(x), n); }
};

#if defined(__AVX512BF16__)

// bfloat16 in memory, float in registers.
struct Bf16 {
  static Vec load(const uint16_t* x) {
    return (Vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))), 16);
  }
  static void store(uint16_t* to, Vec x) {
    const __m256bh half = _mm512_cvtneps_pbh((__m512)x);
    std::memcpy(to, &half, sizeof half);
  }
  static float to_float(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float x;
    std::memcpy(&x, &wide, 4);
    return x;
  }
  static uint16_t from_float(float x) {
    const Vec v = to_bf16(broadcast(x));
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    return static_cast<uint16_t>(bits >> 16);
  }
};

struct PairedBf16 {
  using Number = uint16_t;
  static constexpr int kPair = 2;
  static inline Vec multiply_add(Vec c, Vec a, Vec b) {
    return (Vec)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
  }
  static inline Vec lanes_along_row(const float* x, int n) {
    const Vec low = load_n(x, n < kWidth ? n : kWidth);
    const Vec high = n > kWidth ? load_n(x + kWidth, n - kWidth) : Vec{};
    return rounded(low, high);
  }
  static inline Vec lanes_of_rows(const float* x, const float* x_next, int n) {
    const Vec first = load_n(x, n), second = x_next ? load_n(x_next, n) : Vec{};
    return interleaved(rounded(first, second));
  }
  static inline void store_along_row(float* row, long k, Vec x, int n) {
    const __m256i half = (__m256i)_mm512_cvtneps_pbh((__m512)x);
    uint16_t* to = reinterpret_cast<uint16_t*>(row) + k;
    if (n == kWidth) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
    else std::memcpy(to, &half, static_cast<size_t>(n) * 2);
  }

  // The bfloat16 numbers of `low`, followed by those of `high`.
  static inline Vec rounded(Vec low, Vec high) { return (Vec)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low); }
  // Two halves of bfloat16 numbers become pairs of one number of each half.
  static inline Vec interleaved(Vec halves) {
    alignas(64) static constexpr uint16_t kOrder[2 * kWidth] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                                21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                                11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return (Vec)_mm512_permutexvar_epi16(_mm512_load_si512(kOrder), (__m512i)halves);
  }
};
#endif

}  // namespace elman::ELMAN_ISA
