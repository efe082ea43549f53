#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "queue/job_store.hpp"

namespace reelfarm::page {

/// A few connections to the farm's Redis that the page's threads share, made when they are first needed. However many
/// clients ask, no more than these ask Redis at once. Thread-safe.
class StorePool {
 public:
  explicit StorePool(queue::StoreOptions options, std::size_t max = 4);

  /// A store for as long as it lives.
  class Loan {
   public:
    Loan(StorePool& pool, std::unique_ptr<queue::JobStore> store) : pool_(&pool), store_(std::move(store)) {}
    ~Loan();
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&&) = delete;
    queue::JobStore& operator*() { return *store_; }
    queue::JobStore* operator->() { return store_.get(); }

   private:
    StorePool* pool_;
    std::unique_ptr<queue::JobStore> store_;
  };

  /// Throws http::Refusal 503 when all have been taken for 10 s, or Redis cannot be reached.
  Loan borrow();

 private:
  queue::StoreOptions options_;
  std::size_t max_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<queue::JobStore>> free_;
  std::size_t made_ = 0;
};

}  // namespace reelfarm::page
