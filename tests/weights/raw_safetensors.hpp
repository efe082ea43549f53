#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>

#include "tests/support/temporary_folder.hpp"

namespace reelfarm::weights::testing {

using reelfarm::test::TemporaryFolder;

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

/// The bytes of a safetensors file with any header and any data, valid or not.
inline std::string raw_safetensors(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

inline std::filesystem::path write_raw(const std::filesystem::path& file, const std::string& header,
                                       const std::string& data) {
  write_text(file, raw_safetensors(header, data));
  return file;
}

/// A file in memory whose content changes 20,000 times without a disk that has to keep up.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("reelfarm-test", MFD_CLOEXEC)) {
    if (fd_ < 0) throw std::runtime_error("memfd_create");
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  void set(const std::string& content) const {
    if (::ftruncate(fd_, 0) != 0 ||
        ::pwrite(fd_, content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
      throw std::runtime_error("memory file");
  }

 private:
  int fd_;
};

/// The message of the error that `call` throws; empty when it throws none.
template <typename Error, typename Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace reelfarm::weights::testing
