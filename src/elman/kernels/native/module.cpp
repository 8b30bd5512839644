// The Python module elman.kernels._native. It checks shapes, releases the interpreter lock and calls the kernels. The
// caller, native_kernels.py, checks types and shapes before, and raises the errors that users see.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "dispatch.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace elman {
namespace {

// Arrays in C order, in memory of the host, by their number of axes; of any number where that is not given.
template <class Number, int axes>
using Array = nb::ndarray<Number, nb::ndim<axes>, nb::c_contig, nb::device::cpu>;
template <int axes>
using Floats = Array<float, axes>;
template <int axes>
using ConstFloats = Array<const float, axes>;
template <int axes>
using Doubles = Array<double, axes>;
template <int axes>
using ConstDoubles = Array<const double, axes>;
template <int axes>
using Ids = Array<int64_t, axes>;
template <int axes>
using ConstIds = Array<const int64_t, axes>;
using AnyFloats = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using AnyConstFloats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;

using Shape = std::initializer_list<long>;

template <class A>
long length(const A& array, size_t axis) {
  return static_cast<long>(array.shape(axis));
}

template <class Sizes>
std::string text_of(const Sizes& sizes) {
  std::string text;
  for (const long size : sizes) text += (text.empty() ? "" : ",") + std::to_string(size);
  return "[" + text + "]";
}

template <class A>
std::vector<long> shape_of(const A& array) {
  std::vector<long> shape;
  for (size_t axis = 0; axis < array.ndim(); ++axis) shape.push_back(length(array, axis));
  return shape;
}

template <class A>
void expect_shape(const char* name, const A& array, Shape expected) {
  bool same = array.ndim() == expected.size();
  for (size_t axis = 0; same && axis < array.ndim(); ++axis) same = length(array, axis) == expected.begin()[axis];
  if (!same)
    throw std::invalid_argument(std::string(name) + " has shape " + text_of(shape_of(array)) + ", expected " +
                                text_of(expected));
}

template <class A, class B>
void expect_same_shape(const char* name, const A& array, const B& other) {
  const std::vector<long> given = shape_of(array), expected = shape_of(other);
  if (given != expected)
    throw std::invalid_argument(std::string(name) + " has shape " + text_of(given) + ", expected " + text_of(expected));
}

void expect_at_least(const char* name, long given, long least) {
  if (given < least)
    throw std::invalid_argument(std::string(name) + " is " + std::to_string(given) + ", expected at least " +
                                std::to_string(least));
}

// Every id is in [0, count).
template <class A>
void expect_ids(const char* name, const A& ids, long count) {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids.data()[i] < 0 || ids.data()[i] >= count)
      throw std::invalid_argument(std::string(name) + " contains " + std::to_string(ids.data()[i]) +
                                  ", expected numbers from 0 to " + std::to_string(count - 1));
}

void expect_activation(int activation) {
  if (activation < kSigmoid || activation > kRelu)
    throw std::invalid_argument("activation is " + std::to_string(activation) +
                                ", expected 0 (sigmoid), 1 (tanh) or 2 (relu)");
}

Precision precision(bool bf16) { return bf16 ? Precision::bfloat16 : Precision::float32; }

// Whether the threads of a recurrence share its hidden units: where the packed W_h would not stay in one core's cache,
// or where a thread would have only few sequences. (On tiles a barrier each step was slower for a large W_h too.)
bool by_units(long B, long Dh, int threads, bool bf16) {
  if (threads == 1) return false;
  if (bf16 && get_bf16_instruction() && current().has_tiles) return B < 4 * threads && Dh >= 256;
  const long bytes = Dh * Dh * (bf16 && get_bf16_instruction() ? 2 : 4);
  return bytes > second_level_cache() * 6 / 10 || (B < 4 * threads && Dh >= 256);
}

// An array that begins at a cache line. A large array of NumPy's does not, and each of its vectors lies across two
// lines.
nb::ndarray<nb::numpy, float> allocated(const std::vector<size_t>& shape) {
  size_t floats = 1;
  for (const size_t each : shape) floats *= each;
  float* data = allocate(floats);
  const nb::capsule owner(data, [](void* memory) noexcept { std::free(memory); });
  return nb::ndarray<nb::numpy, float>(data, shape.size(), shape.data(), owner);
}

void product(ConstFloats<2> a, ConstFloats<2> b, Floats<2> out, bool a_transposed, bool b_transposed, nb::object bias,
             bool bf16) {
  const long M = length(a, a_transposed ? 1 : 0), K = length(a, a_transposed ? 0 : 1);
  const long N = length(b, b_transposed ? 0 : 1);
  if (b_transposed) expect_shape("b", b, {N, K});
  else expect_shape("b", b, {K, N});
  expect_shape("out", out, {M, N});
  Product call{.a = a.data(),
               .b = b.data(),
               .out = out.data(),
               .M = M,
               .N = N,
               .K = K,
               .a_transposed = a_transposed,
               .b_transposed = b_transposed,
               .bias = nullptr};
  if (!bias.is_none()) {
    const auto row = nb::cast<ConstFloats<1>>(bias);
    expect_shape("bias", row, {N});
    call.bias = row.data();
  }
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().product(*pool, call, precision(bf16));
}

void recurrence(ConstFloats<2> u, ConstFloats<2> W_h, ConstFloats<2> h_0, nb::object rows, Floats<3> h, int activation,
                bool bf16) {
  const long T = length(h, 0) - 1, B = length(h, 1), Dh = length(h, 2);
  expect_at_least("T", T, 1);
  expect_shape("W_h", W_h, {Dh, Dh});
  expect_shape("h_0", h_0, {B, Dh});
  expect_activation(activation);
  Recurrence call{.u = u.data(),
                  .W_h = W_h.data(),
                  .h_0 = h_0.data(),
                  .rows = nullptr,
                  .h = h.data(),
                  .T = T,
                  .B = B,
                  .Dh = Dh,
                  .activation = activation,
                  .by_units = false};
  if (rows.is_none()) {
    expect_shape("u", u, {T * B, Dh});
  } else {
    const auto ids = nb::cast<ConstIds<2>>(rows);
    expect_shape("u", u, {length(u, 0), Dh});
    expect_shape("rows", ids, {T, B});
    expect_ids("rows", ids, length(u, 0));
    call.rows = ids.data();
  }
  nb::gil_scoped_release release;
  const PoolLease pool;
  call.by_units = by_units(B, Dh, (*pool).size(), bf16);
  current().recurrence(*pool, call, precision(bf16));
}

void recurrence_gradient(ConstFloats<3> dh, ConstFloats<3> h, ConstFloats<2> W_h, Floats<3> dz, int activation,
                         double limit, bool bf16) {
  const long T = length(dh, 0), B = length(dh, 1), Dh = length(dh, 2);
  expect_at_least("T", T, 1);
  expect_shape("h", h, {T + 1, B, Dh});
  expect_shape("W_h", W_h, {Dh, Dh});
  expect_shape("dz", dz, {T, B, Dh});
  expect_activation(activation);
  RecurrenceGradient call{.dh = dh.data(),
                          .h = h.data(),
                          .W_h = W_h.data(),
                          .dz = dz.data(),
                          .T = T,
                          .B = B,
                          .Dh = Dh,
                          .activation = activation,
                          .by_units = false,
                          .limit = static_cast<float>(limit)};
  nb::gil_scoped_release release;
  const PoolLease pool;
  call.by_units = by_units(B, Dh, (*pool).size(), bf16);
  current().recurrence_gradient(*pool, call, precision(bf16));
}

// Returns how many blocks of the gradient were left out, and of how many.
nb::tuple softmax(ConstFloats<2> h, ConstFloats<2> U, ConstFloats<1> b_2, ConstIds<1> y, Doubles<1> J, nb::object dh,
                  nb::object dU, nb::object db_2, double scale, double skip_below, bool bf16) {
  const long N = length(h, 0), Dh = length(h, 1), V = length(U, 0);
  expect_at_least("N", N, 1);
  expect_at_least("V", V, 1);
  expect_shape("U", U, {V, Dh});
  expect_shape("b_2", b_2, {V});
  expect_shape("y", y, {N});
  expect_shape("J", J, {N});
  expect_ids("y", y, V);
  Softmax call{.h = h.data(),
               .U = U.data(),
               .b_2 = b_2.data(),
               .y = y.data(),
               .J = J.data(),
               .dh = nullptr,
               .dU = nullptr,
               .db_2 = nullptr,
               .N = N,
               .V = V,
               .Dh = Dh,
               .scale = scale,
               .skip_below = skip_below,
               .skipped = 0,
               .blocks = 0};
  if (!dh.is_none()) {
    const auto out = nb::cast<Floats<2>>(dh);
    expect_shape("dh", out, {N, Dh});
    call.dh = out.data();
  }
  if (!dU.is_none()) {
    if (!call.dh) throw std::invalid_argument("dh is None, expected an array where dU is one");
    const auto out = nb::cast<Floats<2>>(dU);
    const auto out_b_2 = nb::cast<Floats<1>>(db_2);
    expect_shape("dU", out, {V, Dh});
    expect_shape("db_2", out_b_2, {V});
    call.dU = out.data(), call.db_2 = out_b_2.data();
  }
  {
    nb::gil_scoped_release release;
    const PoolLease pool;
    current().softmax(*pool, call, precision(bf16));
  }
  return nb::make_tuple(call.skipped, call.blocks);
}

// directions: by name, as in kernels.h; grams: of W_h and W_e.
void contributions(ConstFloats<3> dh, ConstFloats<3> derivative, ConstDoubles<1> derivative_exponent,
                   ConstFloats<2> W_h, ConstFloats<2> W_e, double W_h_exponent, double W_e_exponent,
                   const std::vector<AnyConstFloats>& directions, const std::vector<ConstDoubles<3>>& grams,
                   Doubles<3> log2_norms, Doubles<3> cosines) {
  const long T = length(dh, 0), B = length(dh, 1), Dh = length(dh, 2), d = length(W_e, 1);
  for (const long size : {T, B, Dh, d}) expect_at_least("a size (T, B, Dh or d)", size, 1);
  expect_shape("derivative", derivative, {T, B, Dh});
  expect_shape("derivative_exponent", derivative_exponent, {T});
  expect_shape("W_h", W_h, {Dh, Dh});
  expect_shape("W_e", W_e, {Dh, d});
  expect_shape("log2_norms", log2_norms, {kNames, T, T});
  expect_shape("cosines", cosines, {kNames, T, T});
  if (directions.size() != kNames || grams.size() != 2)
    throw std::invalid_argument(std::to_string(directions.size()) + " directions and " + std::to_string(grams.size()) +
                                " grams are given, expected 5 and 2");
  Contributions call{.dh = dh.data(),
                     .derivative = derivative.data(),
                     .derivative_exponent = derivative_exponent.data(),
                     .W_h = W_h.data(),
                     .W_e = W_e.data(),
                     .W_h_exponent = W_h_exponent,
                     .W_e_exponent = W_e_exponent,
                     .directions = {},
                     .grams = {},
                     .log2_norms = log2_norms.data(),
                     .cosines = cosines.data(),
                     .T = T,
                     .B = B,
                     .Dh = Dh,
                     .d = d};
  for (size_t name = 0; name < kNames; ++name) {
    if (name == kNameB_1) expect_shape("the direction of b_1", directions[name], {Dh});
    else expect_shape("a direction", directions[name], {T, B, Dh});
    call.directions[name] = directions[name].data();
  }
  for (size_t k = 0; k < 2; ++k) {
    expect_shape("a gram", grams[k], {T, B, B});
    call.grams[k] = grams[k].data();
  }
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().contributions(*pool, call);
}

// False where |γ| passes the limit.
bool state_gradient(ConstDoubles<3> derivative, ConstFloats<2> W_h, Doubles<3> gamma, Doubles<3> dz, double limit) {
  const long T = length(gamma, 0), B = length(gamma, 1), Dh = length(gamma, 2);
  expect_at_least("T", T, 1);
  expect_shape("W_h", W_h, {Dh, Dh});
  expect_shape("derivative", derivative, {T, B, Dh});
  expect_shape("dz", dz, {T, B, Dh});
  const StateGradient call{.derivative = derivative.data(),
                           .W_h = W_h.data(),
                           .gamma = gamma.data(),
                           .dz = dz.data(),
                           .T = T,
                           .B = B,
                           .Dh = Dh,
                           .limit = limit};
  nb::gil_scoped_release release;
  const PoolLease pool;
  return current().state_gradient(*pool, call);
}

double sum_of_squares(AnyConstFloats x) {
  nb::gil_scoped_release release;
  const PoolLease pool;
  return current().sum_of_squares(*pool, x.data(), static_cast<long>(x.size()));
}

void step(AnyFloats w, AnyConstFloats g, nb::object m, nb::object v, nb::object rows, float rate, float scale,
          float beta_1, float beta_2, float eps) {
  Update call{.w = w.data(),
              .g = g.data(),
              .m = nullptr,
              .v = nullptr,
              .rows = nullptr,
              .n = 1,
              .width = static_cast<long>(w.size()),
              .rate = rate,
              .scale = scale,
              .beta_1 = beta_1,
              .beta_2 = beta_2,
              .eps = eps};
  if (!m.is_none()) {
    const auto moment = nb::cast<AnyFloats>(m), second = nb::cast<AnyFloats>(v);
    expect_same_shape("m", moment, w);
    expect_same_shape("v", second, w);
    call.m = moment.data(), call.v = second.data();
  }
  if (rows.is_none()) {
    expect_same_shape("g", g, w);
  } else {
    const auto ids = nb::cast<ConstIds<1>>(rows);
    if (w.ndim() != 2)
      throw std::invalid_argument("w has " + std::to_string(w.ndim()) + " axes, expected 2 where rows are given");
    expect_shape("g", g, {length(ids, 0), length(w, 1)});
    expect_ids("rows", ids, length(w, 0));
    call.rows = ids.data(), call.n = length(ids, 0), call.width = length(w, 1);
  }
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().update(*pool, call);
}

void sum_rows(ConstFloats<2> values, ConstIds<1> order, ConstIds<1> start, Floats<2> out) {
  const long N = length(values, 0), rows = length(out, 0), width = length(out, 1);
  expect_shape("values", values, {N, width});
  expect_shape("order", order, {N});
  expect_shape("start", start, {rows + 1});
  expect_ids("order", order, N);
  expect_ids("start", start, N + 1);
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().sum_rows(*pool, values.data(), order.data(), start.data(), rows, width, out.data());
}

void sum_columns(ConstFloats<2> x, Floats<1> out) {
  expect_shape("out", out, {length(x, 1)});
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().sum_columns(*pool, x.data(), length(x, 0), length(x, 1), out.data());
}

// Writes the distinct ids, rising, to `index` and returns their number n. inverse[i] says which of them ids[i] is; the
// positions of the k-th are order[start[k] .. start[k+1]), rising.
long group(ConstIds<1> ids, long V, Ids<1> order, Ids<1> start, Ids<1> index, Ids<1> inverse) {
  const long N = length(ids, 0);
  expect_at_least("V", V, 1);
  expect_shape("order", order, {N});
  expect_shape("start", start, {N + 1});
  expect_shape("index", index, {N});
  expect_shape("inverse", inverse, {N});
  expect_ids("ids", ids, V);
  std::vector<int64_t> next(static_cast<size_t>(V) + 1), rank(static_cast<size_t>(V));
  for (long i = 0; i < N; ++i) ++next[static_cast<size_t>(ids.data()[i]) + 1];
  long n = 0;
  for (size_t id = 0; id < static_cast<size_t>(V); ++id) {
    if (next[id + 1]) {
      rank[id] = n;
      index.data()[n] = static_cast<int64_t>(id);
      start.data()[n++] = next[id];
    }
    next[id + 1] += next[id];
  }
  start.data()[n] = N;
  for (long i = 0; i < N; ++i) {
    const auto id = static_cast<size_t>(ids.data()[i]);
    inverse.data()[i] = rank[id];
    order.data()[next[id]++] = i;
  }
  return n;
}

// A model's weights, packed for the instruction set in use when it was made.
class Generator {
 public:
  Generator(ConstFloats<2> inputs, ConstFloats<2> W_h, ConstFloats<2> U, ConstFloats<1> b_2, int activation)
      : kernels_(current()), V_(length(U, 0)), Dh_(length(U, 1)), activation_(activation) {
    expect_at_least("V", V_, 1);
    expect_at_least("Dh", Dh_, 1);
    expect_shape("inputs", inputs, {V_, Dh_});
    expect_shape("W_h", W_h, {Dh_, Dh_});
    expect_shape("b_2", b_2, {V_});
    expect_activation(activation);
    inputs_.assign(inputs.data(), inputs.data() + inputs.size());
    b_2_.assign(b_2.data(), b_2.data() + b_2.size());
    W_h_.resize(static_cast<size_t>(kernels_.packed_size(Dh_, Dh_)));
    U_.resize(static_cast<size_t>(kernels_.packed_size(Dh_, V_)));
    kernels_.pack_transposed(W_h.data(), Dh_, Dh_, W_h_.data());
    kernels_.pack_transposed(U.data(), Dh_, V_, U_.data());
  }

  void draw(Floats<1> h, int64_t token, ConstDoubles<1> uniform, Ids<1> tokens, double temperature, long top_k,
            double top_p, long banned) {
    expect_token(token);
    expect_shape("h", h, {Dh_});
    expect_shape("tokens", tokens, {length(uniform, 0)});
    const Draw call{.h = h.data(),
                    .token = token,
                    .uniform = uniform.data(),
                    .tokens = tokens.data(),
                    .n = length(tokens, 0),
                    .temperature = temperature,
                    .top_p = top_p,
                    .top_k = top_k,
                    .banned = banned};
    nb::gil_scoped_release release;
    const PoolLease pool;
    kernels_.draw(*pool, model(), call);
  }

  void draw_each(Floats<2> h, ConstIds<1> tokens, ConstDoubles<1> uniform, ConstDoubles<1> temperature,
                 ConstIds<1> top_k, ConstDoubles<1> top_p, ConstIds<1> banned, Ids<1> drawn) {
    const long B = length(tokens, 0);
    for (long b = 0; b < B; ++b) expect_token(tokens.data()[b]);
    expect_shape("h", h, {B, Dh_});
    expect_shape("uniform", uniform, {B});
    expect_shape("temperature", temperature, {B});
    expect_shape("top_k", top_k, {B});
    expect_shape("top_p", top_p, {B});
    expect_shape("banned", banned, {B});
    expect_shape("drawn", drawn, {B});
    const DrawEach call{.h = h.data(),
                        .tokens = tokens.data(),
                        .uniform = uniform.data(),
                        .drawn = drawn.data(),
                        .temperature = temperature.data(),
                        .top_p = top_p.data(),
                        .top_k = top_k.data(),
                        .banned = banned.data(),
                        .B = B};
    nb::gil_scoped_release release;
    const PoolLease pool;
    kernels_.draw_each(*pool, model(), call);
  }

 private:
  GeneratorModel model() const {
    return {.inputs = inputs_.data(),
            .W_h = W_h_.data(),
            .U = U_.data(),
            .b_2 = b_2_.data(),
            .V = V_,
            .Dh = Dh_,
            .activation = activation_};
  }

  void expect_token(int64_t token) const {
    if (token < 0 || token >= V_)
      throw std::invalid_argument("token is " + std::to_string(token) + ", expected a number from 0 to " +
                                  std::to_string(V_ - 1));
  }

  const KernelTable& kernels_;
  const long V_, Dh_;
  const int activation_;
  std::vector<float> inputs_, W_h_, U_, b_2_;
};

void map(int what, AnyConstFloats x, AnyFloats y) {
  expect_same_shape("y", y, x);
  if (what < 0 || what > 2)
    throw std::invalid_argument("what is " + std::to_string(what) + ", expected 0 (exp), 1 (sigmoid) or 2 (tanh)");
  current().vector_function(static_cast<VectorFunction>(what), x.data(), y.data(), static_cast<long>(x.size()));
}

}  // namespace
}  // namespace elman

NB_MODULE(_native, m) {
  using namespace elman;
  m.def("allocate", &allocated, "shape"_a);
  m.def("compiled", &compiled);
  m.def("available", &available);
  m.def("tiles", [] { return tiles() == Tiles::none ? "none" : tiles() == Tiles::refused ? "refused" : "permitted"; });
  m.def("current", [] { return std::string(current().name); });
  m.def("choose", &choose, "name"_a);
  m.def("has_bf16_instruction", [] { return current().has_bf16_instruction; });
  m.def("get_bf16_instruction", &get_bf16_instruction);
  m.def("set_bf16_instruction", &set_bf16_instruction, "use"_a);
  m.def("get_threads", &get_threads);
  m.def("set_threads", &set_threads, "threads"_a);
  m.def("product", &product, "a"_a, "b"_a, "out"_a, "a_transposed"_a, "b_transposed"_a, "bias"_a.none(), "bf16"_a);
  m.def("recurrence", &recurrence, "u"_a, "W_h"_a, "h_0"_a, "rows"_a.none(), "h"_a, "activation"_a, "bf16"_a);
  m.def("recurrence_gradient", &recurrence_gradient, "dh"_a, "h"_a, "W_h"_a, "dz"_a, "activation"_a, "limit"_a,
        "bf16"_a);
  m.def("softmax", &softmax, "h"_a, "U"_a, "b_2"_a, "y"_a, "J"_a, "dh"_a.none(), "dU"_a.none(), "db_2"_a.none(),
        "scale"_a, "skip_below"_a, "bf16"_a);
  m.def("contributions", &contributions, "dh"_a, "derivative"_a, "derivative_exponent"_a, "W_h"_a, "W_e"_a,
        "W_h_exponent"_a, "W_e_exponent"_a, "directions"_a, "grams"_a, "log2_norms"_a, "cosines"_a);
  m.def("state_gradient", &state_gradient, "derivative"_a, "W_h"_a, "gamma"_a, "dz"_a, "limit"_a);
  m.def("sum_of_squares", &sum_of_squares, "x"_a);
  m.def("step", &step, "w"_a, "g"_a, "m"_a.none(), "v"_a.none(), "rows"_a.none(), "rate"_a, "scale"_a, "beta_1"_a,
        "beta_2"_a, "eps"_a);
  m.def("sum_rows", &sum_rows, "values"_a, "order"_a, "start"_a, "out"_a);
  m.def("sum_columns", &sum_columns, "x"_a, "out"_a);
  m.def("group", &group, "ids"_a, "V"_a, "order"_a, "start"_a, "index"_a, "inverse"_a);
  m.def("map", &map, "what"_a, "x"_a, "y"_a);
  nb::class_<Generator>(m, "Generator")
      .def(nb::init<ConstFloats<2>, ConstFloats<2>, ConstFloats<2>, ConstFloats<1>, int>(), "inputs"_a, "W_h"_a, "U"_a,
           "b_2"_a, "activation"_a)
      .def("draw", &Generator::draw, "h"_a, "token"_a, "uniform"_a, "tokens"_a, "temperature"_a, "top_k"_a, "top_p"_a,
           "banned"_a)
      .def("draw_each", &Generator::draw_each, "h"_a, "tokens"_a, "uniform"_a, "temperature"_a, "top_k"_a, "top_p"_a,
           "banned"_a, "drawn"_a);
}
