// Whole-number arithmetic, and how work is divided: among threads, and into vectors.
#pragma once

#include "vector.h"

namespace elman::ELMAN_ISA {

static inline long min(long a, long b) { return a < b ? a : b; }
static inline long divide_up(long a, long b) { return (a + b - 1) / b; }
static inline long round_up(long a, long b) { return divide_up(a, b) * b; }

struct Range {
  long begin, end;
};

// The part of [0, total) that belongs to a thread.
static inline Range share(long total, int thread, int threads) {
  return {total * thread / threads, total * (thread + 1) / threads};
}

// Calls work(column, count) for each vector of a range that begins at a whole vector; only the last may be shorter.
template <class Work>
static inline void over_vectors(Range columns, Work&& work) {
  const long whole = columns.begin + (columns.end - columns.begin) / kWidth * kWidth;
  for (long j = columns.begin; j < whole; j += kWidth) work(j, kWidth);
  if (whole < columns.end) work(whole, static_cast<int>(columns.end - whole));
}
template <class Work>
static inline void over_vectors(long n, Work&& work) {
  over_vectors(Range{0, n}, work);
}

}  // namespace elman::ELMAN_ISA
