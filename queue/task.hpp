#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/job.hpp"

namespace reelfarm::queue {

/// image: text to image, makes the first frame. window: one model call. stitch: windows to one video file (CPU).
enum class TaskKind { image, window, stitch };

/// waiting: a dependency is open. ready: may be leased (unless its job is paused or held). leased: an owner has it.
/// done. failed: reported as not worth retrying, or too often. poison: crashed too often at one step. cancelled.
/// corrupt: its record could not be read; see the dead letters.
enum class TaskState { waiting, ready, leased, done, failed, poison, cancelled, corrupt };

/// What must have happened to a task before its dependent may run: its tail is published (done implies it), or it is
/// done.
enum class DependencyOn { tail, done };

struct Dependency {
  std::string task;
  DependencyOn on = DependencyOn::done;
};

/// A file a task published.
struct Artifact {
  std::string path;    ///< relative to DATA
  std::string sha256;  ///< of the file
  std::uint64_t bytes = 0;
  std::int64_t frames = 0;  ///< pixel frames in it; 0 where that has no meaning
};

/// What a render task needs beside its span; the same for all windows of a job but for seed and prompt.
struct RenderSettings {
  std::string prompt;
  std::optional<ImageInput> image;  ///< the user's image; empty for a window that starts from a tail or a T2I image
  ImageFit image_fit = ImageFit::crop;
  int width = 0;  ///< pixels as rendered: multiples of 16
  int height = 0;
  int steps = 0;
  double shift = 0;
  double guidance = 0;
  std::string dtype;
  std::uint64_t seed = 0;  ///< this task's: hash(job seed, window, take)
};

/// A window's place in the job's grid (design: one integer grid for every mode).
struct WindowSpan {
  int first_latent = 0;          ///< s_j, in the job's latent frames
  int num_latents = 0;           ///< w, or L for a job of one window
  int overlap_latents = 0;       ///< c; the leading latents conditioned on the window before (0 for window 0)
  std::int64_t first_frame = 0;  ///< 4 s_j, in the job's pixel frames
  std::int64_t num_frames = 0;   ///< 4 (num_latents - 1) + 1
  std::int64_t keep_frames = 0;  ///< how many of them, from the start, the job uses: the last window is trimmed
};

/// What the stitcher makes of the windows.
struct StitchSettings {
  int windows = 0;
  std::int64_t frames = 0;  ///< of the video: exactly what was asked
  int overlap_frames = 0;
  int frame_rate_numerator = 0;
  int frame_rate_denominator = 1;
  int width = 0;  ///< of the video; the rendered frames are cropped to it about the centre
  int height = 0;
  std::string codec = "h264";
};

/// A unit of work that is leased. Immutable once the job is accepted.
struct TaskSpec {
  std::string id;  ///< task_id(job, kind, window)
  std::string job;
  TaskKind kind = TaskKind::window;
  int window = 0;  ///< window index; 0 for image and stitch
  std::vector<Dependency> depends;
  std::string bundle_hash;   ///< only groups with this bundle may claim it; empty for stitch
  std::string artifact_key;  ///< content address of its output: a hash of everything the output depends on
  RenderSettings render;     ///< image and window
  WindowSpan span;           ///< window
  StitchSettings stitch;     ///< stitch
};

/// Proof of holding a lease. Every write by an agent or stitcher carries it and is refused when it is stale.
struct FencingToken {
  std::string task;
  std::string owner;  ///< group or stitcher id
  std::int64_t attempt = 0;
  std::string nonce;  ///< random, of this claim
  bool operator==(const FencingToken&) const = default;
};

/// How a task failed. data: the input is at fault, no retry will help. crash: a process died. hang: no tick by the
/// deadline. memory: out of memory. device: the accelerator or its links. storage: disk full or unwritable. internal:
/// anything else.
enum class FailureClass { data, crash, hang, memory, device, storage, internal };

/// Where a running task is; `step` counts finished denoise steps and never goes back within an attempt.
struct Progress {
  std::string phase{};  ///< load, encode, step, decode, write, ...
  int step = 0;
  int steps = 0;
  double fraction = 0;  ///< of the phase, 0..1
};

/// What Redis knows about one task.
struct TaskRecord {
  TaskSpec spec;
  TaskState state = TaskState::waiting;
  std::int64_t attempt = 0;  ///< claims so far
  std::string owner;         ///< of the current or last lease
  std::string host;
  int crashes = 0;       ///< that agents saw, at the step reached; a new step resets it
  int losses = 0;        ///< leases that ran out at the step reached; a new step resets it
  int failures = 0;      ///< errors reported, over all attempts
  int preemptions = 0;   ///< releases by draining, over all attempts
  int step_reached = 0;  ///< furthest step of any attempt
  Progress progress;
  bool tail_published = false;
  Artifact tail;            ///< valid when tail_published
  Artifact artifact;        ///< valid when done
  std::string metrics;      ///< JSON object of finish(), empty: none
  bool partial = false;     ///< stitch only: stitch the leading `window_limit` windows and mark the file partial
  int window_limit = 0;     ///< stitch only: how many leading windows count; meaningful when partial
  std::string error_class;  ///< of the last failure, also when it was retried
  std::string error;
  ServerTime started{};        ///< first claim
  ServerTime claimed{};        ///< last claim
  ServerTime finished{};       ///< became done, failed, poison or cancelled
  ServerTime not_before{};     ///< back-off: not claimable earlier
  ServerTime lease_expires{};  ///< when leased
};

/// What a claimed task may read from a task it depends on.
struct TaskInput {
  std::string task;
  TaskKind kind = TaskKind::window;
  int window = 0;
  std::optional<Artifact> tail;
  std::optional<Artifact> artifact;
};

/// A claimed task.
struct Lease {
  FencingToken token;
  ServerTime expires{};                  ///< by the server's clock
  std::chrono::milliseconds duration{};  ///< what each renew and tick extends it to, from now
  TaskRecord task;
  JobSpec job;                    ///< with defaults filled in
  std::vector<TaskInput> inputs;  ///< one per dependency
};

std::string_view to_string(TaskKind kind);
std::string_view to_string(TaskState state);
std::string_view to_string(DependencyOn on);
std::string_view to_string(FailureClass failure);
TaskKind task_kind_from(std::string_view word);
TaskState task_state_from(std::string_view word);
DependencyOn dependency_on_from(std::string_view word);
FailureClass failure_class_from(std::string_view word);

/// True for done, failed, poison, cancelled and corrupt.
bool is_terminal(TaskState state);

/// "<job>.image", "<job>.w0007" or "<job>.stitch". Ids of one job sort in window order.
std::string task_id(std::string_view job, TaskKind kind, int window = 0);

}  // namespace reelfarm::queue
