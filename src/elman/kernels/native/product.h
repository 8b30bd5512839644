// Matrix products of ours: packing, a block kept in registers, and the loops around it.
//
// C = A B is made in blocks of up to kMaxRows rows and kPanel columns. B is packed into panels, [k][kPanel], so
// that the inner loop reads it in order; A is read an element at a time and broadcast, either along its rows
// (A(m,k) = a[m·stride + k]) or along its columns (A(m,k) = a[k·stride + m]).
//
// A `Precision` says what one 32-bit lane of a packed operand holds:
//   Float32      one float
//   Rounded16    one float, rounded to bfloat16 beforehand: bfloat16 products on any machine
//   Paired16     two bfloat16 of neighbouring k, for the instruction that multiplies and adds pairs
// Sums are float32 in all three, and the product of two bfloat16 is exact in float32.
#pragma once

#include "vector.h"

namespace elman::ELMAN_ISA {

struct Float32 {
  static constexpr int pair = 1;
  static inline V multiply_add(V c, V a, V b) { return a * b + c; }
  static inline V along(const float* p, int n) { return load_n(p, n); }          // lanes of neighbouring floats
  static inline V across(const float* p, const float*, int n) { return load_n(p, n); }  // lanes of two rows
};

struct Rounded16 {
  static constexpr int pair = 1;
  static inline V multiply_add(V c, V a, V b) { return a * b + c; }
  static inline V along(const float* p, int n) { return to_bf16(load_n(p, n)); }
  static inline V across(const float* p, const float*, int n) { return to_bf16(load_n(p, n)); }
};

#if defined(__AVX512BF16__)
struct Paired16 {
  static constexpr int pair = 2;
  static inline V multiply_add(V c, V a, V b) {
    return (V)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
  }
  static inline V along(const float* p, int n) {
    const V low = load_n(p, n < W ? n : W);
    const V high = n > W ? load_n(p + W, n - W) : V{};
    return (V)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  }
  static inline V across(const float* p, const float* q, int n) {
    const V first = load_n(p, n), second = q ? load_n(q, n) : V{};
    return interleaved((V)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
  }
  // Two vectors of bfloat16, one after the other, become pairs of one number of each.
  static inline V interleaved(V halves) {
    alignas(64) static constexpr uint16_t kOrder[2 * W] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return (V)_mm512_permutexvar_epi16(_mm512_load_si512(kOrder), (__m512i)halves);
  }
};
#endif

static inline long min(long a, long b) { return a < b ? a : b; }
static inline long divide_up(long a, long b) { return (a + b - 1) / b; }
static inline long round_up(long a, long b) { return divide_up(a, b) * b; }

// Lanes along k, and the floats that a packed B of N columns takes.
template <class P>
static inline long lanes(long K) {
  return divide_up(K, P::pair);
}
template <class P>
static inline long packed_size(long K, long N) {
  return lanes<P>(K) * round_up(N, W);
}

// A row length for operands that are read along their rows: no multiple of 64 floats, or the rows of a block
// would meet in the same few sets of the first-level cache.
template <class P>
static inline long row_stride(long K) {
  const long stride = round_up(lanes<P>(K), W);
  return stride % 64 == 0 ? stride + W : stride;
}

// Vectors of panel p of N columns: 2, or 1 for a narrow last one.
static inline int panel_vectors(long N, long p) { return N - p * kPanel > W ? 2 : 1; }

// Rows of A in lanes: dst[m][row_stride] from src[m][K].
template <class P>
static inline void pack_rows(const float* src, long ld, long M, long K, float* dst, long stride) {
  for (long m = 0; m < M; ++m)
    for (long k = 0; k < K; k += W * P::pair)
      store(dst + m * stride + k / P::pair, P::along(src + m * ld + k, static_cast<int>(min(K - k, W * P::pair))));
}

// [0, total) in even pieces of at most kMaxRows rows: work(from, rows).
template <class Work>
static inline void over_row_blocks(long begin, long end, Work&& work) {
  const long blocks = divide_up(end - begin, kMaxRows);
  for (long i = 0; i < blocks; ++i) {
    const long from = begin + (end - begin) * i / blocks, to = begin + (end - begin) * (i + 1) / blocks;
    work(from, static_cast<int>(to - from));
  }
}

// Row blocks of A read along its columns, one after another: each dst[k][rows] from src[k][m].
template <class P>
static inline void pack_columns(const float* src, long ld, long K, long M, float* dst) {
  constexpr long kRun = 8;
  const long KL = lanes<P>(K);
  for (long k0 = 0; k0 < KL; k0 += kRun)
    over_row_blocks(0, M, [&](long from, int m) {
      float* to = dst + from * KL + k0 * m;
      for (long k = k0; k < min(k0 + kRun, KL); ++k, to += m) {
        const float *row = src + k * P::pair * ld + from, *next = k * P::pair + 1 < K ? row + ld : nullptr;
        for (int i = 0; i < m; i += W) {
          const int n = m - i < W ? m - i : W;
          store_n(to + i, P::across(row + i, next ? next + i : nullptr, n), n);
        }
      }
    });
}

// Panels [first, last) of B from src[k][n]; columns past N are zero.
template <class P>
static inline void pack_b(const float* src, long ld, long K, long N, float* dst, long first, long last) {
  const long KL = lanes<P>(K), whole = min(last, N / kPanel);
  for (long k = 0; k < KL; ++k) {
    const float *row = src + k * P::pair * ld, *next = k * P::pair + 1 < K ? row + ld : nullptr;
    const auto lane = [&](long n, int count) { return P::across(row + n, next ? next + n : nullptr, count); };
    for (long p = first; p < whole; ++p) {
      float* to = dst + p * kPanel * KL + k * kPanel;
      store(to, lane(p * kPanel, W));
      store(to + W, lane(p * kPanel + W, W));
    }
    if (whole < last) {
      const long n0 = whole * kPanel;
      const int vectors = panel_vectors(N, whole);
      for (int v = 0; v < vectors; ++v)
        store(dst + n0 * KL + (k * vectors + v) * W, lane(n0 + v * W, static_cast<int>(min(N - n0 - v * W, W))));
    }
  }
}

// Panels [first, last) of B from src[n][k], its transpose.
template <class P>
static inline void pack_b_transposed(const float* src, long ld, long K, long N, float* dst, long first, long last) {
  const long KL = lanes<P>(K);
  for (long p = first; p < last; ++p) {
    const int vectors = panel_vectors(N, p);
    float* to = dst + p * kPanel * KL;
    for (int v = 0; v < vectors; ++v) {
      const long n0 = p * kPanel + v * W;
      for (long k = 0; k < K; k += W * P::pair) {
        V square[W];
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i)
          square[i] = n0 + i < N ? P::along(src + (n0 + i) * ld + k, static_cast<int>(min(K - k, W * P::pair))) : V{};
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i)
          if (n0 + i + W < N) __builtin_prefetch(src + (n0 + i + W) * ld + k);  // too many rows for the processor's own
        transpose<1>(square);
        const long deep = min(KL - k / P::pair, W);
        for (long i = 0; i < deep; ++i) store(to + (k / P::pair + i) * vectors * W + v * W, square[i]);
      }
    }
  }
}

// One block: out[rows][vectors·W], rows ld apart, = A B over KL lanes, added to what stands there where `more`. The rows'
// accumulators stay in registers.
template <class P, int rows, int vectors, bool along_rows>
static void block(long KL, const float* a, long stride, const float* b, float* out, long ld, bool more) {
  V c[rows][vectors] = {};
  if (more) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) c[i][j] = load(out + i * ld + j * W);
  }
  const float* base[(rows + 2) / 3];
#pragma GCC unroll 8
  for (int i = 0; i < (rows + 2) / 3; ++i) base[i] = a + i * 3 * stride;
#pragma GCC unroll 2
  for (long k = 0; k < KL; ++k) {
    V right[vectors];
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) {
      right[j] = load(b + j * W);
      __builtin_prefetch(b + j * W + 16 * vectors * W);
    }
    b += vectors * W;
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      V left = all(along_rows ? base[i / 3][(i % 3) * stride + k] : a[k * stride + i]);
#if defined(__AVX512F__)
      asm("" : "+v"(left));  // one broadcast for both products, not one folded into each
#endif
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) c[i][j] = P::multiply_add(c[i][j], left, right[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) store(out + i * ld + j * W, c[i][j]);
}

// The same for 1 to 3 rows and several whole panels at once, so that there are enough sums to hide the latency.
template <class P, int rows, int panels, bool along_rows>
static void wide_block(long KL, const float* a, long stride, const float* b, long panel, float* out, long ld, bool more) {
  V c[rows][2 * panels] = {};
  if (more)
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < 2 * panels; ++j) c[i][j] = load(out + i * ld + j * W);
  for (long k = 0; k < KL; ++k) {
#pragma GCC unroll 4
    for (int p = 0; p < panels; ++p) {
      const V right0 = load(b + p * panel + k * kPanel), right1 = load(b + p * panel + k * kPanel + W);
#pragma GCC unroll 4
      for (int i = 0; i < rows; ++i) {
        const V left = all(along_rows ? a[i * stride + k] : a[k * stride + i]);
        c[i][2 * p] = P::multiply_add(c[i][2 * p], left, right0);
        c[i][2 * p + 1] = P::multiply_add(c[i][2 * p + 1], left, right1);
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < 2 * panels; ++j) store(out + i * ld + j * W, c[i][j]);
}

using Block = void (*)(long, const float*, long, const float*, float*, long, bool);

template <class P, int vectors, bool along_rows, int... rows>
static constexpr Block block_of(int m, std::integer_sequence<int, rows...>) {
  constexpr Block table[] = {block<P, rows + 1, vectors, along_rows>...};
  return table[m - 1];
}

constexpr int kTileFloats = (kMaxRows > 4 ? kMaxRows : 4) * kPanel * 2;

// Panels [first, last) of m rows, m at most kMaxRows. `panels` is packed B over `packed_KL` lanes, of which the product
// takes KL from lane k0 on. place(column) says where a piece goes: `out`, rows `ld` apart, and whether it is added to what
// stands there; done(column, columns, piece) is called when it is made.
struct Piece {
  float* out;
  long ld;
  bool more;
};
template <class P, bool along_rows, class Place, class Done>
static inline void over_panels(int m, long KL, const float* a, long stride, const float* panels, long packed_KL, long k0,
                               long N, long first, long last, Place&& place, Done&& done) {
  constexpr auto counts = std::make_integer_sequence<int, kMaxRows>{};
  const long whole = N / kPanel < last ? N / kPanel : last;  // panels of full width
  long p = first;
  if (m <= 3) {
    constexpr int kGroup[] = {4, 2, 2};
    const int group = kGroup[m - 1];
    for (; p + group <= whole; p += group) {
      const float* b = panels + p * kPanel * packed_KL + k0 * kPanel;
      const long panel = kPanel * packed_KL;
      const Piece piece = place(p * kPanel, group * kPanel);
      if (m == 1) wide_block<P, 1, 4, along_rows>(KL, a, stride, b, panel, piece.out, piece.ld, piece.more);
      if (m == 2) wide_block<P, 2, 2, along_rows>(KL, a, stride, b, panel, piece.out, piece.ld, piece.more);
      if (m == 3) wide_block<P, 3, 2, along_rows>(KL, a, stride, b, panel, piece.out, piece.ld, piece.more);
      done(p * kPanel, static_cast<int>(group * kPanel), piece);
    }
  }
  const Block full = block_of<P, 2, along_rows>(m, counts);
  for (; p < last; ++p) {
    const int vectors = panel_vectors(N, p);
    const float* b = panels + p * kPanel * packed_KL + k0 * vectors * W;
    const Piece piece = place(p * kPanel, vectors * W);
    if (vectors == 2) full(KL, a, stride, b, piece.out, piece.ld, piece.more);
    else block_of<P, 1, along_rows>(m, counts)(KL, a, stride, b, piece.out, piece.ld, piece.more);
    done(p * kPanel, static_cast<int>(min(N - p * kPanel, kPanel)), piece);
  }
}

// Into rows of memory of the caller's, `ld` apart and a whole number of vectors long; `out` is for the first panel's column.
template <class P, bool along_rows>
static inline void rows_into(float* out, long ld, bool more, int m, long KL, const float* a, long stride, const float* panels,
                             long packed_KL, long k0, long N, long first, long last) {
  over_panels<P, along_rows>(
      m, KL, a, stride, panels, packed_KL, k0, N, first, last, [&](long n0, long) { return Piece{out + n0 - first * kPanel, ld, more}; },
      [](long, int, const Piece&) {});
}

// A piece at a time in the first-level cache: each goes to finish(column, columns, tile, ld).
template <class P, bool along_rows, class Finish>
static inline void row_block(int m, long KL, const float* a, long stride, const float* panels, long packed_KL, long k0,
                             long N, long first, long last, Finish&& finish) {
  alignas(64) float tile[kTileFloats];
  over_panels<P, along_rows>(
      m, KL, a, stride, panels, packed_KL, k0, N, first, last, [&](long, long columns) { return Piece{tile, columns, false}; },
      [&](long n0, int columns, const Piece& piece) { finish(n0, columns, tile, static_cast<int>(piece.ld)); });
}

// The part of [0, total) that belongs to a thread.
struct Range {
  long begin, end;
};
static inline Range share(long total, int thread, int threads) {
  return {total * thread / threads, total * (thread + 1) / threads};
}

// The columns of a range, which begins at a whole vector: the whole vectors and the rest.
template <class Work>
static inline void over_vectors(Range columns, Work&& work) {
  const long whole = columns.begin + (columns.end - columns.begin) / W * W;
  for (long j = columns.begin; j < whole; j += W) work(j, W);
  if (whole < columns.end) work(whole, static_cast<int>(columns.end - whole));
}
template <class Work>
static inline void over_vectors(long n, Work&& work) {
  over_vectors(Range{0, n}, work);
}

}  // namespace elman::ELMAN_ISA
