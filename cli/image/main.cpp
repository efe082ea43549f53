// reelfarm-image: says what an input image is, or why it cannot be used, takes single frames out of videos, and shows
// what a window's latents look like. A process of its own, because an input comes from anywhere and is decoded here for
// the first time, and because those who need it (the command, the coordinator) know nothing of FFmpeg.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "cli/image/latent_preview.hpp"
#include "pipeline/video/image_fit.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/video/png_writer.hpp"
#include "pipeline/video/video_reader.hpp"
#include "pipeline/weights/errors.hpp"

namespace {

constexpr int kBadInput = 2;
constexpr int kNoSuchFrame = 4;
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

std::int64_t number(const char* text) {
  const std::string digits = text;
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() ? value : -1;
}

/// Frame `index` of a video as a PNG, made smaller when it is wider than `width`.
int take_frame(const char* video, std::int64_t index, std::int64_t width, const char* png) {
  using namespace reelfarm::video;
  VideoReader reader(video, 1);
  reader.skip(index);
  Image image;
  if (!reader.next(image)) return kNoSuchFrame;
  if (image.width > width) {
    const auto height = std::max<std::int64_t>(1, (image.height * width + image.width / 2) / image.width);
    image = fit_image(image, static_cast<int>(width), static_cast<int>(height), Fit::kStretch);
  }
  write_png(image, png);
  return 0;
}

/// A tail that cannot be read costs the right colours, and not the picture.
reelfarm::image::LatentColours colours_of(const char* tail) try {
  return tail ? reelfarm::image::fitted_colours(tail) : reelfarm::image::published_colours();
} catch (const reelfarm::weights::WeightError& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return reelfarm::image::published_colours();
}

/// What a window's latents show so far, a pixel each, in the colours that `tail` gives: of the VAE that made it.
int show_latents(const char* steps, const char* task, const char* png, const char* tail) try {
  using namespace reelfarm::image;
  const auto latents = kept_latents(steps, task);
  if (!latents) return kNoSuchFrame;
  reelfarm::video::write_png(picture_of(*latents, colours_of(tail)), png);
  return 0;
} catch (const reelfarm::weights::WeightError& error) {
  // The window was published while we looked.
  std::fprintf(stderr, "%s\n", error.what());
  return kNoSuchFrame;
}

int describe(const char* path) {
  const reelfarm::video::Image image = reelfarm::video::read_image(path);
  std::printf("{\"kind\":\"%s\",\"width\":%d,\"height\":%d}\n", kind_of(path), image.width, image.height);
  return 0;
}

int usage(int code) {
  std::fprintf(
      stderr,
      "reelfarm-image FILE\nprints {\"kind\",\"width\",\"height\"} of a PNG, JPEG or WebP, upright; exits 2 "
      "and says why when it cannot be used\n"
      "reelfarm-image --frame VIDEO N WIDTH FILE.png\nwrites frame N (from 0) of a video, no wider than WIDTH; "
      "exits 4 when it has no such frame\n"
      "reelfarm-image --latents FOLDER TASK FILE.png [TAIL]\nwrites what the task's latents below FOLDER show, a pixel "
      "each; colours are those of TAIL's window, else HunyuanVideo's; exits 4 when there are none\n");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  const bool frame = argc == 6 && std::string(argv[1]) == "--frame" && number(argv[3]) >= 0 && number(argv[4]) > 0;
  const bool latents = (argc == 5 || argc == 6) && std::string(argv[1]) == "--latents";
  if (!frame && !latents && (argc != 2 || argv[1][0] == '-')) {
    return usage(argc == 2 && std::string(argv[1]) == "--help" ? 0 : kBadInput);
  }
#ifndef REELFARM_SANITIZED
  // A sanitizer reserves terabytes of addresses for itself.
  const rlimit memory{kMaxMemory, kMaxMemory};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  const rlimit seconds{kMaxSeconds, kMaxSeconds};
  ::setrlimit(RLIMIT_CPU, &seconds);
  try {
    if (latents) return show_latents(argv[2], argv[3], argv[4], argc == 6 ? argv[5] : nullptr);
    return frame ? take_frame(argv[2], number(argv[3]), number(argv[4]), argv[5]) : describe(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kBadInput;
  }
}
