// Stitching and encoding against the bare encoder (the ceiling), one after the other and beside each other, and its
// parts. Usage: bench_stitch [--seconds 20] [--size 960x544] [--overlap 1] [--preset medium] [--noise 2] [--threads 8]
// [--repeat 3] [--artifact FILE]: a window's frames.mkv instead of pictures made here.
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
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/stitcher/read_ahead.hpp"
#include "pipeline/stitcher/stitcher.hpp"
#include "pipeline/stitcher/video_io.hpp"
#include "pipeline/stitcher/write_behind.hpp"
#include "pipeline/video/frame_writer.hpp"
#include "pipeline/windows/size.hpp"

namespace {

namespace fs = std::filesystem;
using namespace reelfarm;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kWindowFrames = 121;
constexpr windows::FrameRate kRate{24, 1};

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

// Soft shapes that move, with noise of so many bits: 2 as decoded video has, neither free for the encoder nor hopeless;
// 5 and more is what random weights make, and the worst that can come.
video::Image picture(const windows::Size& size, std::int64_t time, int noise_bits) {
  video::Image image(size.width, size.height);
  std::uint32_t state = static_cast<std::uint32_t>(time) * 2654435761U + 1;
  const int shift = static_cast<int>(time) * 3;
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      state = state * 1664525U + 1013904223U;
      const int noise = static_cast<int>(state >> (32 - noise_bits));
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

std::vector<video::Image> read_all(const fs::path& window) {
  std::vector<video::Image> frames;
  stitcher::FileSource source(window, video::FrameWriter::kThreads);
  for (video::Image frame; source.next(frame);) frames.push_back(frame);
  return frames;
}

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

struct Bench {
  windows::Size size;
  windows::Grid grid;
  video::EncoderOptions encoding;
  fs::path folder;
  fs::path window;
  std::int64_t frames = 0;

  void stitch(stitcher::FrameSink& sink, bool beside, int threads) const {
    stitcher::Stitcher work(grid, {}, sink);
    while (!work.complete()) {
      stitcher::FileSource file(window, threads);
      if (beside) {
        stitcher::ReadAhead ahead(file);
        work.add_window(ahead);
      } else {
        work.add_window(file);
      }
    }
  }

  void whole(bool beside, std::vector<std::pair<std::int64_t, double>>& memory) const {
    video::VideoEncoder encoder(folder / "partial", encoding);
    stitcher::EncoderSink sink(encoder, size.width, size.height);
    SamplingSink sampling(sink, frames);
    if (beside) {
      stitcher::WriteBehind behind(sampling);
      stitch(behind, true, video::FrameWriter::kThreads);
      behind.finish();
    } else {
      stitch(sampling, false, 2);
    }
    encoder.publish(folder / "whole.mp4");
    fs::remove(folder / "whole.mp4");
    memory = sampling.samples;
  }

  void bare(const std::vector<video::Image>& pictures) const {
    video::VideoEncoder encoder(folder / "bare", encoding);
    for (std::int64_t t = 0; t < frames; ++t) encoder.write(pictures[static_cast<std::size_t>(t) % pictures.size()]);
    encoder.finish();
  }

  void write_window(const std::vector<video::Image>& pictures) const {
    video::FrameWriter writer(folder / "again.mkv", size.width, size.height, kRate, video::FrameWriter::kThreads);
    for (const video::Image& picture : pictures) writer.write(picture);
    writer.finish();
  }
};

void measure(const Bench& bench, int repeat) {
  Phase beside;
  Phase in_turn;
  Phase without_encoder;
  Phase read;
  Phase hash;
  Phase write;
  Phase bare;
  std::vector<std::pair<std::int64_t, double>> memory;
  std::vector<std::pair<std::int64_t, double>> ignored;
  double peak = 0;
  const auto run = [](Phase& phase, std::int64_t frames, const auto& work) {
    phase.begin();
    work();
    phase.end(frames);
  };
  for (int round = 0; round < repeat; ++round) {
    run(beside, bench.frames, [&] { bench.whole(true, memory); });
    if (round == 0) peak = peak_mib();
    run(in_turn, bench.frames, [&] { bench.whole(false, ignored); });
    run(without_encoder, bench.frames, [&] {
      NullSink sink;
      bench.stitch(sink, true, video::FrameWriter::kThreads);
    });
  }
  // The bare encoder gets the same pictures from memory, so this comes after memory was measured.
  const std::vector<video::Image> pictures = read_all(bench.window);
  const auto of_window = static_cast<std::int64_t>(pictures.size());
  for (int round = 0; round < repeat; ++round) {
    run(bare, bench.frames, [&] { bench.bare(pictures); });
    run(write, of_window, [&] { bench.write_window(pictures); });
    run(read, of_window, [&] { read_all(bench.window); });
    run(hash, of_window, [&] { artifacts::sha256_of_file(bench.window); });
  }
  const double ceiling = bench::median(bare.rates);
  const auto row = [&](const char* name, const Phase& phase) {
    std::printf("%-46s %8.1f frames/s  %5.1f %% of the ceiling  %6.1f processor ms a frame\n", name,
                bench::median(phase.rates), 100 * bench::median(phase.rates) / ceiling,
                bench::median(phase.processor_ms));
  };
  row("bare encoder, pictures from memory (ceiling)", bare);
  row("read, stitch, encode beside each other, publish", beside);
  row("one after the other, publish", in_turn);
  row("read and stitch without encoder", without_encoder);
  row("a window's file read", read);
  row("its SHA-256", hash);
  row("written", write);
  std::printf("resident memory in MiB at frame:");
  for (const auto& [count, mib] : memory) std::printf("  %lld: %.0f", static_cast<long long>(count), mib);
  std::printf("\npeak resident memory of stitching and publishing: %.0f MiB\n", peak);
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::map<std::string, std::string> options = {{"--seconds", "20"},    {"--size", "960x544"}, {"--overlap", "1"},
                                                {"--preset", "medium"}, {"--noise", "2"},      {"--threads", "8"},
                                                {"--repeat", "3"},      {"--artifact", ""}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (options.count(argv[i]) == 0) {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      return 2;
    }
    options[argv[i]] = argv[i + 1];
  }
  const int repeat = std::stoi(options["--repeat"]);
  std::string pattern = (fs::temp_directory_path() / "reelfarm-bench-XXXXXX").string();
  Bench bench;
  bench.folder = ::mkdtemp(pattern.data());
  bench.size = windows::parse_size(options["--size"]);
  bench.window = options["--artifact"];
  std::int64_t window_frames = kWindowFrames;
  if (!bench.window.empty()) {
    const video::VideoReader reader(bench.window);
    bench.size = {reader.info().width, reader.info().height};
    window_frames = video::count_frames(bench.window);
  } else {
    bench.window = bench.folder / "frames.mkv";
    const int noise_bits = std::clamp(std::stoi(options["--noise"]), 1, 7);
    video::FrameWriter writer(bench.window, bench.size.width, bench.size.height, kRate);
    for (std::int64_t t = 0; t < window_frames; ++t) writer.write(picture(bench.size, t, noise_bits));
    writer.finish();
  }
  bench.frames = windows::frames_for_seconds(std::stod(options["--seconds"]), kRate);
  bench.grid = windows::plan({bench.frames, window_frames, std::stoll(options["--overlap"])});
  bench.encoding.width = bench.size.width;
  bench.encoding.height = bench.size.height;
  bench.encoding.rate = kRate;
  bench.encoding.preset = options["--preset"];
  bench.encoding.threads = std::stoi(options["--threads"]);
  std::printf(
      "%dx%d, %lld frames, %zu windows of %lld, overlap %lld, 8-bit RGB, %.2f MB a frame; H.264 %s, CRF 18, %d encoder "
      "threads, %ld cores; median of %d\n",
      bench.size.width, bench.size.height, static_cast<long long>(bench.frames), bench.grid.windows.size(),
      static_cast<long long>(window_frames), static_cast<long long>(bench.grid.overlap_frames),
      static_cast<double>(fs::file_size(bench.window)) / 1e6 / static_cast<double>(window_frames),
      bench.encoding.preset.c_str(), bench.encoding.threads, ::sysconf(_SC_NPROCESSORS_ONLN), repeat);
  measure(bench, repeat);
  fs::remove_all(bench.folder);
  return 0;
}
