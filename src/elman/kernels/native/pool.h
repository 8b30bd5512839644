// A persistent pool of threads, with scratch memory. Work is divided by thread number, never by which thread comes
// first, so that results are the same from run to run. A waiting thread spins for a moment, then sleeps.
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

// Memory for this many floats, aligned to a cache line, and in huge pages where it is large. The caller frees it with
// std::free.
float* allocate(size_t floats);

class Pool {
 public:
  explicit Pool(int threads) : size_(threads < 1 ? 1 : threads), own_(static_cast<size_t>(size_)) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }

  // work(thread) on every thread of the pool; returns when all are done.
  void run(const std::function<void(int)>& work);

  // Waits for all threads of the pool. Only inside `run`.
  void barrier();

  // Scratch memory, aligned to a cache line and kept from call to call. Only one kernel runs at a time, so every kernel
  // uses the same buffers under names of its own: an enumeration of those that its threads share, and one of those that
  // each thread has for itself, both with `count` as their last name.
  //
  // `reserve_…` makes a buffer of at least so many floats; it may move it, and is called before `run`. What the buffer
  // holds afterwards is not specified.
  template <class Name>
  float* reserve_shared(Name name, long floats) {
    return reserve(shared_.buffer[index(name)], floats);
  }
  template <class Name>
  void reserve_own(int thread, Name name, long floats) {
    reserve(own_[static_cast<size_t>(thread)].buffer[index(name)], floats);
  }
  template <class Name>
  void reserve_own(Name name, long floats) {
    for (int thread = 0; thread < size_; ++thread) reserve_own(thread, name, floats);
  }
  template <class Name>
  float* own(int thread, Name name) const {
    return own_[static_cast<size_t>(thread)].buffer[index(name)].data;
  }

 private:
  struct Buffer {
    float* data = nullptr;
    size_t floats = 0;
    ~Buffer();
  };
  static constexpr int kBuffers = 8;
  struct Buffers {
    Buffer buffer[kBuffers];
  };
  template <class Name>
  static constexpr int index(Name name) {
    static_assert(static_cast<int>(Name::count) <= kBuffers);
    return static_cast<int>(name);
  }
  static float* reserve(Buffer& buffer, long floats);

  void start();
  void worker(int thread);
  template <class Done>
  void wait(int spins, Done&& done);
  void wake();

  const int size_;
  std::vector<std::thread> threads_;
  const std::function<void(int)>* work_ = nullptr;
  alignas(64) std::atomic<uint64_t> job_{0};     // the number of jobs so far: a worker begins when it changes
  alignas(64) std::atomic<int> running_{0};      // workers that have not finished the job
  alignas(64) std::atomic<int> arrived_{0};      // at the barrier
  alignas(64) std::atomic<uint64_t> passed_{0};  // barriers passed
  std::atomic<int> sleepers_{0};
  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Buffers> own_;
  Buffers shared_;
};

// The right to use this process's pool. The pool is made at its first use, with the number of threads that was set, and
// made again after a fork. A kernel runs while it holds the lease: Python threads take turns.
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
