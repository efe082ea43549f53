#include "coordinator/page/store_pool.hpp"

#include "coordinator/http/errors.hpp"

namespace reelfarm::page {
namespace {

constexpr std::chrono::seconds kPatience{10};

}  // namespace

StorePool::StorePool(queue::StoreOptions options, std::size_t max) : options_(std::move(options)), max_(max) {}

StorePool::Loan StorePool::borrow() {
  {
    std::unique_lock lock(mutex_);
    if (!returned_.wait_for(lock, kPatience, [this] { return !free_.empty() || made_ < max_; })) {
      throw http::Refusal(503, "the farm is busy: try again");
    }
    if (!free_.empty()) {
      Loan loan(*this, std::move(free_.back()));
      free_.pop_back();
      return loan;
    }
    ++made_;
  }
  try {
    return {*this, std::make_unique<queue::JobStore>(options_)};
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    --made_;
    returned_.notify_one();
    throw http::Refusal(503, error.what());
  }
}

StorePool::Loan::~Loan() {
  if (!store_) return;
  const std::lock_guard lock(pool_->mutex_);
  pool_->free_.push_back(std::move(store_));
  pool_->returned_.notify_one();
}

}  // namespace reelfarm::page
