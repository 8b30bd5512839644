// The kernels of one instruction set. CMakeLists.txt compiles this file once for each, with its flags and with
// ELMAN_ISA, the namespace of everything in these headers.
#include "amx_micro_kernel.h"
#include "amx_softmax.h"
#include "contributions.h"
#include "generation.h"
#include "matrix_product.h"
#include "recurrence.h"
#include "softmax.h"
#include "state_gradient.h"
#include "sums.h"
#include "update.h"

#define ELMAN_TEXT_(x) #x
#define ELMAN_TEXT(x) ELMAN_TEXT_(x)

namespace elman::ELMAN_ISA {

#if defined(__AVX512BF16__)
constexpr bool kHasBf16Instruction = true;
#else
constexpr bool kHasBf16Instruction = false;
#endif

#if defined(__AMX_BF16__)
constexpr bool kHasTiles = true;
using FastBf16MicroKernel = AmxMicroKernel;
#elif defined(__AVX512BF16__)
constexpr bool kHasTiles = false;
using FastBf16MicroKernel = VectorMicroKernel<PairedBf16>;
#else
constexpr bool kHasTiles = false;
#endif

// Calls work with the micro-kernel of this precision.
template <class Work>
static void with_micro_kernel(Precision precision, Work&& work) {
  if (precision == Precision::float32) return work(VectorMicroKernel<Float32>{});
#if defined(__AVX512BF16__)
  if (get_bf16_instruction()) return work(FastBf16MicroKernel{});
#endif
  work(VectorMicroKernel<RoundedBf16>{});
}

static void product(Pool& pool, const Product& call, Precision precision) {
  with_micro_kernel(precision, [&](auto kernel) { product_with<decltype(kernel)>(pool, call); });
}
static void recurrence(Pool& pool, const Recurrence& call, Precision precision) {
  with_micro_kernel(precision, [&](auto kernel) { recurrence_with<decltype(kernel)>(pool, call); });
}
static void recurrence_gradient(Pool& pool, const RecurrenceGradient& call, Precision precision) {
  with_micro_kernel(precision, [&](auto kernel) { recurrence_gradient_with<decltype(kernel)>(pool, call); });
}
static void softmax(Pool& pool, Softmax& call, Precision precision) {
  with_micro_kernel(precision, [&](auto kernel) { softmax_with<decltype(kernel)>(pool, call); });
}

extern const KernelTable table;
const KernelTable table = {.name = ELMAN_TEXT(ELMAN_ISA),
                           .has_bf16_instruction = kHasBf16Instruction,
                           .has_tiles = kHasTiles,
#define ELMAN_ENTRY(kernel, ...) .kernel = kernel,
                           ELMAN_KERNELS(ELMAN_ENTRY)
#undef ELMAN_ENTRY
};

}  // namespace elman::ELMAN_ISA
