// Tile instructions in an order of their own, for the tests of the emulator: prints numbers, or is refused.
#include <cstdint>
#include <cstdio>
#include <cstring>

struct Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

static void configure(const Configuration& c) { asm volatile("ldtilecfg %0" ::"m"(c)); }
static Configuration tiles(int rows, int pairs, int columns) {  // 0: sums, 1 and 2: operands
  Configuration c;
  c.rows[0] = c.rows[1] = static_cast<uint8_t>(rows), c.rows[2] = static_cast<uint8_t>(pairs);
  c.row_bytes[0] = c.row_bytes[2] = static_cast<uint16_t>(4 * columns), c.row_bytes[1] = static_cast<uint16_t>(4 * pairs);
  return c;
}
static uint32_t pair(uint16_t even, uint16_t odd) { return even | static_cast<uint32_t>(odd) << 16; }
static void print(const float* x, int n) {
  for (int i = 0; i < n; ++i) std::printf("%a ", static_cast<double>(x[i]));
  std::printf("\n");
}

constexpr uint16_t kOne = 0x3f80, kTwo = 0x4000, kThree = 0x4040, kDenormal = 0x0001, kSmall = 0x3300;  // 2^-25

// [2,4] = [2,3 pairs] [3 pairs,4], with every form of address.
static void product() {
  configure(tiles(2, 3, 4));
  uint32_t a[2][5], b[3][8];
  for (int k = 0; k < 3; ++k) {
    a[0][k] = pair(kOne, kTwo), a[1][k] = pair(kThree, kOne);
    for (int n = 0; n < 4; ++n) b[k][n] = pair(n == k ? kOne : 0, n == 3 ? kOne : 0);
  }
  float c[2][6] = {{1, 1, 1, 1, -1, -1}, {2, 2, 2, 2, -2, -2}};
  register const void* a_at asm("r12") = &a[0][0] - 25;
  register long a_stride asm("r13") = sizeof a[0] / 4;
  register const void* b_at asm("rbx") = reinterpret_cast<const char*>(b) - 4;
  register long b_stride asm("r9") = sizeof b[0];
  asm volatile("tileloadd (%0,%1,1), %%tmm0" ::"r"(&c[0][0]), "r"(sizeof c[0]) : "memory");
  asm volatile("tileloadd 100(%0,%1,4), %%tmm1" ::"r"(a_at), "r"(a_stride) : "memory");
  asm volatile("tileloaddt1 4(%0,%1,1), %%tmm2" ::"r"(b_at), "r"(b_stride) : "memory");
  asm volatile("tdpbf16ps %tmm2, %tmm1, %tmm0");
  register char* to asm("r13") = reinterpret_cast<char*>(&c[0][0]) - 4096;
  asm volatile("tilestored %%tmm0, 4096(%0,%1,2)" ::"r"(to), "r"(sizeof c[0] / 2) : "memory");
  print(c[0], 6), print(c[1], 6);
  Configuration now;
  asm volatile("sttilecfg %0" : "=m"(now));
  std::printf("%d %d\n", now.rows[1], now.row_bytes[2]);
}

// Rounding: a denormal counts as 0; sums of even and of odd numbers are rounded apart, then together, then added.
static void rounding() {
  configure(tiles(1, 2, 1));
  const uint32_t cases[][4] = {{pair(kDenormal, 0), 0, pair(kOne, kOne), pair(kOne, kOne)},
                               {pair(kOne, kSmall), pair(kSmall, 0), pair(kOne, kOne), pair(kOne, kOne)},
                               {pair(kSmall, kOne), pair(kSmall, kSmall), pair(kOne, kOne), pair(kOne, kOne)}};
  for (const auto& x : cases) {
    float c = 0;
    asm volatile("tilezero %tmm0");
    asm volatile("tileloadd (%0,%1,1), %%tmm1" ::"r"(x), "r"(64l) : "memory");
    asm volatile("tileloadd (%0,%1,1), %%tmm2" ::"r"(x + 2), "r"(4l) : "memory");
    asm volatile("tdpbf16ps %tmm2, %tmm1, %tmm0");
    asm volatile("tilestored %%tmm0, (%0,%1,1)" ::"r"(&c), "r"(64l) : "memory");
    print(&c, 1);
  }
}

int main(int, char** argv) {
  const auto is = [&](const char* name) { return std::strcmp(argv[1], name) == 0; };
  if (is("product")) product();
  if (is("rounding")) rounding();
  if (is("unconfigured")) asm volatile("tilezero %tmm0");
  if (is("released")) {
    configure(tiles(2, 3, 4));
    asm volatile("tilerelease");
    asm volatile("tilezero %tmm0");
  }
  if (is("shapes")) {
    Configuration c = tiles(2, 3, 4);
    c.rows[2] = 4;
    configure(c);
    asm volatile("tdpbf16ps %tmm2, %tmm1, %tmm0");
  }
  if (is("same")) {
    configure(tiles(2, 2, 2));
    asm volatile(".byte 0xc4, 0xe2, 0x72, 0x5c, 0xc1");  // tdpbf16ps %tmm1, %tmm1, %tmm0: the assembler refuses it
  }
  if (is("too large")) configure(tiles(17, 2, 2));
  if (is("no tile")) {
    configure(tiles(2, 2, 2));
    asm volatile("tilezero %tmm3");
  }
  if (is("other")) asm volatile("ud2");
}
