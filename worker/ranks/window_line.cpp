#include "worker/ranks/window_line.hpp"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/video/errors.hpp"
#include "pipeline/video/image_fit.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/windows/grid.hpp"
#include "worker/ranks/frame_sorter.hpp"
#include "worker/ranks/publisher.hpp"

namespace reelfarm::worker {
namespace {

using Clock = std::chrono::steady_clock;

/// Work handed from one thread to another; empty when closed and drained.
template <typename Work>
class Belt {
 public:
  void put(Work work) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    changed_.notify_one();
  }

  std::optional<Work> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return std::nullopt;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    return work;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  /// Calls `visit` on everything that waits.
  template <typename Visit>
  void for_each(const Visit& visit) {
    const std::lock_guard lock(mutex_);
    for (const Work& work : waiting_) visit(work);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool closed_ = false;
};

struct Denoised {
  TaskOrder order;
  at::Tensor latents;
  double denoise_seconds = 0;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

struct WindowLine::Impl {
  explicit Impl(const Setup& with)
      : setup(with),
        denoising([this] { work(orders, [this](TaskOrder order) { denoise(std::move(order)); }); }),
        decoding([this] { work(decodes, [this](Denoised window) { decode(window); }); }) {}

  template <typename Work, typename Do>
  void work(Belt<Work>& belt, const Do& act) {
    // LibTorch keeps the number of threads per calling thread.
    at::set_num_threads(setup.threads);
    while (std::optional<Work> next = belt.next()) act(std::move(*next));
  }

  /// Runs `body`; what it throws becomes the task's end.
  template <typename Body>
  void guard(const TaskOrder& order, int& step, const Body& body);

  render::OnProgress progress_of(const TaskOrder& order, int& step);
  render::WindowRequest request_of(const TaskOrder& order) const;
  void denoise(TaskOrder order);
  void decode(const Denoised& window);

  Setup setup;
  Belt<TaskOrder> orders;
  Belt<Denoised> decodes;
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

render::OnProgress WindowLine::Impl::progress_of(const TaskOrder& order, int& step) {
  return [this, &order, &step](const render::Progress& progress) {
    setup.stops.check(order.task);
    const bool step_done = progress.phase == render::Phase::step && progress.step > step;
    if (progress.phase == render::Phase::step) step = progress.step;
    setup.reporter.tick({order.task, render::name_of(progress.phase), step, order.steps, progress.fraction});
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
    request.image = video::read_image(order.image);
    request.condition = render::to_frames(
        video::fit_image(*request.image, order.width, order.height, video::parse_fit(order.image_fit)));
  }
  return request;
}

void WindowLine::Impl::denoise(TaskOrder order) {
  int step = 0;
  guard(order, step, [&] {
    setup.stops.check_boundary(order.task);
    const auto begin = Clock::now();
    const render::OnProgress progress = progress_of(order, step);
    if (order.kind == "image") {
      const at::Tensor frame =
          setup.renderer.first_frame(order.prompt, order.width, order.height, order.seed, progress);
      const FileReference file = publish_image(setup.data, order, frame);
      setup.stops.forget(order.task);
      setup.reporter.send(Done{order.task, file, "{}"});
      return;
    }
    const at::Tensor latents = setup.renderer.denoise(request_of(order), progress);
    if (!latents.isfinite().all().item<bool>()) {
      throw std::runtime_error("the latents of task " + order.task + " hold NaN or infinity after " +
                               std::to_string(order.steps) +
                               " steps; with bf16 weights of another scale, --dtype fp32 may help");
    }
    decodes.put({order, latents, seconds_since(begin)});
  });
}

void WindowLine::Impl::decode(const Denoised& window) {
  const TaskOrder& order = window.order;
  int step = order.steps;
  guard(order, step, [&] {
    setup.stops.check_boundary(order.task);
    const auto begin = Clock::now();
    const auto own_progress = progress_of(order, step);
    const auto progress = [&](const render::Progress& now) {
      own_progress(now);
      // A window that waits behind this one is as alive as this one.
      decodes.for_each([&](const Denoised& behind) {
        setup.reporter.tick({behind.order.task, "decode", behind.order.steps, behind.order.steps, 0.0});
      });
    };
    const std::int64_t tail_frames = windows::frames_of_latents(order.tail_latents);
    const std::int64_t all_frames = windows::frames_of_latents(order.num_latents);
    WindowPublisher publisher(setup.data, order, setup.fingerprint);
    std::optional<FileReference> tail_file;
    FrameSorter sorter(all_frames, tail_frames);
    setup.renderer.decode(
        window.latents, {tail_frames, false},
        [&](const render::DecodedFrames& piece) {
          sorter.add(piece.first_frame, piece.rgb8, [&](const at::Tensor& frames) {
            publisher.write(frames);
            progress({render::Phase::write, order.steps, order.steps,
                      static_cast<double>(sorter.written()) / static_cast<double>(all_frames)});
          });
          if (const std::optional<at::Tensor> frames = sorter.take_tail()) {
            const at::Tensor latents =
                window.latents.narrow(2, order.num_latents - order.tail_latents, order.tail_latents);
            tail_file = publish_tail(setup.data, order, {*frames, latents});
            setup.reporter.send(TailReady{order.task, *tail_file});
          }
        },
        progress);
    const nlohmann::json metrics = {{"denoise_seconds", window.denoise_seconds},
                                    {"decode_seconds", seconds_since(begin)}};
    const FileReference file = publisher.publish(*tail_file, metrics.dump());
    setup.stops.forget(order.task);
    setup.reporter.send(Done{order.task, file, metrics.dump()});
  });
}

}  // namespace reelfarm::worker
