// Matrix tiles (Intel AMX: AMX-TILE and AMX-BF16) in software, so that the machine code of the kernels runs on a
// processor without them. Loaded into a process (ctypes, or LD_PRELOAD), this library handles SIGILL: it decodes the
// tile instruction at the fault, executes it with the registers of the faulting thread, and steps over it. What a
// processor would refuse (tiles that are not configured, shapes that do not fit) ends the process with a sentence.
//
// The dispatch of the kernels offers the tile instruction set where it finds the symbol `elman_tile_emulator`.
//
// Encodings, checks and rounding are those of the Intel 64 and IA-32 Architectures Software Developer's Manual, volume
// 2, the pages of each instruction, and its exception classes AMX-E1 to AMX-E6.
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// Of AddressSanitizer, where the process has it: whether memory is out of bounds.
extern "C" void* __asan_region_is_poisoned(void* begin, size_t size) __attribute__((weak));

namespace {

constexpr int kTiles = 8, kRows = 16, kBytes = 64;  // of palette 1

struct Tile {
  int rows, columns;  // as configured; columns in bytes
  alignas(64) uint8_t data[kRows][kBytes];
};

struct State {
  bool configured;
  Tile tile[kTiles];
};

thread_local State state;

// How many instructions were executed, of all threads.
enum Count { kTraps, kConfigurations, kReleases, kZeros, kLoads, kStores, kProducts, kLoadedBytes, kStoredBytes, kCounts };
std::atomic<uint64_t> counts[kCounts];
void count(Count what, uint64_t by = 1) { counts[what].fetch_add(by, std::memory_order_relaxed); }

[[noreturn]] void refuse(const char* instruction, const char* why) {
  char text[256];
  const int size = std::snprintf(text, sizeof text, "tile emulator: %s: %s\n", instruction, why);
  if (write(STDERR_FILENO, text, static_cast<size_t>(size)) < 0) std::abort();
  std::abort();
}

void require(bool holds, const char* instruction, const char* why) {
  if (!holds) refuse(instruction, why);
}

void require_memory(const void* memory, size_t bytes, const char* instruction) {
  if (&__asan_region_is_poisoned && __asan_region_is_poisoned(const_cast<void*>(memory), bytes))
    refuse(instruction, "memory is out of bounds (AddressSanitizer)");
}

Tile& configured(int number, const char* instruction) {
  require(state.configured, instruction, "tiles are not configured, or were released");
  require(number < kTiles, instruction, "no such tile");
  Tile& tile = state.tile[number];
  require(tile.rows > 0 && tile.columns > 0, instruction, "a tile is not configured");
  return tile;
}

// One instruction: 3-byte VEX prefix, opcode, ModRM byte, and what follows it.
class Instruction {
 public:
  explicit Instruction(const greg_t* registers)
      : registers_(registers), at_(reinterpret_cast<const uint8_t*>(registers[REG_RIP])) {
    // VEX.128.0F38.W0: C4, inverted R X B and map 2, then W, inverted vvvv, L and the prefix
    if (at_[0] != 0xc4 || (at_[1] & 0x1f) != 2 || (at_[2] & 0x84) != 0) return;
    prefix = at_[2] & 3, opcode = at_[3];
    second = ~at_[2] >> 3 & 15;
    mode_ = at_[4] >> 6, reg = (at_[4] >> 3 & 7) | extended(7), rm = at_[4] & 7;
    in_memory = mode_ != 3;
    if (!in_memory) rm |= extended(5);
    else decode_address();
  }

  int prefix = -1, opcode = -1;  // of the prefix: 0 none, 1 66, 2 F3, 3 F2
  int reg = 0, rm = 0, second = 0;
  bool in_memory = false, with_stride = false;
  int length = 5;
  uint8_t* address = nullptr;
  int64_t stride = 0;  // of a tile in memory: the index register times its scale

 private:
  int extended(int bit) const { return (at_[1] >> bit & 1) ? 0 : 8; }
  int64_t value(int number) const {
    static constexpr int kNames[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                     REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return registers_[kNames[number]];
  }
  void decode_address() {
    int64_t base = 0;
    bool wide = mode_ == 2;  // a displacement of 32 bits
    if (rm == 4) {
      with_stride = true;
      const int scale = at_[5] >> 6, index = (at_[5] >> 3 & 7) | extended(6), low = at_[5] & 7;
      if (index != 4) stride = value(index) * (int64_t{1} << scale);
      if (mode_ == 0 && low == 5) wide = true;
      else base = value(low | extended(5));
      length = 6;
    } else if (mode_ == 0 && rm == 5) {
      wide = true;
      base = reinterpret_cast<int64_t>(at_) + 9;  // relative to the next instruction
    } else {
      base = value(rm | extended(5));
    }
    if (wide) {
      int32_t displacement;
      std::memcpy(&displacement, at_ + length, 4);
      base += displacement, length += 4;
    } else if (mode_ == 1) {
      base += static_cast<int8_t>(at_[length]), length += 1;
    }
    address = reinterpret_cast<uint8_t*>(base);
  }

  const greg_t* registers_;
  const uint8_t* at_;
  int mode_ = 0;
};

void load_configuration(const uint8_t* from) {
  constexpr const char* kName = "ldtilecfg";
  require_memory(from, 64, kName);
  State made{};
  made.configured = from[0] != 0;
  require(from[0] <= 1, kName, "the palette must be 0 or 1");
  if (made.configured) {
    for (int i = 1; i < 16; ++i) require(from[i] == 0, kName, "a reserved byte is not 0");
    for (int i = 32; i < 48; ++i) require(from[i] == 0, kName, "palette 1 has 8 tiles");
    for (int i = 56; i < 64; ++i) require(from[i] == 0, kName, "palette 1 has 8 tiles");
    for (int i = 0; i < kTiles; ++i) {
      Tile& tile = made.tile[i];
      tile.columns = from[16 + 2 * i] | from[17 + 2 * i] << 8, tile.rows = from[48 + i];
      require(tile.columns <= kBytes && tile.rows <= kRows, kName, "a tile is larger than 16 rows of 64 bytes");
      require((tile.columns == 0) == (tile.rows == 0), kName, "a tile has rows or columns, but not both");
    }
  }
  state = made;
  count(kConfigurations);
}

void store_configuration(uint8_t* to) {
  require_memory(to, 64, "sttilecfg");
  std::memset(to, 0, 64);
  if (!state.configured) return;
  to[0] = 1;
  for (int i = 0; i < kTiles; ++i)
    to[16 + 2 * i] = static_cast<uint8_t>(state.tile[i].columns), to[48 + i] = static_cast<uint8_t>(state.tile[i].rows);
}

void load(const Instruction& at) {
  Tile& tile = configured(at.reg, "tileloadd");
  require(at.with_stride, "tileloadd", "the address has no SIB byte");
  std::memset(tile.data, 0, sizeof tile.data);
  for (int row = 0; row < tile.rows; ++row) {
    const uint8_t* from = at.address + row * at.stride;
    require_memory(from, static_cast<size_t>(tile.columns), "tileloadd");
    std::memcpy(tile.data[row], from, static_cast<size_t>(tile.columns));
  }
  count(kLoads), count(kLoadedBytes, static_cast<uint64_t>(tile.rows * tile.columns));
}

void store(const Instruction& at) {
  const Tile& tile = configured(at.reg, "tilestored");
  require(at.with_stride, "tilestored", "the address has no SIB byte");
  for (int row = 0; row < tile.rows; ++row) {
    uint8_t* to = at.address + row * at.stride;
    require_memory(to, static_cast<size_t>(tile.columns), "tilestored");
    std::memcpy(to, tile.data[row], static_cast<size_t>(tile.columns));
  }
  count(kStores), count(kStoredBytes, static_cast<uint64_t>(tile.rows * tile.columns));
}

float from_bf16(const uint8_t* at) {
  const uint8_t bytes[4] = {0, 0, at[0], at[1]};
  float x;
  std::memcpy(&x, bytes, 4);
  return x;
}

// TDPBF16PS as the manual has it: for each row of the first operand, the products of the even numbers of the pairs and
// those of the odd numbers are added up separately, from 0 on, in the order of k, each step one fused multiply-add. The
// two sums are added, and their sum to the destination. Denormals, of operands and results, count as zero
// (`on_illegal_instruction` sets MXCSR so); rounding is to nearest, ties to even.
void multiply(int into, int left, int right) {
  constexpr const char* kName = "tdpbf16ps";
  Tile &c = configured(into, kName), &a = configured(left, kName), &b = configured(right, kName);
  require(into != left && into != right && left != right, kName, "two operands are the same tile");
  require(a.columns % 4 == 0 && b.columns % 4 == 0 && c.columns % 4 == 0, kName, "a row is not whole pairs");
  require(c.rows == a.rows, kName, "the result and the first operand differ in rows");
  require(c.columns == b.columns, kName, "the result and the second operand differ in columns");
  require(a.columns / 4 == b.rows, kName, "the rows of the second operand are not the pairs of the first");
  float even_of[kRows][kRows], odd_of[kRows][kRows];  // of the second operand
  for (int k = 0; k < kRows; ++k)
    for (int n = 0; n < kRows; ++n)
      even_of[k][n] = from_bf16(b.data[k] + 4 * n), odd_of[k][n] = from_bf16(b.data[k] + 4 * n + 2);
  const int columns = c.columns / 4;
  for (int m = 0; m < c.rows; ++m) {
    float even[kRows] = {}, odd[kRows] = {}, sum[kRows];
    for (int k = 0; k < b.rows; ++k) {
      const float first = from_bf16(a.data[m] + 4 * k), second = from_bf16(a.data[m] + 4 * k + 2);
      for (int n = 0; n < kRows; ++n) {
        even[n] = __builtin_fmaf(first, even_of[k][n], even[n]);
        odd[n] = __builtin_fmaf(second, odd_of[k][n], odd[n]);
      }
    }
    std::memcpy(sum, c.data[m], kBytes);
    for (int n = 0; n < columns; ++n) {
      const float pairs = even[n] + odd[n];
      sum[n] = sum[n] + pairs;
    }
    std::memcpy(c.data[m], sum, static_cast<size_t>(c.columns));
  }
  count(kProducts);
}

// Executes the instruction at the registers' address and steps over it; false where it is none of tiles.
bool execute(greg_t* registers) {
  const Instruction at(registers);
  const bool of_configuration = at.opcode == 0x49, of_memory = at.opcode == 0x4b && at.in_memory;
  if (of_configuration && at.in_memory && at.reg == 0 && at.prefix == 0) {
    load_configuration(at.address);
  } else if (of_configuration && at.in_memory && at.reg == 0 && at.prefix == 1) {
    store_configuration(at.address);
  } else if (of_configuration && !at.in_memory && at.prefix == 0 && at.reg == 0 && at.rm == 0) {
    state = State{};
    count(kReleases);
  } else if (of_configuration && !at.in_memory && at.prefix == 3 && at.rm == 0) {
    std::memset(configured(at.reg, "tilezero").data, 0, kRows * kBytes);
    count(kZeros);
  } else if (of_memory && (at.prefix == 3 || at.prefix == 1)) {  // tileloadd, tileloaddt1
    load(at);
  } else if (of_memory && at.prefix == 2) {
    store(at);
  } else if (at.opcode == 0x5c && !at.in_memory && at.prefix == 2) {
    multiply(at.reg, at.rm, at.second);
  } else {
    return false;
  }
  registers[REG_RIP] += at.length;
  return true;
}

struct sigaction before;

// Executes tile instructions as long as one follows another: a signal costs more than most of them.
void on_illegal_instruction(int, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const unsigned control = _mm_getcsr();
  _mm_setcsr(0x9fc0);  // no exceptions, to nearest, denormals are zero
  bool any = false;
  while (execute(registers)) any = true;
  _mm_setcsr(control);
  if (any) count(kTraps);
  else sigaction(SIGILL, &before, nullptr);  // the instruction faults again, as without this library
}

__attribute__((constructor)) void install() {
  struct sigaction action {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGILL, &action, &before);
}

}  // namespace

extern "C" {

extern const int elman_tile_emulator;
const int elman_tile_emulator = 1;

// Traps, configurations, releases, zeros, loads, stores, products, bytes loaded, bytes stored; then starts from 0.
void elman_tile_counts(uint64_t out[kCounts]) {
  for (int i = 0; i < kCounts; ++i) out[i] = counts[i].exchange(0);
}
}
