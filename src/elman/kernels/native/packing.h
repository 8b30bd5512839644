// Packing: the operands of a product, copied into the lanes and the order in which the micro-kernel reads them.
//
//   right operand B [K,N]   panels of kColumns columns, each [lanes][kColumns]; the last one [lanes][kColumns / 2]
//                           where that is enough. Columns past N are zero.
//   left operand A [M,K]    by rows, [M][stride]; or, from a transposed A, blocks of up to kRows rows, each
//                           [lanes][rows], unless the micro-kernel takes A by rows only
#pragma once

#include "micro_kernel.h"
#include "ranges.h"

namespace elman::ELMAN_ISA {

// Whether these functions can pack for a micro-kernel.
template <class Kernel>
constexpr bool kCanPack = Kernel::kColumns == 2 * kWidth && kWidth % Kernel::kLaneGroup == 0;

// A matrix in memory: its rows are `stride` floats apart.
struct Matrix {
  const float* data;
  long rows, columns, stride;
};

// Up to Kernel::kRows rows of the left operand, packed.
struct LeftBlock {
  const float* data;
  long stride;
  int rows;
};

// The whole of a packed right operand.
struct Packed {
  const float* data;
  long lanes, columns;
};

// Lanes that K numbers of k take.
template <class Kernel>
static inline long lanes_of(long K) {
  static_assert(kCanPack<Kernel>);
  return round_up(divide_up(K, Kernel::Prec::kPair), Kernel::kLaneGroup);
}

// Panels that N columns take, and the columns of panel p in memory.
template <class Kernel>
static inline long panels_of(long N) {
  return divide_up(N, Kernel::kColumns);
}
template <class Kernel>
static inline int panel_columns(long N, long p) {
  return N - p * Kernel::kColumns > Kernel::kColumns / 2 ? Kernel::kColumns : Kernel::kColumns / 2;
}

// Floats that a packed right operand [K,N] takes.
template <class Kernel>
static inline long packed_floats(long K, long N) {
  return lanes_of<Kernel>(K) * round_up(N, Kernel::kColumns / 2);
}

// The length of a row in scratch memory: whole vectors, and no multiple of 64 floats, or the rows of a block would meet
// in the same few sets of the first-level cache.
static inline long padded_row(long floats) {
  const long stride = round_up(floats, kWidth);
  return stride % 64 == 0 ? stride + kWidth : stride;
}
template <class Kernel>
static inline long left_stride(long K) {
  return padded_row(lanes_of<Kernel>(K));
}

// Rows up to a whole group.
template <class Kernel>
static inline long grouped_rows(long rows) {
  return round_up(rows, Kernel::kRowGroup);
}

// Calls work(from, rows) for even blocks of at most kRows rows, in whole groups.
template <class Kernel, class Work>
static inline void over_row_blocks(Range rows, Work&& work) {
  constexpr long kGroup = Kernel::kRowGroup;
  const long total = divide_up(rows.end - rows.begin, kGroup), blocks = divide_up(total, Kernel::kRows / kGroup);
  for (long i = 0; i < blocks; ++i) {
    const long from = rows.begin + total * i / blocks * kGroup, to = rows.begin + total * (i + 1) / blocks * kGroup;
    work(from, static_cast<int>((kGroup > 1 ? min(to, rows.end) : to) - from));
  }
}

// The left operand by rows, from A [M,K]: out [M][stride]. The lanes up to the next whole vector are zero.
template <class Kernel>
static inline void pack_left(const Matrix& A, float* out, long stride) {
  using Prec = typename Kernel::Prec;
  constexpr long kStep = kWidth * Prec::kPair;
  for (long m = 0; m < A.rows; ++m)
    for (long k = 0; k < A.columns; k += kStep)
      store(out + m * stride + k / Prec::kPair,
            Prec::lanes_along_row(A.data + m * A.stride + k, static_cast<int>(min(A.columns - k, kStep))));
}

// The rows k and k + 1 that lane `lane` takes from a matrix whose rows are k, from `column` on; past the last row are
// zeros.
template <class Prec>
static inline Vec lanes_across(const Matrix& B, long lane, long column, int n) {
  const float* row = B.data + lane * Prec::kPair * B.stride + column;
  return Prec::lanes_of_rows(row, lane * Prec::kPair + 1 < B.rows ? row + B.stride : nullptr, n);
}

// How pack_left_transposed packs.
template <class Kernel>
constexpr Left kLeftOfTransposed = Kernel::kLeftByRows ? Left::by_rows : Left::by_columns;

// Floats that a left operand takes, from a transposed A [K,M].
template <class Kernel>
static inline long packed_transposed_floats(long K, long M) {
  return Kernel::kLeftByRows ? grouped_rows<Kernel>(M) * left_stride<Kernel>(K) : M * lanes_of<Kernel>(K);
}

// Some rows of it, from row `from` on: a block of over_row_blocks.
template <class Kernel>
static inline LeftBlock packed_transposed_block(const float* packed, long K, long from, int rows) {
  if (Kernel::kLeftByRows) return {packed + from * left_stride<Kernel>(K), left_stride<Kernel>(K), rows};
  return {packed + from * lanes_of<Kernel>(K), rows, rows};
}

// The left operand by rows, from a transposed A [K,M], in squares of kWidth lanes and rows.
template <class Kernel>
static inline void pack_left_transposed_by_rows(const Matrix& A, float* out) {
  using Prec = typename Kernel::Prec;
  const long lanes = lanes_of<Kernel>(A.rows), with_numbers = divide_up(A.rows, Prec::kPair),
             stride = left_stride<Kernel>(A.rows);
  for (long k = 0; k < lanes; k += kWidth)
    for (long m = 0; m < A.columns; m += kWidth) {
      const int rows = static_cast<int>(min(A.columns - m, kWidth));
      Vec square[kWidth];
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) square[i] = k + i < with_numbers ? lanes_across<Prec>(A, k + i, m, rows) : Vec{};
      transpose<1>(square);
      for (int i = 0; i < rows; ++i) store(out + (m + i) * stride + k, square[i]);
    }
}

// The left operand from a transposed A [K,M]: by rows, or by columns in blocks of rows, one after another, each
// [lanes][rows].
template <class Kernel>
static inline void pack_left_transposed(const Matrix& A, float* out) {
  using Prec = typename Kernel::Prec;
  if constexpr (Kernel::kLeftByRows) return pack_left_transposed_by_rows<Kernel>(A, out);
  constexpr long kRun = 8;  // lanes at a time, for all blocks
  const long lanes = lanes_of<Kernel>(A.rows), with_numbers = divide_up(A.rows, Prec::kPair);
  for (long first = 0; first < lanes; first += kRun)
    over_row_blocks<Kernel>(Range{0, A.columns}, [&](long from, int rows) {
      float* to = out + from * lanes + first * rows;
      for (long k = first; k < min(first + kRun, lanes); ++k, to += rows) {
        if (Kernel::kLaneGroup > 1 && k >= with_numbers) {
          std::memset(to, 0, static_cast<size_t>(rows) * 4);
          continue;
        }
        for (int i = 0; i < rows; i += kWidth) {
          const int n = rows - i < kWidth ? rows - i : kWidth;
          store_n(to + i, lanes_across<Prec>(A, k, from + i, n), n);
        }
      }
    });
}

// Some panels of the right operand, from B [K,N].
template <class Kernel>
static inline void pack_right(const Matrix& B, float* out, Range panels) {
  using Prec = typename Kernel::Prec;
  constexpr int kColumns = Kernel::kColumns;
  const long lanes = lanes_of<Kernel>(B.rows), with_numbers = divide_up(B.rows, Prec::kPair);
  const long N = B.columns, whole = min(panels.end, N / kColumns);
  for (long k = 0; k < with_numbers; ++k) {
    for (long p = panels.begin; p < whole; ++p) {
      float* to = out + p * kColumns * lanes + k * kColumns;
      for (int j = 0; j < kColumns; j += kWidth) store(to + j, lanes_across<Prec>(B, k, p * kColumns + j, kWidth));
    }
    if (whole < panels.end) {
      const long first = whole * kColumns;
      const int columns = panel_columns<Kernel>(N, whole);
      for (int j = 0; j < columns; j += kWidth)
        store(out + first * lanes + k * columns + j,
              lanes_across<Prec>(B, k, first + j, static_cast<int>(min(N - first - j, kWidth))));
    }
  }
  if constexpr (Kernel::kLaneGroup > 1)
    for (long p = panels.begin; p < panels.end; ++p) {
      const int columns = panel_columns<Kernel>(N, p);
      std::memset(out + p * kColumns * lanes + with_numbers * columns, 0,
                  static_cast<size_t>((lanes - with_numbers) * columns) * 4);
    }
}

// Some panels of the right operand, from its transpose B^T [N,K].
template <class Kernel>
static inline void pack_right_transposed(const Matrix& B_t, float* out, Range panels) {
  using Prec = typename Kernel::Prec;
  constexpr int kColumns = Kernel::kColumns;
  constexpr long kStep = kWidth * Prec::kPair;
  const long N = B_t.rows, K = B_t.columns, lanes = lanes_of<Kernel>(K);
  for (long p = panels.begin; p < panels.end; ++p) {
    const int columns = panel_columns<Kernel>(N, p);
    float* to = out + p * kColumns * lanes;
    for (int j = 0; j < columns; j += kWidth) {
      const long first = p * kColumns + j;
      const auto row = [&](long i) { return B_t.data + (first + i) * B_t.stride; };
      for (long k = 0; k < K; k += kStep) {
        Vec square[kWidth];
#pragma GCC unroll 16
        for (int i = 0; i < kWidth; ++i)
          square[i] = first + i < N ? Prec::lanes_along_row(row(i) + k, static_cast<int>(min(K - k, kStep))) : Vec{};
#pragma GCC unroll 16
        for (int i = 0; i < kWidth; ++i)  // more rows than the processor fetches ahead by itself
          if (first + i + kWidth < N) __builtin_prefetch(row(i + kWidth) + k);
        transpose<1>(square);
        const long deep = min(lanes - k / Prec::kPair, kWidth);
        for (long i = 0; i < deep; ++i) store(to + (k / Prec::kPair + i) * columns + j, square[i]);
      }
    }
  }
}

}  // namespace elman::ELMAN_ISA
