// reelfarm-image: says what an input image is, or why it cannot be used. A process of its own, because the file comes
// from anywhere and is decoded here for the first time.
#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "pipeline/video/image_reader.hpp"

namespace {

constexpr int kBadInput = 2;
// Of one decoded picture at the largest size that is taken, with the decoder's own copies.
[[maybe_unused]] constexpr rlim_t kMaxMemory = rlim_t{4} << 30;
constexpr rlim_t kMaxSeconds = 60;

/// Of a file that has just been decoded, so it is one of the three.
const char* kind_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  switch (file.get()) {
    case 0x89:
      return "png";
    case 0xff:
      return "jpeg";
    default:
      return "webp";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr,
                 "reelfarm-image FILE\nprints {\"kind\",\"width\",\"height\"} of a PNG, JPEG or WebP, upright; exits 2 "
                 "and says why when it cannot be used\n");
    return argc == 2 && std::string(argv[1]) == "--help" ? 0 : kBadInput;
  }
#ifndef REELFARM_SANITIZED
  // A sanitizer reserves terabytes of addresses for itself.
  const rlimit memory{kMaxMemory, kMaxMemory};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  const rlimit seconds{kMaxSeconds, kMaxSeconds};
  ::setrlimit(RLIMIT_CPU, &seconds);
  try {
    const reelfarm::video::Image image = reelfarm::video::read_image(argv[1]);
    std::printf("{\"kind\":\"%s\",\"width\":%d,\"height\":%d}\n", kind_of(argv[1]), image.width, image.height);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kBadInput;
  }
}
