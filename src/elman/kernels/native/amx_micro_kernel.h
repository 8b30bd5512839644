// The micro-kernel of matrix tiles: Intel AMX, with operands in bfloat16.
//
// A tile register has 16 rows of 64 bytes. TDPBF16PS adds the product of a tile of A (16 rows, 16 lanes of pairs) and a
// tile of B (16 lanes, 16 columns) to a tile of sums, in 16 cycles; loading a tile takes 8. So 2 x 2 tiles of sums, with
// 2 loads of A and 2 of B for 4 products, keep the multiplier busy, and four sums hide its latency of 52 cycles. Tiles
// with few rows cost as much as full ones.
//
// The instructions are written as assembly: GCC 12's `_tile_loadconfig` says that it reads 8 bytes, so that the rest of
// the configuration is optimised away, and its `_tile_loadd` does not say that it reads memory.
// tests/kernels/test_tiles.py runs this code on processors without AMX.
#pragma once

#if defined(__AMX_TILE__) && defined(__AMX_BF16__)
#include "micro_kernel.h"

namespace elman::ELMAN_ISA {

namespace amx {

constexpr long kTileRows = 16, kTileLanes = 16, kTileColumns = 16;

// Tiles 0 to 7, each of 16 rows of 64 bytes.
struct Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[8] = {64, 64, 64, 64, 64, 64, 64, 64}, no_row_bytes[8] = {};
  uint8_t rows[8] = {16, 16, 16, 16, 16, 16, 16, 16}, no_rows[8] = {};
};
static_assert(sizeof(Configuration) == 64);

// The tiles of a thread: configured as long as this lives. A thread whose tiles are in their initial state costs the
// system nothing at a change of threads, and lets the core sleep deeply.
class Session {
 public:
  Session() {
    alignas(64) static constexpr Configuration kConfiguration;
    asm volatile("ldtilecfg %0" ::"m"(kConfiguration));
  }
  ~Session() { asm volatile("tilerelease" ::: "memory"); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

template <int tile>
static inline void zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}
// 16 rows of 16 floats or pairs, `stride` bytes apart.
template <int tile>
static inline void load(const float* from, long stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
static inline void store(float* to, long stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(tile) : "memory");
}
template <int sums, int left, int right>
static inline void multiply_add() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(left), "i"(right));
}

// Calls work with 0, 1, … as constants.
template <class Work, int... index>
static inline void each(std::integer_sequence<int, index...>, Work&& work) {
  (work(std::integral_constant<int, index>{}), ...);
}
template <int count, class Work>
static inline void each(Work&& work) {
  each(std::make_integer_sequence<int, count>{}, work);
}

}  // namespace amx

// Rows of the left operand and of the sums are read and written in groups of 16: memory must be there for whole groups.
// What is in the rows past the last one does not matter, as rows do not mix.
struct AmxMicroKernel {
  using Prec = PairedBf16;
  static constexpr int kRows = 2 * amx::kTileRows, kRowGroup = amx::kTileRows;
  static constexpr int kColumns = 2 * amx::kTileColumns;
  static constexpr int kLaneGroup = amx::kTileLanes;
  static constexpr bool kLeftByRows = true;
  using Session = amx::Session;

  static constexpr int panels_together(int rows) { return rows <= amx::kTileRows ? 2 : 1; }

  template <Left left>
  static void run(int rows, int columns, const Tile& tile) {
    static_assert(left == Left::by_rows);
    run_with(rows, columns, tile, [] {});
  }

  // The same, with a call of `between` for every 16 lanes: work in vectors that the core does while it multiplies tiles.
  // a_step: floats from 16 lanes of A to the next 16.
  template <class Between>
  [[gnu::always_inline]] static inline void run_with(int rows, int columns, const Tile& tile, Between&& between,
                                                     long a_step = kLaneGroup) {
    if (rows > amx::kTileRows) {
      if (columns == kColumns) block<2, 2>(tile, between, a_step);
      else block<2, 1>(tile, between, a_step);
    } else {
      if (columns > kColumns) block<1, 4>(tile, between, a_step);
      else if (columns == kColumns) block<1, 2>(tile, between, a_step);
      else block<1, 1>(tile, between, a_step);
    }
  }

 private:
  // Tiles 0 to 3 are sums; A's and B's follow. A tile of B is overwritten when its products are under way.
  template <int down, int across, class Between>
  [[gnu::always_inline]] static inline void block(const Tile& tile, Between&& between, long a_step) {
    constexpr int kLeft = 4, kRight = kLeft + down, kRightTiles = 8 - kRight;
    constexpr long kPanelColumns = across == 1 ? amx::kTileColumns : kColumns;
    const float *a = tile.a, *b = tile.b;
    const long a_stride = tile.a_stride, out_stride = tile.out_stride, lanes = tile.lanes,
               panel_stride = tile.panel_stride;
    float* out = tile.out;
    const auto sums_at = [&](int s) {
      return out + s / across * amx::kTileRows * out_stride + s % across * amx::kTileColumns;
    };
    if (tile.add) amx::each<down * across>([&](auto s) { amx::load<s>(sums_at(s), out_stride * 4); });
    else amx::each<down * across>([&](auto s) { amx::zero<s>(); });
    for (long k = 0; k < lanes; k += amx::kTileLanes, a += a_step) {
      amx::each<down>([&](auto i) { amx::load<kLeft + i>(a + i * amx::kTileRows * a_stride, a_stride * 4); });
      amx::each<across>([&](auto j) {
        constexpr int kTile = kRight + j % kRightTiles;
        amx::load<kTile>(b + j / 2 * panel_stride + k * kPanelColumns + j % 2 * amx::kTileColumns, kPanelColumns * 4);
        amx::each<down>([&](auto i) { amx::multiply_add<i * across + j, kLeft + i, kTile>(); });
      });
      between();
    }
    amx::each<down * across>([&](auto s) { amx::store<s>(sums_at(s), out_stride * 4); });
  }
};

}  // namespace elman::ELMAN_ISA
#endif
