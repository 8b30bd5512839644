#include "dispatch.h"

#include <unistd.h>

#include <atomic>

namespace elman {

namespace portable { extern const Table table; }
#if defined(ELMAN_X86)
namespace avx2 { extern const Table table; }
namespace avx512 { extern const Table table; }
#if defined(ELMAN_AVX512_BF16)
namespace avx512_bf16 { extern const Table table; }
#endif
#endif

namespace {

std::vector<const Table*> tables() {
  std::vector<const Table*> found;
#if defined(ELMAN_X86)
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool wide = fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#if defined(ELMAN_AVX512_BF16)
  if (wide && __builtin_cpu_supports("avx512bf16")) found.push_back(&avx512_bf16::table);
#endif
  if (wide) found.push_back(&avx512::table);
  if (fma) found.push_back(&avx2::table);
#endif
  found.push_back(&portable::table);
  return found;
}

std::atomic<const Table*> in_use{nullptr};

// AMD's cores make a bfloat16 product of pairs in the time of a float32 one, Intel's without AMX take four times as
// long (measured: docs/measured.md), so there the rounded operands go through float32 multiply-adds.
bool paired16_is_fast() {
#if defined(ELMAN_X86)
  __builtin_cpu_init();
  return __builtin_cpu_is("amd");
#else
  return false;
#endif
}

std::atomic<int> paired16{-1};

}  // namespace

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const Table* table : tables()) names.emplace_back(table->name);
  return names;
}

const Table& current() {
  const Table* table = in_use.load();
  if (!table) in_use.store(table = tables().front());
  return *table;
}

bool choose(const std::string& name) {
  for (const Table* table : tables())
    if (name == table->name) {
      in_use.store(table);
      return true;
    }
  return false;
}

void set_paired16(bool yes) { paired16.store(yes); }

bool get_paired16() {
  if (paired16.load() < 0) paired16.store(paired16_is_fast());
  return paired16.load() != 0;
}

long second_level_cache() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return 1 << 20;
}

}  // namespace elman
