#include "dispatch.h"

#include <unistd.h>

#include <atomic>

#if defined(ELMAN_X86) && defined(__linux__)
#include <cpuid.h>
#include <dlfcn.h>
#include <sys/syscall.h>
#define ELMAN_LINUX_X86
#endif

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
#if defined(ELMAN_AMX)
namespace avx512_bf16_amx { extern const KernelTable table; }
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

#if defined(ELMAN_LINUX_X86)
// Whether the processor has matrix tiles with bfloat16 products, and the system saves their registers.
bool processor_has_tiles() {
  unsigned a, b, c, d;
  constexpr unsigned kSavesRegisters = 1u << 27, kBf16 = 1u << 22, kTiles = 1u << 24, kConfiguration = 1u << 17,
                     kData = 1u << 18;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kSavesRegisters)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kBf16) || !(d & kTiles)) return false;
  unsigned saved, high;
  asm("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  return (saved & kConfiguration) && (saved & kData);
}

// A process asks once for the registers of tiles, which are 8 KiB a thread. The system may refuse.
bool tiles_are_permitted() {
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
  static const bool permitted = processor_has_tiles() && syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return permitted;
}

// Whether the tests' emulator of tiles is loaded (tests/support/tile_emulator.cpp). A processor with tiles executes some
// of the instructions even where the system refuses the others: there is nothing to emulate there.
bool tiles_are_emulated() { return !processor_has_tiles() && dlsym(RTLD_DEFAULT, "elman_tile_emulator") != nullptr; }
#endif
#if defined(ELMAN_AMX)
bool has_amx() { return has_avx512_bf16() && tiles_are_permitted(); }
#endif

struct InstructionSet {
  const KernelTable* kernels;
  bool (*supported)();
};

// The best first. CMakeLists.txt says which ones were compiled, and with what flags.
const InstructionSet kInstructionSets[] = {
#if defined(ELMAN_AMX)
    {&avx512_bf16_amx::table, has_amx},
#endif
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
#if defined(ELMAN_AMX)
  if (has_avx512_bf16() && tiles_are_emulated()) tables.push_back(&avx512_bf16_amx::table);  // slow: never a default
#endif
  return tables;
}

std::atomic<const KernelTable*> in_use{nullptr};

// Tiles are fast. AMD's cores multiply pairs of bfloat16 in the time of a float32 product. Intel's without AMX take four
// times as long (measured: docs/measured.md); rounded operands and float32 products are faster there.
bool bf16_instruction_is_fast() {
  if (current().has_tiles) return true;
#if defined(ELMAN_X86)
  __builtin_cpu_init();
  return __builtin_cpu_is("amd");
#else
  return false;
#endif
}

std::atomic<int> use_bf16_instruction{-1};  // -1: where it is fast

}  // namespace

std::vector<std::string> compiled() {
  std::vector<std::string> names;
  for (const InstructionSet& each : kInstructionSets) names.emplace_back(each.kernels->name);
  return names;
}

Tiles tiles() {
#if defined(ELMAN_LINUX_X86)
  if (processor_has_tiles()) return tiles_are_permitted() ? Tiles::permitted : Tiles::refused;
#endif
  return Tiles::none;
}

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
  const int use = use_bf16_instruction.load();
  return use < 0 ? bf16_instruction_is_fast() : use != 0;
}

long second_level_cache() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return 1 << 20;
}

}  // namespace elman
