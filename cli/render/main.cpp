// reelfarm-render: one clip or one long video, without a queue.
#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "cli/render/long_clip.hpp"
#include "cli/render/options.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/nn/host_memory.hpp"
#include "pipeline/video/errors.hpp"

namespace {

using namespace reelfarm;

constexpr int kBadInput = 2;

/// A bar on a terminal, one line per change of phase otherwise; both on stderr.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(std::size_t windows) : windows_(windows), terminal_(::isatty(STDERR_FILENO) != 0) {}
  ~ProgressDisplay() { end_line(); }

  void show(std::size_t window, const render::Progress& progress) {
    const std::string phase = render::name_of(progress.phase);
    std::string line = "window " + std::to_string(window + 1) + "/" + std::to_string(windows_) + "  " + phase;
    if (progress.phase == render::Phase::step)
      line += " " + std::to_string(progress.step) + "/" + std::to_string(progress.steps);
    if (terminal_) {
      constexpr int kWidth = 30;
      const int filled = static_cast<int>(progress.fraction * kWidth);
      std::fprintf(stderr, "\r%-30s [%s%s] %3d %%", line.c_str(),
                   std::string(static_cast<std::size_t>(filled), '#').c_str(),
                   std::string(static_cast<std::size_t>(kWidth - filled), '.').c_str(),
                   static_cast<int>(progress.fraction * 100));
      open_line_ = true;
    } else if (line != last_) {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
    last_ = line;
  }

  void end_line() {
    if (open_line_) std::fputc('\n', stderr);
    open_line_ = false;
  }

 private:
  std::size_t windows_;
  bool terminal_;
  bool open_line_ = false;
  std::string last_;
};

int run(const render::RenderCommand& command) {
  const auto begin = std::chrono::steady_clock::now();
  // Everything that can be refused is refused before the weights are loaded.
  const weights::Bundle bundle = weights::Bundle::open(command.bundle);
  const render::ClipPlan plan = render::plan_clip(command, bundle.manifest());
  const c10::Device device = nn::resolve_device(command.device);
  const nn::Placement placement{device, nn::resolve_dtype(command.dtype, device)};
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(command.threads > 0 ? command.threads : std::max(1, cores));

  ProgressDisplay display(plan.grid.windows.size());
  const render::Renderer renderer(bundle, {placement, command.tiles},
                                  [&](const render::Progress& progress) { display.show(0, progress); });
  renderer.check_prompt(command.prompt);
  const std::filesystem::path output = render::render_clip(
      renderer, command, plan,
      [&](std::size_t window, const render::Progress& progress) { display.show(window, progress); });
  display.end_line();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "%lld frames of %dx%d in %zu window(s), %.1f s with loading, seed %llu\n",
               static_cast<long long>(plan.grid.frames), plan.size.asked.width, plan.size.asked.height,
               plan.grid.windows.size(), seconds.count(), static_cast<unsigned long long>(plan.seed));
  std::printf("%s\n", output.c_str());
  return 0;
}

int refuse(const std::exception& error) {
  std::fprintf(stderr, "reelfarm render: %s\n", error.what());
  return kBadInput;
}

}  // namespace

int main(int argc, char** argv) {
  nn::keep_host_memory();
  try {
    const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
    if (ranks != nullptr && std::string(ranks) != "1") {
      throw render::OptionError("started with " + std::string(ranks) +
                                " ranks: splitting one window over several ranks is not in this version");
    }
    const auto command = render::read_options(argc, argv);
    return command ? run(*command) : 0;
  } catch (const render::OptionError& error) {
    return refuse(error);
  } catch (const render::RequestError& error) {
    return refuse(error);
  } catch (const weights::WeightError& error) {
    return refuse(error);
  } catch (const video::BadMedia& error) {
    return refuse(error);
  } catch (const std::invalid_argument& error) {
    return refuse(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reelfarm render: %s\n", error.what());
    return 1;
  }
}
