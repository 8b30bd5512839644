// One instruction set's kernels. Compiled once for each, with its flags and ELMAN_ISA set by CMakeLists.txt.
#include "contributions.h"
#include "draw.h"
#include "softmax.h"
#include "totals.h"
#include "update.h"

#define ELMAN_TEXT_(x) #x
#define ELMAN_TEXT(x) ELMAN_TEXT_(x)

namespace elman::ELMAN_ISA {

// bfloat16 products: by the processor's own instruction where that is wanted and there is one.
template <class Work>
static void in_precision(Precision precision, Work&& work) {
  if (precision == Precision::float32) return work(Float32{});
#if defined(__AVX512BF16__)
  if (get_paired16()) return work(Paired16{});
#endif
  work(Rounded16{});
}

static void product(Pool& pool, const Product& q, Precision precision) {
  in_precision(precision, [&](auto p) { product_in<decltype(p)>(pool, q); });
}
static void recurrence(Pool& pool, const Recurrence& q, Precision precision) {
  in_precision(precision, [&](auto p) { recurrence_in<decltype(p)>(pool, q); });
}
static void recurrence_gradient(Pool& pool, const RecurrenceGradient& q, Precision precision) {
  in_precision(precision, [&](auto p) { recurrence_gradient_in<decltype(p)>(pool, q); });
}
static void softmax(Pool& pool, Softmax& q, Precision precision) {
  in_precision(precision, [&](auto p) { SoftmaxCall<decltype(p)>(pool, q).run(); });
}
static void contributions(Pool& pool, const Contributions& q) { ContributionsCall(pool, q).run(); }
static long packed(long K, long N) { return packed_size<Float32>(K, N); }
static void pack(const float* from, long K, long N, float* out) {
  pack_b_transposed<Float32>(from, K, K, N, out, 0, divide_up(N, kPanel));
}
static void map(int what, const float* x, float* y, long n) {
  for (long i = 0; i < n; i += W) {
    const int count = static_cast<int>(min(n - i, W));
    const V v = load_n(x + i, count);
    store_n(y + i, what == 0 ? exp(v) : what == 1 ? sigmoid(v) : tanh(v), count);
  }
}

extern const Table table;
const Table table = {
    ELMAN_TEXT(ELMAN_ISA),
#if defined(__AVX512BF16__)
    true,
#else
    false,
#endif
    product, recurrence, recurrence_gradient, softmax, contributions, state_gradient,
    sum_of_squares, step, sum_rows, sum_columns, packed, pack, draw, map,
};

}  // namespace elman::ELMAN_ISA
