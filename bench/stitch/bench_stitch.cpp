// Stitching and encoding against the bare encoder, and against decoding alone: is the file encoded at the encoder's
// speed? Usage: bench_stitch [--seconds 20] [--size 960x544] [--overlap 1] [--preset medium] [--repeat 3]
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "bench/support/timing.hpp"
#include "pipeline/stitcher/stitcher.hpp"
#include "pipeline/stitcher/video_io.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "pipeline/windows/size.hpp"

namespace {

namespace fs = std::filesystem;
using namespace reelfarm;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kWindowFrames = 121;

// Processor time of this process and its threads so far, in seconds: unlike frames/s it does not depend on what else
// runs.
double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The most this process ever held, in MiB.
double peak_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

struct Phase {
  std::vector<double> rates;
  std::vector<double> processor_ms;
  Clock::time_point start;
  double processor_start = 0;

  void begin() {
    start = Clock::now();
    processor_start = processor_seconds();
  }
  void end(std::int64_t frames) {
    rates.push_back(static_cast<double>(frames) / bench::seconds_since(start));
    processor_ms.push_back((processor_seconds() - processor_start) * 1000 / static_cast<double>(frames));
  }
};

// Resident memory of this process, in MiB.
double resident_mib() {
  std::ifstream file("/proc/self/statm");
  long pages = 0;
  long resident = 0;
  file >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// Soft shapes that move, with a little noise, as decoded video has: neither free for the encoder nor hopeless.
video::Image picture(const windows::Size& size, std::int64_t time) {
  video::Image image(size.width, size.height);
  std::uint32_t state = static_cast<std::uint32_t>(time) * 2654435761U + 1;
  const int shift = static_cast<int>(time) * 3;
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      state = state * 1664525U + 1013904223U;
      const int noise = static_cast<int>(state >> 30);
      const int dx = (x + shift) % 400 - 200;
      const int dy = (y + shift / 2) % 300 - 150;
      const int blob = std::max(0, 160 - (dx * dx + dy * dy) / 150);
      image.pixel(x, y)[0] = static_cast<std::uint8_t>(60 + blob / 2 + noise);
      image.pixel(x, y)[1] = static_cast<std::uint8_t>(40 + blob + noise);
      image.pixel(x, y)[2] = static_cast<std::uint8_t>(90 + x * 60 / size.width + y * 60 / size.height + noise);
    }
  }
  return image;
}

class NullSink : public stitcher::FrameSink {
 public:
  void write(const video::Image&) override {}
};

class SamplingSink : public stitcher::FrameSink {
 public:
  explicit SamplingSink(stitcher::FrameSink& inner, std::int64_t total) : inner_(inner), total_(total) {}
  void write(const video::Image& frame) override {
    inner_.write(frame);
    if (++count_ % std::max<std::int64_t>(1, total_ / 10) == 0) samples.emplace_back(count_, resident_mib());
  }
  std::vector<std::pair<std::int64_t, double>> samples;

 private:
  stitcher::FrameSink& inner_;
  std::int64_t total_;
  std::int64_t count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::map<std::string, std::string> options = {
      {"--seconds", "20"}, {"--size", "960x544"}, {"--overlap", "1"}, {"--preset", "medium"}, {"--repeat", "3"}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (options.count(argv[i]) == 0) {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      return 2;
    }
    options[argv[i]] = argv[i + 1];
  }
  const windows::Size size = windows::parse_size(options["--size"]);
  const int repeat = std::stoi(options["--repeat"]);
  const windows::FrameRate rate{24, 1};
  const std::int64_t frames = windows::frames_for_seconds(std::stod(options["--seconds"]), rate);
  const windows::Grid grid = windows::plan({frames, kWindowFrames, std::stoll(options["--overlap"])});

  std::string pattern = (fs::temp_directory_path() / "reelfarm-bench-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  const fs::path window = folder / "frames.mkv";
  const Clock::time_point write_start = Clock::now();
  {
    video::FrameWriter writer(window, size.width, size.height, rate);
    for (std::int64_t t = 0; t < kWindowFrames; ++t) writer.write(picture(size, t));
    writer.finish();
  }
  const double write_seconds = bench::seconds_since(write_start);

  video::EncoderOptions encoding;
  encoding.width = size.width;
  encoding.height = size.height;
  encoding.rate = rate;
  encoding.preset = options["--preset"];
  std::printf(
      "%s, %lld frames, %zu windows of %lld, overlap %lld, 8-bit RGB; H.264 %s, CRF 18, %d encoder threads, "
      "%ld cores; median of %d\n",
      options["--size"].c_str(), static_cast<long long>(frames), grid.windows.size(),
      static_cast<long long>(kWindowFrames), static_cast<long long>(grid.overlap_frames), encoding.preset.c_str(),
      encoding.threads, ::sysconf(_SC_NPROCESSORS_ONLN), repeat);
  std::printf("artifact: %.2f MB a frame, made and written at %.1f frames/s\n",
              static_cast<double>(fs::file_size(window)) / 1e6 / kWindowFrames, kWindowFrames / write_seconds);

  const auto stitch = [&](stitcher::FrameSink& sink) {
    stitcher::Stitcher work(grid, {}, sink);
    while (!work.complete()) {
      stitcher::FileSource source(window);
      work.add_window(source);
    }
  };
  Phase whole;
  Phase without_encoder;
  Phase bare;
  std::vector<std::pair<std::int64_t, double>> memory;
  double peak = 0;
  for (int round = 0; round < repeat; ++round) {
    {
      whole.begin();
      video::VideoEncoder encoder(folder / "partial", encoding);
      stitcher::EncoderSink sink(encoder, size.width, size.height);
      SamplingSink sampling(sink, frames);
      stitch(sampling);
      encoder.publish(folder / ("whole" + std::to_string(round) + ".mp4"));
      whole.end(frames);
      if (round == 0) {
        memory = sampling.samples;
        peak = peak_mib();
      }
    }
    {
      without_encoder.begin();
      NullSink sink;
      stitch(sink);
      without_encoder.end(frames);
    }
  }
  // The bare encoder gets the same pictures from memory, so this comes after memory was measured.
  std::vector<video::Image> pictures;
  for (std::int64_t t = 0; t < kWindowFrames; ++t) pictures.push_back(picture(size, t));
  for (int round = 0; round < repeat; ++round) {
    bare.begin();
    video::VideoEncoder encoder(folder / "bare", encoding);
    for (std::int64_t t = 0; t < frames; ++t) encoder.write(pictures[static_cast<std::size_t>(t % kWindowFrames)]);
    encoder.finish();
    bare.end(frames);
  }
  const double ceiling = bench::median(bare.rates);
  const auto row = [&](const char* name, const Phase& phase) {
    std::printf("%-46s %8.1f frames/s  %5.1f %% of the ceiling  %6.1f processor ms a frame\n", name,
                bench::median(phase.rates), 100 * bench::median(phase.rates) / ceiling,
                bench::median(phase.processor_ms));
  };
  row("bare encoder, pictures from memory (ceiling)", bare);
  row("decode, stitch, encode, publish", whole);
  row("decode and stitch without encoder", without_encoder);
  std::printf("resident memory in MiB at frame:");
  for (const auto& [count, mib] : memory) std::printf("  %lld: %.0f", static_cast<long long>(count), mib);
  std::printf("\npeak resident memory of stitching and publishing: %.0f MiB\n", peak);
  fs::remove_all(folder);
  return 0;
}
