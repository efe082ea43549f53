#include "parallel/shared_words.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

namespace reelfarm::parallel {
namespace {

constexpr std::size_t kPage = 4096;

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

[[noreturn]] void fail(const char* call, const std::string& name) {
  throw std::system_error(errno, std::generic_category(), std::string(call) + " of shared memory " + name);
}

}  // namespace

SharedWords SharedWords::create(std::size_t count) {
  static std::atomic<int> made = 0;
  return {"/reelfarm-" + std::to_string(getpid()) + "-" + std::to_string(++made), O_CREAT | O_EXCL, count};
}

SharedWords SharedWords::open(const std::string& name, std::size_t count) {
  return {name, 0, count};
}

SharedWords::SharedWords(std::string name, int flags, std::size_t count)
    : name_(std::move(name)), bytes_((count * sizeof(std::uint32_t) + kPage - 1) / kPage * kPage) {
  constexpr mode_t kOwnerOnly = 0600;
  const Descriptor file(shm_open(name_.c_str(), O_RDWR | flags, kOwnerOnly));
  if (file.get() < 0) fail("shm_open", name_);
  named_ = flags != 0;
  void* memory = MAP_FAILED;
  if (!named_ || ftruncate(file.get(), static_cast<off_t>(bytes_)) == 0) {
    memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  }
  if (memory == MAP_FAILED) {
    const int code = errno;
    forget();
    errno = code;
    fail("mapping", name_);
  }
  words_ = static_cast<std::uint32_t*>(memory);
}

SharedWords::SharedWords(SharedWords&& other) noexcept
    : name_(std::move(other.name_)),
      bytes_(other.bytes_),
      words_(std::exchange(other.words_, nullptr)),
      named_(std::exchange(other.named_, false)) {}

SharedWords& SharedWords::operator=(SharedWords&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(bytes_, other.bytes_);
  std::swap(words_, other.words_);
  std::swap(named_, other.named_);
  return *this;
}

SharedWords::~SharedWords() {
  forget();
  if (words_ != nullptr) munmap(words_, bytes_);
}

void SharedWords::forget() noexcept {
  if (std::exchange(named_, false)) shm_unlink(name_.c_str());
}

}  // namespace reelfarm::parallel
