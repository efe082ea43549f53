#pragma once

#include <memory>

#include "pipeline/weights/tensor_file.hpp"

namespace reelfarm::weights {

namespace detail {
class ZipArchive;
}

/// What torch.save writes since torch 1.6: a zip archive with a pickle that describes tensors, and their data beside
/// it.
///
/// The pickle is read by a reader that can build tensors and containers and nothing else. Tensors in nested
/// dictionaries are named by the path of keys: {"module": {"a.b": tensor}} holds "module.a.b". Whatever is no tensor is
/// left out. Contiguous tensors lie in the mapped file; others are gathered when they are read.
class TorchFile : public TensorFile {
 public:
  /// Throws WeightError, for the form of older torch too.
  explicit TorchFile(const std::filesystem::path& file);
  ~TorchFile() override;

  /// The CRC-32 of every member that has one.
  void check_sums() const override;

 private:
  std::unique_ptr<detail::ZipArchive> archive_;
};

/// Whether a file that begins so may be one of torch.save, of whatever version: a zip archive, a bare pickle, a tar.
bool looks_like_torch(std::span<const std::byte> file);

}  // namespace reelfarm::weights
