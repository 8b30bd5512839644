// The Python module elman.kernels._native. It checks shapes once more, lets go of the interpreter lock and calls
// the kernels; the friendly checks and the choice of types are in native_backend.py.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <stdexcept>

#include "dispatch.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace elman {
namespace {

template <int axes>
using Floats = nb::ndarray<float, nb::ndim<axes>, nb::c_contig, nb::device::cpu>;
template <int axes>
using Read = nb::ndarray<const float, nb::ndim<axes>, nb::c_contig, nb::device::cpu>;
template <int axes>
using Doubles = nb::ndarray<const double, nb::ndim<axes>, nb::c_contig, nb::device::cpu>;
using Tables = nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Flat = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using ReadFlat = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Ids = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

template <class A>
long length(const A& array, size_t axis) {
  return static_cast<long>(array.shape(axis));
}

Precision precision(bool bf16) { return bf16 ? Precision::bfloat16 : Precision::float32; }

// By units where the packed W_h would not stay in the core's own cache, or where a thread had only few sequences.
bool by_units(long B, long Dh, int threads, bool bf16) {
  if (threads == 1) return false;
  const long bytes = Dh * Dh * (bf16 && get_paired16() ? 2 : 4);
  return bytes > second_level_cache() * 6 / 10 || (B < 4 * threads && Dh >= 256);
}

// An array that begins at a cache line, which a large one of NumPy's does not: each vector would lie across two.
nb::ndarray<nb::numpy, float> allocated(const std::vector<size_t>& shape) {
  size_t floats = 1;
  for (const size_t each : shape) floats *= each;
  float* data = allocate(floats);
  const nb::capsule owner(data, [](void* memory) noexcept { std::free(memory); });
  return nb::ndarray<nb::numpy, float>(data, shape.size(), shape.data(), owner);
}

void product(Read<2> a, Read<2> b, Floats<2> out, bool a_transposed, bool b_transposed, nb::object bias, bool bf16) {
  const long M = length(a, a_transposed ? 1 : 0), K = length(a, a_transposed ? 0 : 1);
  const long N = length(b, b_transposed ? 0 : 1);
  require(length(b, b_transposed ? 1 : 0) == K && length(out, 0) == M && length(out, 1) == N, "product: shapes differ");
  const float* added = nullptr;
  if (!bias.is_none()) {
    const auto row = nb::cast<Read<1>>(bias);
    require(length(row, 0) == N, "product: bias");
    added = row.data();
  }
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().product(*pool, {a.data(), b.data(), out.data(), M, N, K, a_transposed, b_transposed, added}, precision(bf16));
}

void require_ids(const int64_t* ids, size_t count, long below) {
  for (size_t i = 0; i < count; ++i) require(ids[i] >= 0 && ids[i] < below, "an id is out of range");
}
void require_ids(const Ids& ids, long below) { require_ids(ids.data(), ids.size(), below); }

void recurrence(Read<2> u, Read<2> W_h, Read<2> h_0, nb::object rows, Floats<3> h, int activation, bool bf16) {
  const long T = length(h, 0) - 1, B = length(h, 1), Dh = length(h, 2);
  require(length(W_h, 0) == Dh && length(W_h, 1) == Dh && length(h_0, 0) == B && length(h_0, 1) == Dh, "recurrence: shapes");
  require(T >= 1 && length(u, 1) == Dh, "recurrence: u");
  require(activation >= 0 && activation <= 2, "recurrence: activation");
  Recurrence call{u.data(), W_h.data(), h_0.data(), nullptr, h.data(), T, B, Dh, activation, false};
  if (rows.is_none()) {
    require(length(u, 0) == T * B, "recurrence: u");
  } else {
    const auto ids = nb::cast<nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>>(rows);
    require(length(ids, 0) == T && length(ids, 1) == B, "recurrence: rows");
    require_ids(ids.data(), ids.size(), length(u, 0));
    call.rows = ids.data();
  }
  nb::gil_scoped_release release;
  const PoolLease pool;
  call.by_units = by_units(B, Dh, (*pool).size(), bf16);
  current().recurrence(*pool, call, precision(bf16));
}

void recurrence_gradient(Read<3> dh, Read<3> h, Read<2> W_h, Floats<3> dz, int activation, double cut,
                         bool bf16) {
  const long T = length(dh, 0), B = length(dh, 1), Dh = length(dh, 2);
  require(T >= 1 && length(h, 0) == T + 1 && length(h, 1) == B && length(h, 2) == Dh, "recurrence_gradient: h");
  require(length(W_h, 0) == Dh && length(W_h, 1) == Dh, "recurrence_gradient: W_h");
  require(length(dz, 0) == T && length(dz, 1) == B && length(dz, 2) == Dh, "recurrence_gradient: dz");
  require(activation >= 0 && activation <= 2, "recurrence_gradient: activation");
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().recurrence_gradient(
      *pool,
      {dh.data(), h.data(), W_h.data(), dz.data(), T, B, Dh, activation, by_units(B, Dh, (*pool).size(), bf16),
       static_cast<float>(cut)},
      precision(bf16));
}

// Returns how many blocks of the gradient were left out, and of how many.
std::pair<long, long> softmax(Read<2> h, Read<2> U, Read<1> b_2, Ids y, nb::ndarray<double, nb::ndim<1>, nb::c_contig> J,
                              nb::object dh, nb::object dU, nb::object db_2, double scale, double skip_below, bool bf16) {
  const long N = length(h, 0), Dh = length(h, 1), V = length(U, 0);
  require(N >= 1 && V >= 1 && length(U, 1) == Dh && length(b_2, 0) == V && length(y, 0) == N && length(J, 0) == N,
          "softmax: shapes");
  require_ids(y, V);
  Softmax call{h.data(), U.data(), b_2.data(), y.data(), J.data(), nullptr, nullptr, nullptr, N, V, Dh, scale, skip_below, 0, 0};
  if (!dh.is_none()) {
    const auto dh_ = nb::cast<Floats<2>>(dh);
    require(length(dh_, 0) == N && length(dh_, 1) == Dh, "softmax: dh");
    call.dh = dh_.data();
  }
  if (!dU.is_none()) {
    const auto dU_ = nb::cast<Floats<2>>(dU);
    const auto db_2_ = nb::cast<Floats<1>>(db_2);
    require(call.dh && length(dU_, 0) == V && length(dU_, 1) == Dh && length(db_2_, 0) == V, "softmax: gradients");
    call.dU = dU_.data(), call.db_2 = db_2_.data();
  }
  {
    nb::gil_scoped_release release;
    const PoolLease pool;
    current().softmax(*pool, call, precision(bf16));
  }
  return {call.skipped, call.blocks};
}

// along: W_h, W_e, b_1, e, h, as in kernels.h.
void contributions(Read<3> dh, Read<3> slope, Doubles<1> slope_exponent, Read<2> W_h, Read<2> W_e, double up_h, double up_e,
                   const std::vector<ReadFlat>& along, const std::vector<Doubles<3>>& grams, Tables log2_norms,
                   Tables cosines) {
  const long T = length(dh, 0), B = length(dh, 1), Dh = length(dh, 2), d = length(W_e, 1);
  const size_t all = dh.size();
  require(all > 0 && slope.size() == all && length(slope, 0) == T && length(slope, 1) == B, "contributions: slope");
  require(length(slope_exponent, 0) == T, "contributions: slope_exponent");
  require(length(W_h, 0) == Dh && length(W_h, 1) == Dh && length(W_e, 0) == Dh && d >= 1,
          "contributions: weights");
  require(along.size() == 5 && grams.size() == 2, "contributions: along, grams");
  Contributions call{dh.data(), slope.data(), slope_exponent.data(), W_h.data(), W_e.data(), up_h, up_e, {}, {},
                     log2_norms.data(), cosines.data(), T, B, Dh, d};
  for (size_t k = 0; k < 5; ++k) {
    require(along[k].size() == (k == 2 ? static_cast<size_t>(Dh) : all), "contributions: along");
    call.along[k] = along[k].data();
  }
  for (size_t k = 0; k < 2; ++k) {
    require(length(grams[k], 0) == T && length(grams[k], 1) == B && length(grams[k], 2) == B, "contributions: grams");
    call.grams[k] = grams[k].data();
  }
  for (const Tables& each : {log2_norms, cosines})
    require(length(each, 0) == 5 && length(each, 1) == T && length(each, 2) == T, "contributions: tables");
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().contributions(*pool, call);
}

// False where γ leaves [-limit, limit].
bool state_gradient(Doubles<3> slope, Read<2> W_h, Tables gamma, Tables dz, double limit) {
  const long T = length(gamma, 0), B = length(gamma, 1), Dh = length(gamma, 2);
  require(T >= 1 && length(W_h, 0) == Dh && length(W_h, 1) == Dh, "state_gradient: W_h");
  for (size_t axis = 0; axis < 3; ++axis)
    require(slope.shape(axis) == gamma.shape(axis) && dz.shape(axis) == gamma.shape(axis), "state_gradient: shapes differ");
  nb::gil_scoped_release release;
  const PoolLease pool;
  return current().state_gradient(*pool, {slope.data(), W_h.data(), gamma.data(), dz.data(), T, B, Dh, limit});
}

double sum_of_squares(ReadFlat x) {
  nb::gil_scoped_release release;
  const PoolLease pool;
  return current().sum_of_squares(*pool, x.data(), static_cast<long>(x.size()));
}

void step(Flat w, ReadFlat g, nb::object m, nb::object v, nb::object rows, float rate, float scale, float beta_1,
          float beta_2, float eps) {
  Step call{w.data(), g.data(), nullptr, nullptr, nullptr, 1, static_cast<long>(w.size()), rate, scale, beta_1, beta_2, eps};
  if (!m.is_none()) {
    const auto m_ = nb::cast<Flat>(m), v_ = nb::cast<Flat>(v);
    require(m_.size() == w.size() && v_.size() == w.size(), "step: moments");
    call.m = m_.data(), call.v = v_.data();
  }
  if (rows.is_none()) {
    require(g.size() == w.size(), "step: gradient");
  } else {
    const auto ids = nb::cast<Ids>(rows);
    require(w.ndim() == 2 && g.ndim() == 2 && g.shape(0) == ids.shape(0) && g.shape(1) == w.shape(1), "step: rows");
    require_ids(ids, length(w, 0));
    call.rows = ids.data(), call.n = length(ids, 0), call.width = length(w, 1);
  }
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().step(*pool, call);
}

void sum_rows(Read<2> values, Ids order, Ids start, Floats<2> out) {
  const long rows = length(out, 0), width = length(out, 1);
  require(length(values, 1) == width && length(start, 0) == rows + 1 && length(order, 0) == length(values, 0), "sum_rows");
  require_ids(order, length(values, 0));
  require_ids(start, length(values, 0) + 1);
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().sum_rows(*pool, values.data(), order.data(), start.data(), rows, width, out.data());
}

void sum_columns(Read<2> x, Floats<1> out) {
  require(length(x, 1) == length(out, 0), "sum_columns");
  nb::gil_scoped_release release;
  const PoolLease pool;
  current().sum_columns(*pool, x.data(), length(x, 0), length(x, 1), out.data());
}

// The ids that occur, rising, in index, and their count; which of them each of ids is, in inverse; the positions of the
// k-th in order[start[k] .. start[k+1]), rising.
using Written = nb::ndarray<int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
long group(Ids ids, long V, Written order, Written start, Written index, Written inverse) {
  const long N = length(ids, 0);
  require(length(order, 0) == N && length(start, 0) == N + 1 && length(index, 0) == N && length(inverse, 0) == N && V >= 1, "group");
  require_ids(ids, V);
  std::vector<int64_t> next(static_cast<size_t>(V) + 1), found(static_cast<size_t>(V));
  for (long i = 0; i < N; ++i) ++next[static_cast<size_t>(ids.data()[i]) + 1];
  long count = 0;
  for (size_t id = 0; id < static_cast<size_t>(V); ++id) {
    if (next[id + 1]) {
      found[id] = count;
      index.data()[count] = static_cast<int64_t>(id);
      start.data()[count++] = next[id];
    }
    next[id + 1] += next[id];
  }
  start.data()[count] = N;
  for (long i = 0; i < N; ++i) {
    const auto id = static_cast<size_t>(ids.data()[i]);
    inverse.data()[i] = found[id];
    order.data()[next[id]++] = i;
  }
  return count;
}

// Holds what generation reads, packed for the instruction set in use when it was made.
class Generator {
 public:
  Generator(Read<2> inputs, Read<2> W_h, Read<2> U, Read<1> b_2, int activation)
      : table_(current()), V_(length(U, 0)), Dh_(length(U, 1)), activation_(activation) {
    require(length(inputs, 0) == V_ && length(inputs, 1) == Dh_ && length(W_h, 0) == Dh_ && length(W_h, 1) == Dh_ &&
                length(b_2, 0) == V_ && V_ >= 1 && Dh_ >= 1,
            "Generator: shapes");
    require(activation >= 0 && activation <= 2, "Generator: activation");
    inputs_.assign(inputs.data(), inputs.data() + inputs.size());
    b_2_.assign(b_2.data(), b_2.data() + b_2.size());
    W_h_.resize(static_cast<size_t>(table_.packed_size(Dh_, Dh_)));
    U_.resize(static_cast<size_t>(table_.packed_size(Dh_, V_)));
    table_.pack_transposed(W_h.data(), Dh_, Dh_, W_h_.data());
    table_.pack_transposed(U.data(), Dh_, V_, U_.data());
  }

  void draw(Floats<1> h, int64_t token, nb::ndarray<const double, nb::ndim<1>, nb::c_contig> uniform,
            nb::ndarray<int64_t, nb::ndim<1>, nb::c_contig> tokens, double temperature, long top_k, double top_p, long banned) {
    require(token >= 0 && token < V_, "draw: the token is out of range");
    require(length(h, 0) == Dh_ && length(uniform, 0) == length(tokens, 0), "draw: shapes");
    const Decoder model{inputs_.data(), W_h_.data(), U_.data(), b_2_.data(), V_, Dh_, activation_};
    const Draw call{h.data(), token, uniform.data(), tokens.data(), length(tokens, 0), temperature, top_p, top_k, banned};
    nb::gil_scoped_release release;
    const PoolLease pool;
    table_.draw(*pool, model, call);
  }

 private:
  const Table& table_;
  const long V_, Dh_;
  const int activation_;
  std::vector<float> inputs_, W_h_, U_, b_2_;
};

void map(int what, ReadFlat x, Flat y) {
  require(x.size() == y.size() && what >= 0 && what <= 2, "map");
  current().map(what, x.data(), y.data(), static_cast<long>(x.size()));
}

}  // namespace
}  // namespace elman

NB_MODULE(_native, m) {
  using namespace elman;
  m.def("allocate", &allocated, "shape"_a);
  m.def("available", &available);
  m.def("current", [] { return std::string(current().name); });
  m.def("choose", &choose, "name"_a);
  m.def("has_paired16", [] { return current().paired16; });
  m.def("get_paired16", &get_paired16);
  m.def("set_paired16", &set_paired16, "yes"_a);
  m.def("get_threads", &get_threads);
  m.def("set_threads", &set_threads, "threads"_a);
  m.def("product", &product, "a"_a, "b"_a, "out"_a, "a_transposed"_a, "b_transposed"_a, "bias"_a.none(), "bf16"_a);
  m.def("recurrence", &recurrence, "u"_a, "W_h"_a, "h_0"_a, "rows"_a.none(), "h"_a, "activation"_a, "bf16"_a);
  m.def("recurrence_gradient", &recurrence_gradient);
  m.def("softmax", [](Read<2> h, Read<2> U, Read<1> b_2, Ids y, nb::ndarray<double, nb::ndim<1>, nb::c_contig> J, nb::object dh,
                      nb::object dU, nb::object db_2, double scale, double skip_below, bool bf16) {
    const auto [skipped, blocks] = softmax(h, U, b_2, y, J, dh, dU, db_2, scale, skip_below, bf16);
    return nb::make_tuple(skipped, blocks);
  }, "h"_a, "U"_a, "b_2"_a, "y"_a, "J"_a, "dh"_a.none(), "dU"_a.none(), "db_2"_a.none(), "scale"_a, "skip_below"_a, "bf16"_a);
  m.def("contributions", &contributions, "dh"_a, "slope"_a, "slope_exponent"_a, "W_h"_a, "W_e"_a, "up_h"_a, "up_e"_a,
        "along"_a, "grams"_a, "log2_norms"_a, "cosines"_a);
  m.def("state_gradient", &state_gradient, "slope"_a, "W_h"_a, "gamma"_a, "dz"_a, "limit"_a);
  m.def("sum_of_squares", &sum_of_squares);
  m.def("step", &step, "w"_a, "g"_a, "m"_a.none(), "v"_a.none(), "rows"_a.none(), "rate"_a, "scale"_a, "beta_1"_a,
        "beta_2"_a, "eps"_a);
  m.def("sum_rows", &sum_rows);
  m.def("sum_columns", &sum_columns);
  m.def("group", &group);
  m.def("map", &map);
  nb::class_<Generator>(m, "Generator")
      .def(nb::init<Read<2>, Read<2>, Read<2>, Read<1>, int>())
      .def("draw", &Generator::draw);
}
