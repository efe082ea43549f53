#include "worker/ranks/window_line.hpp"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/video/errors.hpp"
#include "pipeline/video/image_fit.hpp"
#include "pipeline/windows/grid.hpp"
#include "threads/belt.hpp"
#include "worker/ranks/kept_work.hpp"
#include "worker/ranks/published_window.hpp"
#include "worker/ranks/publisher.hpp"
#include "worker/ranks/step_keeper.hpp"
#include "worker/ranks/task_input.hpp"
#include "worker/ranks/window_writer.hpp"

namespace reelfarm::worker {
namespace {

using Clock = std::chrono::steady_clock;

struct Denoised {
  TaskOrder order;
  at::Tensor latents;
  double denoise_seconds = 0;  ///< of this attempt
  int resumed_after_step = 0;
  std::shared_ptr<StepKeeper> keeper;
};

/// Frames that took longer are kept for a group that has to go on from there; writing others costs more than it saves.
constexpr double kWorthKeepingSeconds = 1.0;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

struct WindowLine::Impl {
  explicit Impl(const Setup& with)
      : setup(with),
        denoising([this] { work(orders, [this](TaskOrder order) { denoise(std::move(order)); }); }),
        decoding([this] { work(decodes, [this](Denoised window) { decode(std::move(window)); }); }) {}

  template <typename Work, typename Do>
  void work(threads::Belt<Work>& belt, const Do& act) {
    // LibTorch keeps the number of threads per calling thread.
    at::set_num_threads(setup.threads);
    while (std::optional<Work> next = belt.next()) act(std::move(*next));
  }

  /// Runs `body`; what it throws becomes the task's end.
  template <typename Body>
  void guard(const TaskOrder& order, int& step, const Body& body);

  /// `keeper`: a step is reported once it is kept; it may come later than the progress is asked for. Null: none.
  render::OnProgress progress_of(const TaskOrder& order, int& step, const std::shared_ptr<StepKeeper>& keeper);
  render::WindowRequest request_of(const TaskOrder& order) const;
  void note(const TaskOrder& order, const std::string& text) const { setup.reporter.send(Note{order.task, text}); }
  bool report_published(const TaskOrder& order);
  std::optional<render::StepState> resume(const TaskOrder& order, const KeptWork& kept) const;
  std::vector<render::DecodedFrames> kept_frames(const TaskOrder& order, const KeptWork& kept) const;
  template <typename Work>
  void keep(const TaskOrder& order, const KeptWork& kept, const Work& work) const;
  void denoise(TaskOrder order);
  void decode(Denoised window);

  Setup setup;
  threads::Belt<TaskOrder> orders;
  threads::Belt<Denoised> decodes;
  std::thread denoising;
  std::thread decoding;
};

WindowLine::WindowLine(const Setup& setup) : impl_(std::make_unique<Impl>(setup)) {}

WindowLine::~WindowLine() {
  impl_->orders.close();
  impl_->denoising.join();
  impl_->decodes.close();
  impl_->decoding.join();
}

void WindowLine::take(const TaskOrder& order) {
  impl_->orders.put(order);
}

template <typename Body>
void WindowLine::Impl::guard(const TaskOrder& order, int& step, const Body& body) {
  const auto failed = [&](const char* failure, const std::exception& error) {
    // LibTorch's errors carry a stack of addresses, which helps nobody in a list of jobs.
    const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
    setup.reporter.send(
        Failed{order.task, failure, torch_error != nullptr ? torch_error->what_without_backtrace() : error.what()});
  };
  try {
    body();
    return;
  } catch (const Abandoned&) {
    setup.reporter.send(Released{order.task, step});
  } catch (const LostInput& error) {
    setup.reporter.send(InputLost{order.task, error.what()});
  } catch (const render::RequestError& error) {
    failed("data", error);
  } catch (const video::BadMedia& error) {
    failed("data", error);
  } catch (const artifacts::StorageError& error) {
    failed("storage", error);
  } catch (const c10::OutOfMemoryError& error) {
    failed("memory", error);
  } catch (const std::exception& error) {
    failed("internal", error);
  }
  setup.stops.forget(order.task);
}

render::OnProgress WindowLine::Impl::progress_of(const TaskOrder& order, int& step,
                                                 const std::shared_ptr<StepKeeper>& keeper) {
  return [this, &order, &step, &keeper](const render::Progress& progress) {
    setup.stops.check(order.task);
    const bool step_done = progress.phase == render::Phase::step && progress.step > step;
    if (progress.phase == render::Phase::step) step = progress.step;
    const int safe = keeper ? std::min(step, keeper->kept()) : step;
    setup.reporter.tick({order.task, render::name_of(progress.phase), safe, order.steps, progress.fraction});
    if (step_done || progress.phase != render::Phase::step) setup.stops.check_boundary(order.task);
  };
}

render::WindowRequest WindowLine::Impl::request_of(const TaskOrder& order) const {
  render::WindowRequest request;
  request.prompt = order.prompt;
  request.width = order.width;
  request.height = order.height;
  request.num_latents = order.num_latents;
  request.seed = order.seed;
  request.steps = order.steps;
  request.shift = order.shift;
  request.guidance = order.guidance;
  if (!order.tail.empty()) {
    request.condition = read_tail_frames(order);
  } else if (!order.image.empty()) {
    request.image = read_start_image(order);
    request.condition = render::to_frames(
        video::fit_image(*request.image, order.width, order.height, video::parse_fit(order.image_fit)));
  }
  return request;
}

/// Reports a window that lies on the disk already; false when there is none.
bool WindowLine::Impl::report_published(const TaskOrder& order) {
  const std::optional<PublishedWindow> found =
      find_published(setup.data, order, setup.fingerprint, [&](const std::string& text) { note(order, text); });
  if (!found) return false;
  note(order, "is on the disk already: " + found->file.path);
  setup.stops.forget(order.task);
  setup.reporter.send(TailReady{order.task, found->tail});
  setup.reporter.send(Done{order.task, found->file, found->metrics});
  return true;
}

std::optional<render::StepState> WindowLine::Impl::resume(const TaskOrder& order, const KeptWork& kept) const {
  try {
    auto state = kept.load_steps(setup.renderer.latent_shape(order.width, order.height, order.num_latents));
    if (state) note(order, "goes on after step " + std::to_string(state->steps_done));
    return state;
  } catch (const weights::WeightError& error) {
    note(order, std::string("starts anew, its kept steps are of no use: ") + error.what());
    kept.drop();
    return std::nullopt;
  }
}

/// A window whose work cannot be kept is rendered all the same: it would only cost more if it were killed.
template <typename Work>
void WindowLine::Impl::keep(const TaskOrder& order, const KeptWork& kept, const Work& work) const {
  try {
    kept.save(work);
  } catch (const std::exception& error) {
    note(order, std::string("what it has reached is not kept: ") + error.what());
  }
}

std::vector<render::DecodedFrames> WindowLine::Impl::kept_frames(const TaskOrder& order, const KeptWork& kept) const {
  try {
    return kept.load_frames(order.width, order.height);
  } catch (const weights::WeightError& error) {
    note(order, std::string("is decoded anew, its kept frames are of no use: ") + error.what());
    return {};
  }
}

void WindowLine::Impl::denoise(TaskOrder order) {
  int step = 0;
  guard(order, step, [&] {
    setup.stops.check_boundary(order.task);
    const auto begin = Clock::now();
    std::shared_ptr<StepKeeper> keeper;
    const render::OnProgress progress = progress_of(order, step, keeper);
    if (order.kind == "image") {
      const at::Tensor frame =
          setup.renderer.first_frame(order.prompt, order.width, order.height, order.seed, progress);
      const FileReference file = publish_image(setup.data, order, frame);
      setup.stops.forget(order.task);
      setup.reporter.send(Done{order.task, file, "{}"});
      return;
    }
    if (report_published(order)) return;
    const KeptWork kept(setup.data, order, setup.fingerprint);
    render::WindowRequest request = request_of(order);
    request.resume = resume(order, kept);
    const int resumed_after_step = request.resume ? request.resume->steps_done : 0;
    step = resumed_after_step;
    keeper = std::make_shared<StepKeeper>(
        resumed_after_step, [this, order, kept](const render::StepState& state) { keep(order, kept, state); });
    const at::Tensor latents =
        setup.renderer.denoise(request, progress, [&](const render::StepState& state) { keeper->put(state); });
    decodes.put({order, latents, seconds_since(begin), resumed_after_step, keeper});
  });
}

void WindowLine::Impl::decode(Denoised window) {
  const TaskOrder& order = window.order;
  int step = order.steps;
  guard(order, step, [&] {
    // The last step is kept when this ends, however it ends.
    const std::shared_ptr<StepKeeper> keeper = std::move(window.keeper);
    setup.stops.check_boundary(order.task);
    const auto begin = Clock::now();
    const auto own_progress = progress_of(order, step, keeper);
    const auto progress = [&](const render::Progress& now) {
      own_progress(now);
      // A window that waits behind this one is as alive as this one.
      decodes.for_each([&](const Denoised& behind) {
        setup.reporter.tick({behind.order.task, "decode", behind.keeper->kept(), behind.order.steps, 0.0});
      });
    };
    const KeptWork kept(setup.data, order, setup.fingerprint);
    WindowWriter writer(setup.data, order, setup.fingerprint, window.latents,
                        {[&](double fraction) {
                           progress({render::Phase::write, order.steps, order.steps, fraction});
                         },
                         [&](const FileReference& tail) {
                           setup.reporter.send(TailReady{order.task, tail});
                         }});
    std::set<std::int64_t> have;
    for (const render::DecodedFrames& piece : kept_frames(order, kept)) {
      for (std::int64_t i = 0; i < piece.rgb8.size(0); ++i) have.insert(piece.first_frame + i);
      writer.add(piece);
    }
    auto last = Clock::now();
    setup.renderer.decode(
        window.latents,
        {windows::frames_of_latents(order.tail_latents), false,
         [&](std::int64_t frame) { return have.contains(frame); }},
        [&](const render::DecodedFrames& piece) {
          if (seconds_since(last) > kWorthKeepingSeconds) keep(order, kept, piece);
          writer.add(piece);
          last = Clock::now();
        },
        progress);
    if (writer.black_frames() == writer.frames()) note(order, "every frame is black");
    const nlohmann::json metrics = {{"denoise_seconds", window.denoise_seconds},
                                    {"decode_seconds", seconds_since(begin)},
                                    {"resumed_after_step", window.resumed_after_step},
                                    {"resumed_frames", have.size()},
                                    {"black_frames", writer.black_frames()}};
    const FileReference file = writer.publish(metrics.dump());
    keeper->finish();
    kept.drop();
    setup.stops.forget(order.task);
    setup.reporter.send(Done{order.task, file, metrics.dump()});
  });
}

}  // namespace reelfarm::worker
