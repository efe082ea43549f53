#include "queue/detail/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace reelfarm::queue::detail {

std::string random_word(std::size_t length) {
  std::string word(length, '\0');
  std::size_t filled = 0;
  while (filled < length) {
    const ssize_t got = getrandom(word.data() + filled, length - filled, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    filled += static_cast<std::size_t>(got);
  }
  for (char& digit : word) digit = kWordDigits[static_cast<unsigned char>(digit) % kWordDigits.size()];
  return word;
}

}  // namespace reelfarm::queue::detail
