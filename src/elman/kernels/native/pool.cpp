#include "pool.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace elman {

namespace {

constexpr int kSpinsForJob = 20000;    // about 100 µs to 1 ms: longer than the Python code between two kernels
constexpr int kSpinsForOthers = 4000;  // then sleep: another thread may need this processor
constexpr size_t kHugePage = size_t{2} << 20;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// For AddressSanitizer: the part of a buffer that the current kernel did not ask for is out of bounds, and the part
// that it did ask for is NaN, as its contents are not specified.
inline void mark_in_use([[maybe_unused]] float* data, [[maybe_unused]] size_t used, [[maybe_unused]] size_t floats) {
#if defined(__SANITIZE_ADDRESS__)
  if (!data) return;
  ASAN_UNPOISON_MEMORY_REGION(data, floats * sizeof(float));
  std::memset(data, 0xff, used * sizeof(float));
  ASAN_POISON_MEMORY_REGION(data + used, (floats - used) * sizeof(float) + 64);
#endif
}

struct Process {
  std::mutex mutex;
  std::unique_ptr<Pool> pool;
  int threads = 1;
};

Process* process() {
  static Process* one = [] {
    // A forked child has none of the threads: it makes a pool of its own and never frees the parent's.
    pthread_atfork([] { process()->mutex.lock(); }, [] { process()->mutex.unlock(); },
                   [] {
                     Process* p = process();
                     (void)p->pool.release();
                     p->mutex.unlock();
                   });
    return new Process;
  }();
  return one;
}

}  // namespace

Pool::Buffer::~Buffer() { std::free(data); }

float* allocate(size_t floats) {
  const size_t bytes = floats * sizeof(float);
  const size_t unit = bytes >= 2 * kHugePage ? kHugePage : 64;
  const size_t whole = (bytes + unit - 1) / unit * unit;
  void* memory = std::aligned_alloc(unit, whole);
  if (!memory) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (unit == kHugePage) madvise(memory, whole, MADV_HUGEPAGE);
#endif
  return static_cast<float*>(memory);
}

float* Pool::reserve(Buffer& buffer, long at_least) {
  const size_t floats = static_cast<size_t>(at_least);
  if (buffer.floats < floats) {
    std::free(buffer.data);
    buffer.data = nullptr;
    buffer.floats = 0;
    buffer.data = allocate(floats + 16);
    buffer.floats = floats;
  }
  mark_in_use(buffer.data, floats, buffer.floats);
  return buffer.data;
}

void Pool::start() {
  threads_.reserve(static_cast<size_t>(size_ - 1));
  for (int thread = 1 + static_cast<int>(threads_.size()); thread < size_; ++thread)
    threads_.emplace_back([this, thread] { worker(thread); });
}

Pool::~Pool() {
  ending_.store(true);
  job_.fetch_add(1);
  wake();
  for (auto& thread : threads_) thread.join();
}

// Spins, then sleeps. What `done` reads, what is written before `wake`, and the number of sleepers are sequentially
// consistent: either the sleeper sees the change, or the waker sees the sleeper.
template <class Done>
void Pool::wait(int spins, Done&& done) {
  for (; spins > 0; --spins) {
    if (done()) return;
    relax();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  changed_.wait(lock, done);
  sleepers_.fetch_sub(1);
}

void Pool::wake() {
  if (sleepers_.load() == 0) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
  }  // a thread that is about to sleep does so first
  changed_.notify_all();
}

void Pool::worker(int thread) {
  for (uint64_t seen = 0;; ++seen) {
    wait(kSpinsForJob, [&] { return job_.load() != seen; });
    if (ending_.load()) return;
    (*work_)(thread);
    if (running_.fetch_sub(1) == 1) wake();
  }
}

void Pool::run(const std::function<void(int)>& work) {
  if (size_ == 1) {
    work(0);
    return;
  }
  if (threads_.size() + 1 < static_cast<size_t>(size_)) start();  // an earlier start may have failed halfway
  work_ = &work;
  running_.store(size_ - 1);
  job_.fetch_add(1);
  wake();
  work(0);
  wait(kSpinsForOthers, [&] { return running_.load() == 0; });
}

void Pool::barrier() {
  if (size_ == 1) return;
  const uint64_t before = passed_.load();
  if (arrived_.fetch_add(1) == size_ - 1) {
    arrived_.store(0);
    passed_.fetch_add(1);
    wake();
    return;
  }
  wait(kSpinsForOthers, [&] { return passed_.load() != before; });
}

PoolLease::PoolLease() : lock_(process()->mutex) {
  Process* p = process();
  if (!p->pool) p->pool = std::make_unique<Pool>(p->threads);
  pool_ = p->pool.get();
}

void set_threads(int threads) {
  Process* p = process();
  std::lock_guard<std::mutex> lock(p->mutex);
  if (threads != p->threads) p->pool.reset();
  p->threads = threads < 1 ? 1 : threads;
}

int get_threads() {
  std::lock_guard<std::mutex> lock(process()->mutex);
  return process()->threads;
}

}  // namespace elman
