#include "pipeline/weights/detail/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "pipeline/weights/errors.hpp"
#include "posix/descriptor.hpp"

namespace reelfarm::weights::detail {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const char* what, int error) {
  throw WeightError("weights: cannot " + std::string(what) + " " + file.string() + ": " + std::strerror(error));
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& file) {
  // O_NONBLOCK: a FIFO in the place of a file is then refused below instead of waiting for a writer.
  const posix::Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) fail(file, "open", errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail(file, "stat", errno);
  if (!S_ISREG(status.st_mode)) throw WeightError("weights: " + file.string() + " is not a regular file");
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses a length of 0
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) fail(file, "map", errno);
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace reelfarm::weights::detail
