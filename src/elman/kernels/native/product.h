// The loops around the micro-kernel: a block of rows of A times some panels of a packed B.
#pragma once

#include "packing.h"

namespace elman::ELMAN_ISA {

constexpr long kLanesPerPass = 256;  // a panel of that many lanes stays in the first-level cache

// Where sums go: whole vectors, in rows `stride` floats apart. `data` belongs to the first column of the first panel.
struct Destination {
  float* data;
  long stride;
  bool add;  // to the sums that are there
};

// out = A B, or out += A B, for one block of rows, some lanes of k and some panels of B.
template <class Kernel, Left left>
static inline void multiply(const LeftBlock& A, const Packed& B, Range lanes, Range panels, const Destination& out) {
  constexpr int kColumns = Kernel::kColumns;
  Tile tile;
  tile.a = A.data + lanes.begin * (left == Left::by_rows ? 1 : A.stride);
  tile.a_stride = A.stride;
  tile.panel_stride = kColumns * B.lanes;
  tile.lanes = lanes.end - lanes.begin;
  tile.out = out.data;
  tile.out_stride = out.stride;
  tile.add = out.add;
  const auto run = [&](long p, int columns, int of_panel) {
    tile.b = B.data + p * tile.panel_stride + lanes.begin * of_panel;
    Kernel::template run<left>(A.rows, columns, tile);
    tile.out += columns;
  };
  const long whole = min(B.columns / kColumns, panels.end);  // panels of full width
  const int together = Kernel::panels_together(A.rows);
  long p = panels.begin;
  if (together > 1)
    for (; p + together <= whole; p += together) run(p, together * kColumns, kColumns);
  for (; p < panels.end; ++p) {
    const int columns = panel_columns<Kernel>(B.columns, p);
    run(p, columns, columns);
  }
}

// The same over all lanes of k.
template <class Kernel, Left left>
static inline void multiply(const LeftBlock& A, const Packed& B, Range panels, const Destination& out) {
  multiply<Kernel, left>(A, B, Range{0, B.lanes}, panels, out);
}

// Adds rows of sums, `stride` floats apart, to rows of N floats in memory, or writes them there. It goes row by row,
// which the processor's prefetching follows. (Going by pieces of 32 columns of each row waits for memory: a quarter of
// the time of the recurrence at Dh = 512.)
static inline void write_rows(float* out, const float* sums, long stride, int rows, long N, bool add) {
  for (int i = 0; i < rows; ++i)
    over_vectors(N, [&](long j, int n) {
      const Vec c = load(sums + i * stride + j);
      store_n(out + i * N + j, add ? load_n(out + i * N + j, n) + c : c, n);
    });
}

// out += every other thread's part of it, in the order of the threads; this thread adds its own share of the elements.
template <class PartOf>
static inline void add_parts(float* out, Range share_of_elements, int threads, PartOf&& part_of) {
  for (int t = 1; t < threads; ++t) {
    const float* part = part_of(t);
    for (long i = share_of_elements.begin; i < share_of_elements.end; i += kWidth) {
      const int n = static_cast<int>(min(share_of_elements.end - i, kWidth));
      store_n(out + i, load_n(out + i, n) + load_n(part + i, n), n);
    }
  }
}

}  // namespace elman::ELMAN_ISA
