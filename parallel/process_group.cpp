#include "parallel/process_group.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "parallel/copy_wide.hpp"
#include "parallel/errors.hpp"

namespace reelfarm::parallel {
namespace {

constexpr std::size_t kMaxDimensions = 8;

/// What a rank must know before it can receive a tensor.
struct TensorHeader {
  std::int64_t type = 0;
  std::int64_t dimensions = 0;
  std::array<std::int64_t, kMaxDimensions> sizes{};
};

TensorHeader header_of(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.dim() > static_cast<std::int64_t>(kMaxDimensions)) {
    throw std::invalid_argument("broadcast_tensor: expected a tensor of at most " + std::to_string(kMaxDimensions) +
                                " dimensions");
  }
  TensorHeader header{static_cast<std::int64_t>(tensor.scalar_type()), tensor.dim(), {}};
  for (std::int64_t i = 0; i < tensor.dim(); ++i) header.sizes[static_cast<std::size_t>(i)] = tensor.size(i);
  return header;
}

void require_peer(const ProcessGroup& group, int peer, const char* operation) {
  if (peer >= 0 && peer < group.size() && peer != group.rank()) return;
  throw std::invalid_argument(std::string(operation) + ": rank " + std::to_string(peer) + " is no peer of rank " +
                              std::to_string(group.rank()) + " in a group of " + std::to_string(group.size()));
}

void require_rows(const at::Tensor& tensor, const char* operation) {
  if (tensor.is_contiguous() || (tensor.dim() > 0 && tensor.numel() != 0 && tensor[0].is_contiguous())) return;
  throw std::invalid_argument(std::string(operation) + ": the rows of a tensor are not contiguous");
}

/// Gives what was received in one piece to the rows that it is for.
class ReceivingRows final : public Transfer {
 public:
  struct Part {
    at::Tensor rows;
    at::Tensor received;
  };
  ReceivingRows(std::unique_ptr<Transfer> transfer, std::vector<Part> parts)
      : transfer_(std::move(transfer)), parts_(std::move(parts)) {}

  void wait() override {
    transfer_->wait();
    for (const Part& part : parts_) copy_wide(part.rows, part.received);
    parts_.clear();
  }
  bool done() override { return transfer_->done(); }

 private:
  std::unique_ptr<Transfer> transfer_;
  std::vector<Part> parts_;
};

at::Tensor empty_of(const at::Tensor& like) {
  return at::empty(like.sizes(), like.options());
}

}  // namespace

std::unique_ptr<Transfer> ProcessGroup::exchange(std::vector<Send> sends, std::vector<Receive> receives,
                                                 const char* operation) {
  for (const Send& send : sends) {
    require_peer(*this, send.to, operation);
    require_rows(send.tensor, operation);
  }
  for (const Receive& receive : receives) {
    require_peer(*this, receive.from, operation);
    require_rows(receive.tensor, operation);
  }
  return exchange_rows(std::move(sends), std::move(receives), operation);
}

std::unique_ptr<Transfer> ProcessGroup::exchange_rows(std::vector<Send> sends, std::vector<Receive> receives,
                                                      const char* operation) {
  for (Send& send : sends) {
    if (send.tensor.is_contiguous()) continue;
    const at::Tensor rows = std::exchange(send.tensor, empty_of(send.tensor));
    copy_wide(send.tensor, rows);
  }
  std::vector<ReceivingRows::Part> apart;
  for (Receive& receive : receives) {
    if (receive.tensor.is_contiguous()) continue;
    apart.push_back({receive.tensor, empty_of(receive.tensor)});
    receive.tensor = apart.back().received;
  }
  auto transfer = post(std::move(sends), std::move(receives), operation);
  if (apart.empty()) return transfer;
  return std::make_unique<ReceivingRows>(std::move(transfer), std::move(apart));
}

std::vector<at::Tensor> ProcessGroup::symmetric_empty(const std::vector<std::int64_t>& counts,
                                                      const at::TensorOptions& options) {
  std::vector<at::Tensor> tensors;
  for (const std::int64_t count : counts) tensors.push_back(at::empty({count}, options));
  return tensors;
}

std::string ProcessGroup::broadcast_text(std::string text, int root) {
  std::uint64_t length = text.size();
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  text.resize(length);
  if (length != 0) broadcast(std::as_writable_bytes(std::span(text)), root);
  return text;
}

at::Tensor ProcessGroup::broadcast_tensor(const at::Tensor& tensor, int root, c10::Device device) {
  TensorHeader header;
  if (rank() == root) header = header_of(tensor);
  broadcast(std::as_writable_bytes(std::span(&header, 1)), root);
  const auto dimensions = static_cast<std::size_t>(header.dimensions);
  const at::IntArrayRef sizes(header.sizes.data(), dimensions);
  const auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(header.type)).device(device);
  at::Tensor values = rank() == root ? tensor.to(device).contiguous() : at::empty(sizes, options);
  if (size() != 1 && values.numel() != 0) send_to_all(values, root, "broadcast_tensor");
  return values;
}

void ProcessGroup::send_to_all(const at::Tensor& tensor, int root, const char* operation) {
  std::vector<Send> sends;
  std::vector<Receive> receives;
  if (rank() == root) {
    for (int peer = 0; peer < size(); ++peer) {
      if (peer != root) sends.push_back({tensor, peer});
    }
  } else {
    receives.push_back({tensor, root});
  }
  exchange(std::move(sends), std::move(receives), operation)->wait();
}

at::Tensor ProcessGroup::all_to_all(const at::Tensor& input) {
  if (input.dim() < 1 || input.size(0) % size() != 0) {
    throw std::invalid_argument("all_to_all: dimension 0 is not a multiple of the " + std::to_string(size()) +
                                " ranks");
  }
  const at::Tensor given = input.contiguous();
  at::Tensor result = at::empty_like(given, at::MemoryFormat::Contiguous);
  const std::int64_t count = given.size(0) / size();
  const auto block = [&](const at::Tensor& of, int peer) { return of.narrow(0, peer * count, count); };
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (int distance = 1; distance < size(); ++distance) {
    const int to = (rank() + distance) % size();
    const int from = (rank() - distance + size()) % size();
    sends.push_back({block(given, to), to});
    receives.push_back({block(result, from), from});
  }
  const auto transfer = exchange(std::move(sends), std::move(receives), "all_to_all");
  block(result, rank()).copy_(block(given, rank()));
  transfer->wait();
  return result;
}

at::Tensor ProcessGroup::all_gather(const at::Tensor& input) {
  const at::Tensor given = input.contiguous();
  std::vector<std::int64_t> shape = given.sizes().vec();
  shape.insert(shape.begin(), size());
  at::Tensor result = at::empty(shape, given.options());
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (int distance = 1; distance < size(); ++distance) {
    const int from = (rank() - distance + size()) % size();
    sends.push_back({given, (rank() + distance) % size()});
    receives.push_back({result.select(0, from), from});
  }
  const auto transfer = exchange(std::move(sends), std::move(receives), "all_gather");
  result.select(0, rank()).copy_(given);
  transfer->wait();
  return result;
}

std::string ProcessGroup::place(const char* operation) const {
  std::string text = "rank " + std::to_string(rank()) + " of " + std::to_string(size()) + ": " + operation;
  if (!step_.empty()) text += " (" + step_ + ")";
  return text;
}

namespace {

class NothingToWaitFor final : public Transfer {
 public:
  void wait() override {}
  bool done() override { return true; }
};

}  // namespace

void SingleProcessGroup::broadcast(std::span<std::byte>, int root) {
  if (root != 0) throw std::invalid_argument("broadcast: root " + std::to_string(root) + " in a group of 1 rank");
}

std::unique_ptr<ProcessGroup> SingleProcessGroup::split(int) {
  return std::make_unique<SingleProcessGroup>();
}

void SingleProcessGroup::abort(const std::string& why) {
  throw GroupError(place("abort") + ": " + why);
}

std::unique_ptr<Transfer> SingleProcessGroup::post(std::vector<Send>, std::vector<Receive>, const char*) {
  return std::make_unique<NothingToWaitFor>();
}

}  // namespace reelfarm::parallel
