#include "dispatch.h"

#include <unistd.h>

#include <atomic>

namespace elman {

// clang-format off
namespace portable { extern const KernelTable table; }
#if defined(ELMAN_X86)
namespace avx2 { extern const KernelTable table; }
namespace avx512 { extern const KernelTable table; }
#endif
#if defined(ELMAN_AVX512_BF16)
namespace avx512_bf16 { extern const KernelTable table; }
#endif
// clang-format on

namespace {

#if defined(ELMAN_X86)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif
#if defined(ELMAN_AVX512_BF16)
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#endif
bool always() { return true; }

struct InstructionSet {
  const KernelTable* kernels;
  bool (*supported)();
};

// The best first. CMakeLists.txt says which ones were compiled, and with what flags.
const InstructionSet kInstructionSets[] = {
#if defined(ELMAN_AVX512_BF16)
    {&avx512_bf16::table, has_avx512_bf16},
#endif
#if defined(ELMAN_X86)
    {&avx512::table, has_avx512},
    {&avx2::table, has_avx2},
#endif
    {&portable::table, always},
};

std::vector<const KernelTable*> supported() {
#if defined(ELMAN_X86)
  __builtin_cpu_init();
#endif
  std::vector<const KernelTable*> tables;
  for (const InstructionSet& each : kInstructionSets)
    if (each.supported()) tables.push_back(each.kernels);
  return tables;
}

std::atomic<const KernelTable*> in_use{nullptr};

// AMD's cores multiply pairs of bfloat16 in the time of a float32 product. Intel's without AMX take four times as long
// (measured: docs/measured.md); rounded operands and float32 products are faster there.
bool bf16_instruction_is_fast() {
#if defined(ELMAN_X86)
  __builtin_cpu_init();
  return __builtin_cpu_is("amd");
#else
  return false;
#endif
}

std::atomic<int> use_bf16_instruction{-1};  // -1: not decided yet

}  // namespace

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const KernelTable* table : supported()) names.emplace_back(table->name);
  return names;
}

const KernelTable& current() {
  const KernelTable* table = in_use.load();
  if (!table) in_use.store(table = supported().front());
  return *table;
}

bool choose(const std::string& name) {
  for (const KernelTable* table : supported())
    if (name == table->name) {
      in_use.store(table);
      return true;
    }
  return false;
}

void set_bf16_instruction(bool use) { use_bf16_instruction.store(use); }

bool get_bf16_instruction() {
  if (use_bf16_instruction.load() < 0) use_bf16_instruction.store(bf16_instruction_is_fast());
  return use_bf16_instruction.load() != 0;
}

long second_level_cache() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return 1 << 20;
}

}  // namespace elman
