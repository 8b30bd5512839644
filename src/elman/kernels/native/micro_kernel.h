// The micro-kernel: one tile of a product in registers. It is the only part of a product that a new kind of matrix
// instruction replaces; packing.h and product.h take it as a template parameter.
//
// A micro-kernel is a struct with
//
//   Prec                     the precision: what a 32-bit lane of a packed operand holds (precision.h)
//   kRows                    the most rows of a tile
//   kRowGroup                `run` reads rows of A and writes rows of sums in groups of so many: memory must be there
//   kColumns                 columns of a panel of the packed right operand: 2 kWidth; a narrow last panel has kWidth
//   kLaneGroup               the lanes of k are packed in multiples of this, filled up with zeros; it divides kWidth
//   kLeftByRows              whether `run` takes A by rows only; else it takes both forms
//   Session                  what a thread holds while it calls `run`
//   panels_together(rows)    how many whole panels one call of `run` may take, with so few rows
//   run<left>(rows, columns, tile)   the tile itself: 1 <= rows <= kRows, and columns is kColumns times 1 or
//                                    panels_together(rows), or kWidth
//
// amx_micro_kernel.h is one for matrix instructions. To add another, follow "A new instruction set" in kernels.h.
#pragma once

#include <utility>

#include "precision.h"

namespace elman::ELMAN_ISA {

// Where lane k of row i of the left operand is: a[i * stride + k], or a[k * stride + i].
enum class Left { by_rows, by_columns };

// out = A B, or out += A B, over some lanes of k.
struct Tile {
  const float* a;  // the first lane of the first row
  long a_stride;
  const float* b;     // the first lane of the first panel: [lanes][columns]
  long panel_stride;  // floats from one panel to the next
  long lanes;
  float* out;  // rows `out_stride` apart
  long out_stride;
  bool add;
};

// Vectors of sums in registers; each lane of A is broadcast and multiplied with vectors of B.
template <class Prec_>
struct VectorMicroKernel {
  using Prec = Prec_;
#if defined(__AVX512F__)
  static constexpr int kRows = 14;  // of 32 registers: 14 x 2 sums, 2 of B, 1 of A
#elif defined(__aarch64__)
  static constexpr int kRows = 12;
#else
  static constexpr int kRows = 6;  // of 16 registers
#endif
  static constexpr int kRowGroup = 1;
  static constexpr int kColumns = 2 * kWidth;
  static constexpr int kLaneGroup = 1;
  static constexpr bool kLeftByRows = false;
  struct Session {};

  // With few rows several panels go together, so that there are enough sums to hide the latency of multiply_add.
  static constexpr int panels_together(int rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }

  template <Left left>
  static inline void run(int rows, int columns, const Tile& tile) {
    constexpr auto every = std::make_integer_sequence<int, kRows>{};
    if (columns == kColumns) return run_panel<2, left>(rows, tile, every);
    if (columns < kColumns) return run_panel<1, left>(rows, tile, every);
    if (rows == 1) return several_panels<1, panels_together(1), left>(tile);
    if (rows == 2) return several_panels<2, panels_together(2), left>(tile);
    return several_panels<3, panels_together(3), left>(tile);
  }

 private:
  template <int vectors, Left left, int... row>
  static inline void run_panel(int rows, const Tile& tile, std::integer_sequence<int, row...>) {
    using Function = void (*)(const Tile&);
    static constexpr Function functions[] = {&one_panel<row + 1, vectors, left>...};
    functions[rows - 1](tile);
  }

  // A panel of `vectors` vectors: all sums stay in registers.
  template <int rows, int vectors, Left left>
  static void one_panel(const Tile& tile) {
    const float *a = tile.a, *b = tile.b;
    float* out = tile.out;
    const long lanes = tile.lanes, stride = tile.a_stride, out_stride = tile.out_stride;
    Vec c[rows][vectors] = {};
    if (tile.add) {
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) c[i][j] = load(out + i * out_stride + j * kWidth);
    }
    const float* base[(rows + 2) / 3];  // a pointer for every third row: the others are at a distance of 1 or 2 strides
#pragma GCC unroll 8
    for (int i = 0; i < (rows + 2) / 3; ++i) base[i] = a + i * 3 * stride;
#pragma GCC unroll 2
    for (long k = 0; k < lanes; ++k) {
      Vec right[vectors];
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) {
        right[j] = load(b + j * kWidth);
        __builtin_prefetch(b + j * kWidth + 16 * vectors * kWidth);
      }
      b += vectors * kWidth;
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) {
        Vec one = broadcast(left == Left::by_rows ? base[i / 3][(i % 3) * stride + k] : a[k * stride + i]);
#if defined(__AVX512F__)
        asm("" : "+v"(one));  // one broadcast for both products, not one folded into each
#endif
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) c[i][j] = Prec::multiply_add(c[i][j], one, right[j]);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) store(out + i * out_stride + j * kWidth, c[i][j]);
  }

  // The same for few rows and several whole panels.
  template <int rows, int panels, Left left>
  static void several_panels(const Tile& tile) {
    const float *a = tile.a, *b = tile.b;
    float* out = tile.out;
    const long lanes = tile.lanes, stride = tile.a_stride, panel_stride = tile.panel_stride,
               out_stride = tile.out_stride;
    Vec c[rows][2 * panels] = {};
    if (tile.add)
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < 2 * panels; ++j) c[i][j] = load(out + i * out_stride + j * kWidth);
    for (long k = 0; k < lanes; ++k) {
#pragma GCC unroll 4
      for (int p = 0; p < panels; ++p) {
        const float* right = b + p * panel_stride + k * kColumns;
        const Vec right0 = load(right), right1 = load(right + kWidth);
#pragma GCC unroll 4
        for (int i = 0; i < rows; ++i) {
          const Vec one = broadcast(left == Left::by_rows ? a[i * stride + k] : a[k * stride + i]);
          c[i][2 * p] = Prec::multiply_add(c[i][2 * p], one, right0);
          c[i][2 * p + 1] = Prec::multiply_add(c[i][2 * p + 1], one, right1);
        }
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < 2 * panels; ++j) store(out + i * out_stride + j * kWidth, c[i][j]);
  }
};

using Float32MicroKernel = VectorMicroKernel<Float32>;

}  // namespace elman::ELMAN_ISA
