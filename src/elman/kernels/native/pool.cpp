#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace elman {

namespace {

constexpr int kSpinsBeforeSleep = 20000;  // about 100 µs to 1 ms: longer than the Python between two kernels
constexpr int kSpinsBeforeYield = 4000;   // in case there are fewer free processors than threads
constexpr size_t kHugePage = size_t{2} << 20;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// For AddressSanitizer: where an earlier call needed more than this one, the rest is out of bounds, and what it left
// in the part in use becomes NaN, as no call may count on it.
inline void fence([[maybe_unused]] float* data, [[maybe_unused]] size_t used, [[maybe_unused]] size_t floats) {
#if defined(__SANITIZE_ADDRESS__)
  if (!used) return;  // asks for the place alone
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
    // A forked child has none of the threads: it begins anew, and the parent's pool is left as it lies.
    pthread_atfork(
        [] { process()->mutex.lock(); }, [] { process()->mutex.unlock(); },
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

float* Pool::scratch(int owner, int slot, size_t floats) {
  Buffer& buffer = (owner < 0 ? shared_ : buffers_[static_cast<size_t>(owner)]).slot[slot];
  if (buffer.floats < floats) {
    std::free(buffer.data);
    buffer.data = nullptr;
    buffer.floats = 0;
    const size_t bytes = floats * sizeof(float) + 64;
    const size_t unit = bytes >= 2 * kHugePage ? kHugePage : 64;
    const size_t whole = (bytes + unit - 1) / unit * unit;
    buffer.data = static_cast<float*>(std::aligned_alloc(unit, whole));
    if (!buffer.data) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (unit == kHugePage) madvise(buffer.data, whole, MADV_HUGEPAGE);
#endif
    buffer.floats = floats;
  }
  fence(buffer.data, floats, buffer.floats);
  return buffer.data;
}

void Pool::start() {
  threads_.reserve(static_cast<size_t>(size_ - 1));
  for (int thread = 1 + static_cast<int>(threads_.size()); thread < size_; ++thread)
    threads_.emplace_back([this, thread] { worker(thread); });
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    job_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Pool::worker(int thread) {
  uint64_t seen = 0;
  for (;;) {
    for (int spins = 0; job_.load(std::memory_order_acquire) == seen; ++spins) {
      if (spins < kSpinsBeforeSleep) {
        relax();
        continue;
      }
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return job_.load(std::memory_order_acquire) != seen; });
    }
    seen = job_.load(std::memory_order_acquire);
    if (ending_) return;
    (*work_)(thread);
    running_.fetch_sub(1, std::memory_order_release);
  }
}

void Pool::run(const std::function<void(int)>& work) {
  if (size_ == 1) {
    work(0);
    return;
  }
  if (threads_.size() + 1 < static_cast<size_t>(size_)) start();  // some may be there: an earlier start may have failed
  work_ = &work;
  running_.store(size_ - 1, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  work(0);
  for (int spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpinsBeforeYield) relax();
    else sched_yield();
  }
}

void Pool::barrier() {
  if (size_ == 1) return;
  const uint64_t before = passed_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    passed_.fetch_add(1, std::memory_order_release);
    return;
  }
  for (int spins = 0; passed_.load(std::memory_order_acquire) == before; ++spins) {
    if (spins < kSpinsBeforeYield) relax();
    else sched_yield();
  }
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
