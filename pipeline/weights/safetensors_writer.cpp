#include "pipeline/weights/safetensors_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

namespace reelfarm::weights {
namespace {

constexpr std::size_t kLengthBytes = 8;

std::uint64_t checked_bytes(const SafetensorsWriter::Declaration& tensor) {
  std::uint64_t bytes = size_of(tensor.dtype);
  for (const std::int64_t extent : tensor.shape) {
    if (extent < 0) throw WeightError("weights: tensor " + tensor.name + ": negative extent " + std::to_string(extent));
    if (extent > 0 && bytes > std::numeric_limits<std::int64_t>::max() / static_cast<std::uint64_t>(extent))
      throw WeightError("weights: tensor " + tensor.name + ": shape overflows 64 bits");
    bytes *= static_cast<std::uint64_t>(extent);
  }
  return bytes;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path target, const std::vector<Declaration>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : target_(std::move(target)) {
  // Widest elements first keeps every tensor aligned to its element, as the reference writer does.
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto width_a = size_of(tensors[a].dtype), width_b = size_of(tensors[b].dtype);
    return width_a != width_b ? width_a > width_b : tensors[a].name < tensors[b].name;
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const std::size_t index : order) {
    const Declaration& tensor = tensors[index];
    const std::uint64_t size = checked_bytes(tensor);
    if (tensor.name == "__metadata__") throw WeightError("weights: __metadata__ is not a tensor's name");
    if (!slots_.emplace(tensor.name, Slot{offset, size, 0}).second)
      throw WeightError("weights: tensor " + tensor.name + " is declared twice");
    header[tensor.name] = {
        {"dtype", name_of(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  for (auto& [name, slot] : slots_) slot.begin += kLengthBytes + text.size();

  temporary_ = target_;
  temporary_ += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
  file_ = posix::Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file_) fail("create", errno);
  const std::uint64_t length = text.size();
  try {
    write_at(0, std::as_bytes(std::span(&length, 1)));
    write_at(kLengthBytes, std::as_bytes(std::span(text)));
  } catch (...) {
    // The destructor does not run for a constructor that throws.
    ::unlink(temporary_.c_str());
    throw;
  }
}

SafetensorsWriter::~SafetensorsWriter() {
  if (file_) ::unlink(temporary_.c_str());
}

void SafetensorsWriter::append(std::string_view name, std::span<const std::byte> bytes) {
  const auto it = slots_.find(name);
  if (it == slots_.end()) throw WeightError("weights: tensor " + std::string(name) + " was not declared");
  Slot& slot = it->second;
  if (bytes.size() > slot.size - slot.written)
    throw WeightError("weights: tensor " + std::string(name) + ": " + std::to_string(slot.written + bytes.size()) +
                      " bytes given, declared " + std::to_string(slot.size));
  write_at(slot.begin + slot.written, bytes);
  slot.written += bytes.size();
}

void SafetensorsWriter::finish() {
  if (!file_) throw WeightError("weights: " + target_.string() + " is finished already");
  for (const auto& [name, slot] : slots_)
    if (slot.written != slot.size)
      throw WeightError("weights: " + target_.string() + ": tensor " + name + " has " + std::to_string(slot.written) +
                        " of " + std::to_string(slot.size) + " bytes");
  if (::fsync(file_.get()) != 0) fail("sync", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("rename to its place", errno);
  file_ = posix::Descriptor();
  // The rename itself is only durable once the folder is.
  const auto folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
  const posix::Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) fail("open the folder of", errno);
  if (::fsync(opened.get()) != 0) fail("sync the folder of", errno);
}

void SafetensorsWriter::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", errno);
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void SafetensorsWriter::fail(const std::string& what, int error) const {
  throw WeightError("weights: cannot " + what + " " + target_.string() + ": " + std::strerror(error));
}

}  // namespace reelfarm::weights
