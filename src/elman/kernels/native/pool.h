// A persistent pool of threads. Work is split by thread number, never by who comes first, so that results do
// not change from run to run. Who waits spins for a moment, then sleeps.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace elman {

// Memory for so many floats, aligned to a cache line, in huge pages where it is large; for std::free.
float* allocate(size_t floats);

class Pool {
 public:
  explicit Pool(int threads) : size_(threads < 1 ? 1 : threads), buffers_(static_cast<size_t>(size_)) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }

  // work(thread) on every thread of the pool; returns when all are done.
  void run(const std::function<void(int)>& work);

  // Waits for all threads of the pool. Only inside `run`.
  void barrier();

  // At least `floats` floats of scratch memory, aligned to a cache line, kept from call to call. Each slot of
  // each owner is one buffer; asking again may move it. Owner -1 is shared: ask before `run`.
  float* scratch(int owner, int slot, size_t floats);

 private:
  struct Buffer {
    float* data = nullptr;
    size_t floats = 0;
    ~Buffer();
  };
  static constexpr int kSlots = 10;
  struct Slots {
    Buffer slot[kSlots];
  };

  void start();
  void worker(int thread);
  template <class Done>
  void wait(int spins, Done&& done);
  void wake();

  const int size_;
  std::vector<std::thread> threads_;
  const std::function<void(int)>* work_ = nullptr;
  alignas(64) std::atomic<uint64_t> job_{0};      // counts jobs: a worker begins when it changes
  alignas(64) std::atomic<int> running_{0};       // workers that are not done with the job
  alignas(64) std::atomic<int> arrived_{0};       // at the barrier
  alignas(64) std::atomic<uint64_t> passed_{0};   // barriers passed
  std::atomic<int> sleepers_{0};
  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slots> buffers_;
  Slots shared_;
};

// The pool of this process, of as many threads as were set; made at first use, and made anew after a fork.
// The lock is held while a kernel runs: two Python threads take turns.
class PoolLease {
 public:
  PoolLease();
  Pool& operator*() const { return *pool_; }

 private:
  std::unique_lock<std::mutex> lock_;
  Pool* pool_;
};

void set_threads(int threads);  // at least 1
int get_threads();

}  // namespace elman
