#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace reelfarm::parallel {

/// 32-bit words of host memory that the processes of one machine share: POSIX shared memory (shm_open(3)), zero at
/// first. Throws std::system_error with the name and the system's words.
class SharedWords {
 public:
  /// Makes them, under a name that no other has; open() needs it, until forget().
  static SharedWords create(std::size_t count);
  /// Those that another process of this machine has made.
  static SharedWords open(const std::string& name, std::size_t count);
  SharedWords(SharedWords&& other) noexcept;
  SharedWords& operator=(SharedWords&& other) noexcept;
  ~SharedWords();

  /// Takes the name away; those who have them keep them.
  void forget() noexcept;

  const std::string& name() const { return name_; }
  std::uint32_t* data() const { return words_; }
  std::size_t bytes() const { return bytes_; }

 private:
  SharedWords(std::string name, int flags, std::size_t count);

  std::string name_;
  std::size_t bytes_ = 0;
  std::uint32_t* words_ = nullptr;
  bool named_ = false;  // by this process
};

}  // namespace reelfarm::parallel
